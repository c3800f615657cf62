"""The gates: each one reason why an event must go to the teacher.

A gate sees the event, the student's extraction and the signals about it, never the teacher's answer. Each is a frozen
record of its settings with its reason code and one method; further gates implement the same protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import ClassVar, Protocol

from cascade_cli.extraction import SECTIONS, check_schema
from cascade_cli.policy.grounding import known_emails
from cascade_cli.records import Event
from scorers.strings.emails import find_emails

Extraction = Mapping[str, object]
EVERY_CATEGORY = "*"
"""Stands on the list of categories for each of them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One event before the gates.

    Attributes:
        event: with its content; what grounds e-mails.
        student: the extraction; None where none could be read or it breaks the schema.
        signals: what else is known, by name, such as ``verifier``.
    """

    event: Event
    student: Extraction | None
    signals: Mapping[str, float] = field(default_factory=dict)


class Gate(Protocol):
    """One reason to escalate."""

    reason: ClassVar[str]

    def fires(self, case: Case) -> bool:
        """Whether this event must go to the teacher."""
        ...


@dataclass(frozen=True, slots=True)
class VipArena:
    """The event comes from an arena that always goes to the teacher. Known before the student is asked."""

    arenas: frozenset[str]
    reason: ClassVar[str] = "vip_arena"

    def fires(self, case: Case) -> bool:
        """Whether the arena is on the list."""
        return case.event.arena in self.arenas


@dataclass(frozen=True, slots=True)
class ParseFail:
    """No extraction could be read from the student's text, it breaks the schema, or the call failed."""

    reason: ClassVar[str] = "student_parse_fail"

    def fires(self, case: Case) -> bool:
        """Whether there is no usable extraction."""
        return case.student is None


@dataclass(frozen=True, slots=True)
class Empty:
    """The student found no entity, no fact and no relationship."""

    reason: ClassVar[str] = "student_empty"

    def fires(self, case: Case) -> bool:
        """Whether the extraction holds nothing."""
        return case.student is not None and check_schema(case.student) == self.reason


@dataclass(frozen=True, slots=True)
class Grounding:
    """An e-mail address of the extraction stands nowhere in the event: the student made it up."""

    reason: ClassVar[str] = "grounding_violation"

    def fires(self, case: Case) -> bool:
        """Whether an address is found neither in the content nor in the envelope, whatever its case."""
        if case.student is None:
            return False
        said = _emails_in(case.student)
        return bool(said) and not said <= known_emails(case.event)


@dataclass(frozen=True, slots=True)
class HighValue:
    """A fact is of a category, or the event was marked beforehand as one, in which a mistake costs too much."""

    categories: frozenset[str]
    reason: ClassVar[str] = "high_value_class"

    def fires(self, case: Case) -> bool:
        """Whether a category of the facts, or ``attributes.category``, is on the list, whatever its case."""
        found = categories_of(case)
        return any(found) if EVERY_CATEGORY in self.categories else not self.categories.isdisjoint(found)


@dataclass(frozen=True, slots=True)
class Verifier:
    """The verifier expects the student to disagree with the teacher: a soft tiebreak, silent without a score."""

    threshold: float
    reason: ClassVar[str] = "verifier"

    def fires(self, case: Case) -> bool:
        """Whether the score is above the threshold."""
        score = score_of(case.signals)
        return score is not None and score > self.threshold


def usable_extraction(student: object) -> Extraction | None:
    """An answer that has the shape of an extraction, empty or not; None for everything else."""
    if not isinstance(student, Mapping) or check_schema(student) == ParseFail.reason:
        return None
    return student


def score_of(signals: Mapping[str, float]) -> float | None:
    """The verifier's score; None where there is none, or it is not a number."""
    score = signals.get(Verifier.reason)
    return None if score is None or isnan(score) else score


def categories_of(case: Case) -> frozenset[str]:
    """The categories, lower case, of the student's facts and of the event itself."""
    facts = (case.student or {}).get("facts", ())
    named = [fact.get("category") for fact in facts if isinstance(fact, Mapping)] if isinstance(facts, list) else []
    named.append(case.event.attributes.get("category"))
    return frozenset(category.strip().lower() for category in named if isinstance(category, str))


def _emails_in(extraction: Extraction) -> set[str]:
    """The addresses in every text of the three sections, unknown fields included, for all of them would be written."""
    emails: set[str] = set()
    pending = [extraction.get(section) for section in SECTIONS]
    while pending:  # by hand: a hostile answer may be nested deeper than the interpreter may call
        found = pending.pop()
        if isinstance(found, str):
            if "@" in found:
                emails |= find_emails(found)
        elif isinstance(found, (dict, Mapping)):
            pending += found.values()
        elif isinstance(found, list | tuple):
            pending += found
    return emails
