"""Labels -> evidence that agreement has fallen, for each prompt hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cascade_cli.monitor.alarms import change_alarm, floor_alarm
from cascade_cli.monitor.labels import HashLabels
from cascade_cli.simulate import estimate_figures, rate_figures
from cascade_cli.stats.eprocess import ALPHA, baseline_floor, confidence_sequence, e_bh, level_of
from cascade_cli.stats.estimates import INSUFFICIENT, Stratum, hajek, post_stratified
from cascade_cli.workspace import Awaited

Figures = dict[str, Any]
BASELINE_LABELS = 200
"""Labels that make a floor: the first so many of a hash, so that it never moves once they are there."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What agreement must not fall below.

    Attributes:
        value: in (0, 1).
        alpha: what is left of the level for the alarms.
        baseline: the place of the hash whose first labels gave it; None where it was given.
        labels: how many gave it; 0 where it was given.
    """

    value: float
    alpha: float
    baseline: int | None = None
    labels: int = 0


def choose_floor(
    found: Sequence[HashLabels],
    given: float | None,
    baseline: str | None,
    alpha: float = ALPHA,
    wanted: int = BASELINE_LABELS,
) -> Floor | None:
    """The floor that was given; else the lower bound of the first labels of a baseline, which no later label moves.

    Args:
        found: in the order of their first event.
        given: in (0, 1); None where none was.
        baseline: the prompt hash of a good time; None takes the first hash with enough labels.
        alpha: of all alarms together; half of it is spent on an estimated floor.
        wanted: how many labels make a floor.

    Returns:
        None where the baseline, or every hash, has fewer, or none of them agrees.
    """
    if given is not None:
        return Floor(given, alpha)
    for place, each in enumerate(found):
        if baseline not in (None, each.prompt_hash) or len(each.labels) < wanted:
            continue
        agree = sum(label.agrees for label in each.labels[:wanted])
        if (value := baseline_floor(agree, wanted, alpha)) is not None:
            return Floor(value, alpha / 2, place, wanted)
    return None


def watch(found: Sequence[HashLabels], floor: Floor | None) -> list[Figures]:
    """Figures and alarms of every hash, in the same order.

    The labels that made the floor are no evidence against it: their hash is watched for a change only, from the next
    label on.
    """
    figures, watched = [], 0
    for place, each in enumerate(found):
        is_baseline = floor is not None and place == floor.baseline
        watched += not is_baseline
        figures.append(_figures(each, floor, None if is_baseline else watched))
    evidence = [each["floor_alarm"]["e_value"] for each in figures if each["floor_alarm"]]
    rejected = iter(e_bh(evidence, floor.alpha if floor else ALPHA))
    for shown in figures:
        if shown["floor_alarm"]:
            shown["floor_alarm"]["e_bh"] = next(rejected)
    return figures


def agreement_of(each: HashLabels) -> Figures:
    """Agreement of a hash's standing events: Wilson's interval, weighed where a burn-in sampled them at other rates."""
    if each.evenly_sampled:
        return rate_figures(each.agree, len(each.labels))
    return estimate_figures(hajek([label.agrees for label in each.labels], [label.rate for label in each.labels]))


def agreement_of_all(found: Sequence[HashLabels]) -> Figures:
    """Agreement of all standing events, each hash weighing as much as it has of them (Holt and Smith, 1979).

    Returns:
        ``rate``, ``low``, ``high`` and ``n``; undefined where a hash with standing events has no label yet.
    """
    there = [each for each in found if each.standing]
    if all(each.evenly_sampled for each in there):
        strata = [Stratum(each.standing, len(each.labels), each.agree) for each in there]
        return estimate_figures(post_stratified(strata))
    if not all(each.labels for each in there):
        return estimate_figures(None)
    # The inverse chances of each hash are scaled to add up to its standing events.
    weights = [
        each.standing / sum(1 / other.rate for other in each.labels) / label.rate
        for each in there
        for label in each.labels
    ]
    chances = min(weights) / np.array(weights)
    return estimate_figures(hajek([label.agrees for each in there for label in each.labels], chances))


def notices_of(
    found: Sequence[HashLabels], trained: Sequence[str], awaited: Awaited | None = None, unheard: int = 0
) -> list[Figures]:
    """What is worth knowing before there is anything to alarm about: labels that are owed or unheard, new hashes.

    Args:
        found: the labels of each hash.
        trained: the prompt hashes that the student was trained on; empty where nobody said.
        awaited: what a live worker's teacher owes; None where there is none.
        unheard: standing events that it sampled and that do not speak at the rate that is watched.
    """
    notices: list[Figures] = []
    if unheard:
        notices.append({"kind": "unheard_labels", "events": unheard})
    held = sum(each.held for each in found)
    if awaited is not None and (awaited.events or held):
        owed = {"events": awaited.events, "since": awaited.since, "as_of": awaited.as_of, "held": held}
        notices.append({"kind": "owed_labels", **owed})
    if awaited is not None and awaited.lost:
        notices.append({"kind": "lost_events", "events": awaited.lost})
    for each in found:
        known = {"system_prompt_hash": each.prompt_hash, "events": each.events, "labels": len(each.labels)}
        if len(each.labels) < INSUFFICIENT:
            notices.append({"kind": "new_hash", **known})
        if trained and each.prompt_hash not in trained:
            notices.append({"kind": "untrained_hash", **known})
    return notices


def _figures(each: HashLabels, floor: Floor | None, place: int | None) -> Figures:
    labels, agree = len(each.labels), each.agree
    # It knows of no weights: where a burn-in gives some, it would be one of another rate.
    sequence = confidence_sequence(agree, labels - agree) if each.evenly_sampled else None
    return {
        "system_prompt_hash": each.prompt_hash,
        "events": each.events,
        "standing": each.standing,
        "sampled": each.sampled,
        "labels": labels,
        "missing": each.missing,
        "repeated": each.repeated,
        "held": each.held,
        "insufficient": labels < INSUFFICIENT,
        "agreement": agreement_of(each),
        "confidence_sequence": None if sequence is None else asdict(sequence),
        "days": each.days,
        "labels_per_day": labels / each.days if each.days else None,
        "floor_alarm": (
            None if floor is None or place is None else floor_alarm(each, floor.value, level_of(place, floor.alpha))
        ),
        "change_alarm": (
            None if floor is None else change_alarm(each, floor.value, floor.labels if place is None else 0)
        ),
    }
