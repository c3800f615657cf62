"""The policy, and the one function that applies it, in the simulator and in the live worker alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from cascade_cli.policy.gates import (
    Case,
    Empty,
    Extraction,
    Gate,
    Grounding,
    HighValue,
    ParseFail,
    Verifier,
    VipArena,
    score_of,
    usable_extraction,
)
from cascade_cli.policy.sampling import UNITS, Rate, exact_rate, sample_unit, units_below
from cascade_cli.records import Event

RANDOM_SAMPLE = "random_sample"
GATES = (
    VipArena.reason,
    ParseFail.reason,
    Empty.reason,
    Grounding.reason,
    HighValue.reason,
    Verifier.reason,
)
"""Reason codes of the gates, in the order in which they are asked."""
REASONS = (*GATES, RANDOM_SAMPLE)
"""Every reason code; the sample comes last, for it says nothing about the event."""
RULES_VERSION = 1
"""Raised whenever extraction or the gates find something else in the same texts: what was approved under other rules
does not stand, and what was noted for the gates beside a score is worked out anew."""
_NO_SIGNALS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Policy:
    """When an event goes to the teacher.

    Attributes:
        sample_rate: share in [0, 1] of all events that the teacher sees whatever the gates say; given as a Decimal,
            int or text, or as a float, which is read as it prints.
        high_value_categories: categories of facts or events that escalate, compared in lower case; ``*`` among them
            stands for every one.
        vip_arenas: arenas that always escalate.
        verifier_threshold: in [0, 1]; a verifier's score above it escalates; None leaves the verifier out.
        salt: of the sampler.
        gates: the reason codes in force, whatever their order; the sample always is.
        burn_in_events: so many standing events of a prompt hash that was never seen are all sampled, then ever fewer
            (:func:`~cascade_cli.policy.rate_at`); 0 samples every age alike. Who calls ``decide`` knows the age, and
            gives the rate.

    Raises:
        ValueError: a setting is out of its range or a reason is unknown.
    """

    # A rate in any of its spellings comes in; __post_init__ leaves the exact decimal.
    sample_rate: Decimal = Decimal("0.05")
    high_value_categories: frozenset[str] = frozenset({"decision", "commitment"})
    vip_arenas: frozenset[str] = frozenset()
    verifier_threshold: float | None = None
    salt: str = "cascade"
    gates: frozenset[str] = frozenset(GATES)
    burn_in_events: int = 0

    def __post_init__(self) -> None:
        put = object.__setattr__  # the record is frozen once it is made
        put(self, "sample_rate", exact_rate(self.sample_rate))
        put(self, "high_value_categories", frozenset(name.strip().lower() for name in self.high_value_categories))
        put(self, "vip_arenas", frozenset(self.vip_arenas))
        put(self, "gates", _known_reasons(self.gates))
        if self.verifier_threshold is not None:
            put(self, "verifier_threshold", float(exact_rate(self.verifier_threshold)))
        if self.burn_in_events < 0:
            raise ValueError(f"burn_in_events must be at least 0, not {self.burn_in_events}")

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name these settings and the version of the rules."""
        settings = {item.name: _plain(getattr(self, item.name)) for item in fields(self)}
        return sha256(json.dumps({"rules": RULES_VERSION, **settings}, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one event.

    Attributes:
        escalate: it goes to the teacher; otherwise the student's write stands.
        reason: the first gate that fired; None where none did.
        fired: every gate that fired, in their order; ``random_sample`` iff the event is sampled.
        sampled: whether the sampler takes the event, whatever else fired.
        unit: the sampler's, in [0, 2**52).
        rate: in force for this event.
        inclusion_probability: in [0, 1], of seeing both the student's and the teacher's answer; what a weight is
            the inverse of. 1 where a gate other than ``vip_arena`` fired, else the rate: an event of a VIP arena is
            shown to the student only for the sample's sake.
        missing: signals that the policy asks for and nobody gave.
    """

    escalate: bool
    reason: str | None
    fired: tuple[str, ...]
    sampled: bool
    unit: int
    rate: Decimal
    inclusion_probability: float
    missing: tuple[str, ...] = ()


def decide(
    event: Event | Mapping[str, object],
    student: Extraction | None,
    policy: Policy,
    signals: Mapping[str, float] | None = None,
    *,
    rate: Rate | None = None,
) -> Decision:
    """Decide about one event.

    Args:
        event: a record, or a mapping with ``id``, ``arena``, ``content`` and ``attributes``; all but the id may be
            absent. Without content every address counts as made up.
        student: what ``parse_extraction`` returned for the student's text; None where the call failed.
        policy: the gates with their settings.
        signals: what else is known, as ``{"verifier": 0.4}``, each in [0, 1].
        rate: the sample rate in force where it is not the policy's own, as during burn-in.

    Returns:
        The decision. An event of a VIP arena that is not sampled has ``fired == ("vip_arena",)``: its student is
        never called, so nothing else can be known of it.
    """
    record = event if isinstance(event, Event) else _event_of(event)
    in_force = policy.sample_rate if rate is None else exact_rate(rate)
    unit, below = sample_unit(record.id, policy.salt), units_below(in_force)
    sampled = unit < below
    case = Case(record, usable_extraction(student), signals or _NO_SIGNALS)
    gates = gates_of(policy)
    if not sampled and gates and isinstance(gates[0], VipArena) and gates[0].fires(case):
        fired: tuple[str, ...] = (VipArena.reason,)
    else:
        fired = tuple(gate.reason for gate in gates if gate.fires(case)) + ((RANDOM_SAMPLE,) if sampled else ())
    certain = bool(fired) and fired[0] not in {VipArena.reason, RANDOM_SAMPLE}
    return Decision(
        escalate=bool(fired),
        reason=fired[0] if fired else None,
        fired=fired,
        sampled=sampled,
        unit=unit,
        rate=in_force,
        inclusion_probability=1.0 if certain else below / UNITS,
        missing=_missing(policy, case.signals),
    )


@lru_cache(maxsize=1024)
def gates_of(policy: Policy) -> tuple[Gate, ...]:
    """The gates of a policy that can fire, in their order, the sample apart."""
    settled: tuple[Gate | None, ...] = (
        VipArena(policy.vip_arenas) if policy.vip_arenas else None,
        ParseFail(),
        Empty(),
        Grounding(),
        HighValue(policy.high_value_categories) if policy.high_value_categories else None,
        None if policy.verifier_threshold is None else Verifier(policy.verifier_threshold),
    )
    return tuple(gate for gate in settled if gate is not None and gate.reason in policy.gates)


def _missing(policy: Policy, signals: Mapping[str, float]) -> tuple[str, ...]:
    asked = policy.verifier_threshold is not None and Verifier.reason in policy.gates
    return (Verifier.reason,) if asked and score_of(signals) is None else ()


def _event_of(mapping: Mapping[str, object]) -> Event:
    arena, content, attributes = (mapping.get(key) for key in ("arena", "content", "attributes"))
    return Event(
        id=str(mapping.get("id", "")),
        arena=arena if isinstance(arena, str) else None,
        content=content if isinstance(content, str) else None,
        attributes=attributes if isinstance(attributes, Mapping) else {},
    )


def _known_reasons(reasons: Iterable[str]) -> frozenset[str]:
    known = frozenset(reasons)
    for reason in sorted(known - set(REASONS)):
        near = get_close_matches(reason, GATES, n=1)
        raise ValueError(f"unknown reason {reason!r}; {f'did you mean {near[0]}?' if near else ', '.join(GATES)}")
    return known - {RANDOM_SAMPLE}


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return str(value.normalize()) if isinstance(value, Decimal) else value
