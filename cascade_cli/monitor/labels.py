"""Which labels may speak, and in what order.

Only sampled standing events do: what gates escalate agrees less, and pooling it in would be the gates' figure. Of each
cluster only the first speaks, for a thread of ten events that share one mistake is one piece of evidence. They speak in
the order of the decisions, never in that in which labels arrive: a teacher that is slower on hard events would make
any order of arrival look like a fall. So a label that the teacher still owes holds back those after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from cascade_cli.errors import UsageError
from cascade_cli.policy import RANDOM_SAMPLE, Policy
from cascade_cli.simulate import AGREES, BIT, NO_LABEL, Events, Floats, Ints, fired_masks, is_a_log, rates_in_force
from cascade_cli.workspace import Awaited

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Label:
    """One label that speaks.

    Attributes:
        event_id: whose it is.
        agrees: whether the student agreed.
        at: the event's moment; None where it is not dated.
        place: how many events of the hash there were up to it, itself included.
        rate: at which it was sampled, in (0, 1].
    """

    event_id: str
    agrees: bool
    at: datetime | None
    place: int
    rate: float


@dataclass(frozen=True, slots=True)
class HashLabels:
    """What is known of one prompt hash.

    Attributes:
        prompt_hash: None where traces have none.
        events: with that hash, escalated ones included.
        standing: of those, the ones on which no gate but the sample fired.
        sampled: of the standing.
        missing: clusters whose first sampled standing event has no label, and never will: nobody speaks for them.
        repeated: sampled standing events of clusters whose turn it had been already.
        held: those whose label is there but waits for an earlier one, of whatever hash.
        labels: those that speak, in the order of the decisions.
        first_at: the first event's moment; None where none is dated.
        last_at: the last one's.
    """

    prompt_hash: str | None
    events: int
    standing: int
    sampled: int
    missing: int
    repeated: int
    held: int
    labels: tuple[Label, ...]
    first_at: datetime | None
    last_at: datetime | None

    @property
    def agree(self) -> int:
        """How many of the labels that speak agree."""
        return sum(label.agrees for label in self.labels)

    @property
    def evenly_sampled(self) -> bool:
        """Whether every label that speaks was sampled at the same rate."""
        return len({label.rate for label in self.labels}) <= 1

    @property
    def days(self) -> float | None:
        """From its first to its last event; None where they are not dated or all at once."""
        if self.first_at is None or self.last_at is None or self.first_at == self.last_at:
            return None
        return (self.last_at - self.first_at).total_seconds() / 86_400


def labels_by_hash(events: Events, policy: Policy, awaited: Awaited | None = None) -> list[HashLabels]:
    """The labels of each prompt hash, the hashes in the order in which they first appear.

    Args:
        events: of any number; undated ones come first.
        policy: which of them stand, and which are sampled.
        awaited: which labels of a live worker's sample the teacher still owes. What was decided since the first of
            them, or since the worker's database was asked, does not speak yet, under whatever hash: under which one the
            teacher will answer is not known. None where no worker's database was asked.

    Raises:
        UsageError: the policy has a burn-in, and the events are a log of what it saw: how old a hash was is unknown.
    """
    masks, rates, order = fired_masks(events, policy), rates_in_force(events, policy), events.claim_order
    too_early = _too_early(events, awaited)
    hashes = events.prompt_hashes.gather(order).to_list()
    places: dict[str | None, list[int]] = {}
    for place, prompt_hash in zip(order.tolist(), hashes, strict=True):
        places.setdefault(prompt_hash, []).append(place)
    if policy.burn_in_events and is_a_log(masks, rates):
        raise UsageError(
            "Every standing event is one that the sampler takes: in a worker's log a burn-in is unknown.",
            hint="How old a prompt hash was is known of a full record only; --burn-in-events 0 takes the rate as even.",
        )
    return [_labels_of(prompt_hash, events, masks, rates, chosen, too_early) for prompt_hash, chosen in places.items()]


def _too_early(events: Events, awaited: Awaited | None) -> Bools:
    """Whether a label may still come that was decided before each event's."""
    if awaited is None:
        return np.zeros(len(events), dtype=np.bool_)
    first = awaited.as_of if awaited.since is None else min(awaited.as_of, awaited.since)
    late: Bools = (events.created_at >= first).fill_null(value=False).to_numpy()
    return late & events.decided


def unheard_labels(events: Events, policy: Policy, sampled: frozenset[str]) -> int:
    """How many standing events a live worker sampled that the policy's sampler does not take: its rate is lower.

    Args:
        events: of any number.
        policy: as the labels were read by.
        sampled: ids of the events that the worker's sampler took.
    """
    if not sampled:
        return 0
    silent = np.flatnonzero(fired_masks(events, policy) == 0)
    return int(events.ids.gather(silent).is_in(list(sampled)).sum())


def _labels_of(
    prompt_hash: str | None,
    events: Events,
    masks: Ints,
    rates: Floats,
    places: Sequence[int],
    too_early: Bools,
) -> HashLabels:
    chosen = np.array(places)
    standing = np.flatnonzero((masks[chosen] & ~BIT[RANDOM_SAMPLE]) == 0)
    sampled = np.flatnonzero(masks[chosen] == BIT[RANDOM_SAMPLE])
    spoken: set[object] = set()
    labels: list[Label] = []
    missing = repeated = held = 0
    for number in sampled.tolist():
        place = places[number]
        cluster = events.clusters[place]
        if cluster in spoken:
            repeated += 1
            continue
        spoken.add(cluster)
        if events.labels[place] == NO_LABEL:
            missing += 1
        elif too_early[place]:
            held += 1
        else:
            agrees, at = bool(events.labels[place] == AGREES), events.created_at[place]
            labels.append(Label(events.ids[place], agrees, at, number + 1, float(rates[place])))
    dated: pl.Series = events.created_at.gather(chosen).drop_nulls()
    first, last = (dated[0], dated[-1]) if len(dated) else (None, None)
    return HashLabels(
        prompt_hash, len(places), len(standing), len(sampled), missing, repeated, held, tuple(labels), first, last
    )  # fmt: skip
