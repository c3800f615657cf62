"""Pairs of extractions on which metrics go wrong, each with what a right one must do, as an inequality."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations, starmap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from validation.edits import Extraction, Item, added, changed, renamed, without

Probe = tuple[Extraction, Extraction]
Score = Callable[[Extraction, Extraction], float]

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Trap:
    """One way to go wrong.

    Attributes:
        title: what tempts a metric.
        rule: what a right one does, in words; a, b, … are its values on the probes.
        probes: pairs of gold and prediction.
        holds: the rule, over the values on the probes in order.
    """

    title: str
    rule: str
    probes: tuple[Probe, ...]
    holds: Callable[..., bool]

    def values(self, score: Score) -> tuple[float, ...]:
        """What a metric says of each probe."""
        return tuple(starmap(score, self.probes))


def _fact(category: str, subject: str, predicate: str, object_: str) -> Item:
    statement = f"{subject} {predicate} {object_}"
    return {
        "category": category,
        "statement": statement,
        "subject": subject,
        "predicate": predicate,
        "object": object_,
    }


def _link(source: str, kind: str, target: str) -> Item:
    return {"source": source, "type": kind, "target": target}


def _named(kind: str, *names: str) -> Extraction:
    return {"entities": [{"type": kind, "name": name} for name in names], "facts": [], "relationships": []}


EMPTY: Extraction = {"entities": [], "facts": [], "relationships": []}
GOLD: Extraction = {
    "entities": [
        {"type": "person", "name": "Anna Kovács"},
        {"type": "person", "name": "John Smith"},
        {"type": "organization", "name": "Acme GmbH"},
        {"type": "project", "name": "Project Atlas 1"},
    ],
    "facts": [
        _fact("decision", "John Smith", "approved", "a budget of 1,000 EUR"),
        _fact("commitment", "Anna Kovács", "will ship the report on", "2026-03-01"),
        _fact("status", "Project Atlas 1", "is waiting for", "the audit"),
    ],
    "relationships": [_link("Anna Kovács", "manages", "John Smith"), _link("John Smith", "works_at", "Acme GmbH")],
}
_SPURIOUS = [{"type": "person", "name": name} for name in ("Greta Lund", "Omar Haddad", "Ines Prado")]
_MANY = _named("person", "Anna Kovács", "John Smith", "Greta Lund", "Omar Haddad", "Ines Prado", "Hugo Weiss")
_WORSE = added(renamed(without(GOLD, "facts", 0), {"Acme GmbH": "Acme"}), "entities", *_SPURIOUS)


def _above(better: float, worse: float) -> bool:
    return better > worse + _TOLERANCE


def _not_above(wrong: float, dropped: float) -> bool:
    return wrong <= dropped + _TOLERANCE


def _all_equal(*values: float) -> bool:
    return max(values) - min(values) <= _TOLERANCE


def _wrong_fact(title: str, place: int, harm: Item) -> Trap:
    """A fact made wrong, against the same fact left out."""
    return Trap(
        title,
        "a wrong fact (a) scores no more than none (b)",
        ((GOLD, changed(GOLD, "facts", place, harm)), (GOLD, without(GOLD, "facts", place))),
        _not_above,
    )


def _spelling(title: str, place: int, harmless: Mapping[str, str], harmful: Mapping[str, str]) -> Trap:
    """One name in another spelling, against another name nearly spelled alike."""
    name = str(GOLD["entities"][place]["name"])
    return Trap(
        title,
        f"{harmless[name]} (a) scores above {harmful[name]} (b)",
        ((GOLD, renamed(GOLD, harmless)), (GOLD, renamed(GOLD, harmful))),
        _above,
    )


def _form(title: str, place: int, old: str, harmless: str, harmful: str) -> Trap:
    """One object in another form, against another object in nearly the same form."""
    good, bad = (
        {field: str(GOLD["facts"][place][field]).replace(old, new) for field in ("object", "statement")}
        for new in (harmless, harmful)
    )
    return Trap(
        title,
        f"{harmless} (a) scores above {harmful} (b)",
        ((GOLD, changed(GOLD, "facts", place, good)), (GOLD, changed(GOLD, "facts", place, bad))),
        _above,
    )


TRAPS = (
    Trap(
        "wrong guesses raise the score",
        "guessing (a) scores below not guessing (b)",
        ((_MANY, _named("person", "Anna Kovács", "Per Dahl", "Li Na")), (_MANY, _named("person", "Anna Kovács"))),
        lambda guessing, silent: _above(silent, guessing),
    ),
    Trap("both sides empty", "a = 1", ((EMPTY, EMPTY),), lambda value: _all_equal(value, 1.0)),
    Trap("nothing predicted", "a = 0", ((GOLD, EMPTY),), lambda value: _all_equal(value, 0.0)),
    Trap("all invented", "a = 0", ((EMPTY, GOLD),), lambda value: _all_equal(value, 0.0)),
    Trap(
        "lists compared by position",
        "the order of items makes no difference: a = 1",
        ((GOLD, {section: items[::-1] for section, items in GOLD.items()}),),
        lambda value: _all_equal(value, 1.0),
    ),
    Trap(
        "near names matched greedily",
        "the order of near names makes no difference: a = b = …",
        tuple(
            (_named("person", "Anna Kovács", "A. Kovács", "Anne Kovac"), _named("person", *order))
            for order in permutations(("Ana Kovács", "Anna Kovács", "Anne Kovács"))
        ),
        _all_equal,
    ),
    Trap(
        "duplicates are invisible",
        "a right item said three times (a) scores below once (b)",
        ((GOLD, added(GOLD, "facts", *[GOLD["facts"][0]] * 2)), (GOLD, GOLD)),
        lambda thrice, once: _above(once, thrice),
    ),
    Trap(
        "duplicates count again",
        "one item said four times (a) scores no more than once (b)",
        ((_MANY, _named("person", *["Anna Kovács"] * 4)), (_MANY, _named("person", "Anna Kovács"))),
        _not_above,
    ),
    Trap(
        "unknown relations dropped before precision",
        "an invented fact with a new predicate costs: a < 1",
        ((GOLD, added(GOLD, "facts", _fact("status", "Anna Kovács", "resigned from", "Acme GmbH"))),),
        lambda value: _above(1.0, value),
    ),
    Trap(
        "swapped roles credited",
        "the relationship the wrong way round (a) scores no more than none (b)",
        (
            (GOLD, changed(GOLD, "relationships", 0, _link("John Smith", "manages", "Anna Kovács"))),
            (GOLD, without(GOLD, "relationships", 0)),
        ),
        _not_above,
    ),
    _wrong_fact("a negation", 0, _fact("decision", "John Smith", "not approved", "a budget of 1,000 EUR")),
    _wrong_fact("another date", 1, _fact("commitment", "Anna Kovács", "will ship the report on", "2026-08-01")),
    _wrong_fact("another amount", 0, _fact("decision", "John Smith", "approved", "a budget of 10,000 EUR")),
    _wrong_fact("subject and object swapped", 0, _fact("decision", "a budget of 1,000 EUR", "approved", "John Smith")),
    _form("a date in another form", 1, "2026-03-01", "1 March 2026", "2026-08-01"),
    _form("an amount in another form", 0, "1,000 EUR", "EUR 1000", "10,000 EUR"),
    _spelling("a near first name", 1, {"John Smith": "J. Smith"}, {"John Smith": "Joan Smith"}),
    _spelling("family name first", 0, {"Anna Kovács": "Kovács, Anna"}, {"Anna Kovács": "Anna Kovách"}),
    _spelling("accents", 0, {"Anna Kovács": "ANNA KOVACS"}, {"Anna Kovács": "Anna Takács"}),
    _spelling("a legal form", 2, {"Acme GmbH": "Acme"}, {"Acme GmbH": "Acne GmbH"}),
    _spelling("a number in a name", 3, {"Project Atlas 1": "PROJECT ATLAS 1"}, {"Project Atlas 1": "Project Atlas 2"}),
    Trap(
        "one name variant costs three times",
        "another spelling used throughout (a) costs no more than one lost entity (b)",
        ((GOLD, renamed(GOLD, {"John Smith": "Smith, John"})), (GOLD, without(GOLD, "entities", 0))),
        lambda variant, lost: _not_above(lost, variant),
    ),
    Trap(
        "part of a name",
        "Anna Kovacs (a) scores above Anna (b)",
        ((GOLD, renamed(GOLD, {"Anna Kovács": "Anna Kovacs"})), (GOLD, renamed(GOLD, {"Anna Kovács": "Anna"}))),
        _above,
    ),
    Trap(
        "a wrong type",
        "a right name of a wrong type (b) stands between right (a) and another name (c)",
        (
            (GOLD, GOLD),
            (GOLD, changed(GOLD, "entities", 3, {"type": "location"})),
            (GOLD, changed(GOLD, "entities", 3, {"name": "Quarterly Review"})),
        ),
        lambda right, typed, other: right > typed > other,
    ),
    Trap(
        "size of the event",
        "half of 2 found (a) is as good as half of 6 (b)",
        (
            (_named("person", "Anna Kovács", "John Smith"), _named("person", "Anna Kovács")),
            (_MANY, _named("person", "Anna Kovács", "John Smith", "Greta Lund")),
        ),
        _all_equal,
    ),
    Trap(
        "which side is gold",
        "exchanging the sides makes no difference: a = b",
        ((GOLD, _WORSE), (_WORSE, GOLD)),
        _all_equal,
    ),
)  # fmt: skip
"""Every trap, in the order of the table."""
