"""Seeded pairs of extractions of a realistic size: about 10 entities, 7 facts and 5 relationships a side.

Two corpora. ``recurring``: names and addresses come from a few hundred, as in one team's own mail; objects and
statements are new. ``fresh``: names and addresses are new as well; only types, categories and predicates recur, as the
vocabulary of a schema does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

CorpusName = Literal["recurring", "fresh"]
Item = dict[str, object]
Extraction = dict[str, list[Item]]

_GIVEN = (
    "Anna", "Péter", "Maria", "John", "Laura", "Daniel", "Sofia", "Martin", "Clara", "Victor", "Nina", "Oscar", "Zoë",
    "Ádám", "Elena", "Hugo", "Ivan", "Ruth",
)  # fmt: skip
_SYLLABLES = (
    "ka", "lo", "mi", "ne", "ra", "to", "vi", "sa", "du", "be", "no", "ti", "fa", "gu", "le", "ri", "sto", "ven", "bal",
    "mor",
)  # fmt: skip
_FORMS = ("Inc.", "GmbH", "Ltd", "AG", "S.A.", "Kft.")
_LOOSE_FORMS = {"Inc.": "Incorporated", "Ltd": "Limited"}
_THINGS = (
    "the updated delivery schedule", "spare parts", "the quarterly review", "a budget draft", "the release plan",
    "open questions on pricing", "the warehouse audit", "support contract", "new sensor line", "onboarding",
)  # fmt: skip
_PREDICATES = ("will send", "approved", "requested", "is responsible for", "has asked about", "needs", "will review")
_CATEGORIES = ("commitment", "decision", "status", "request", "schedule", "risk")
_RELATIONS = ("works_at", "manages", "reports_to", "knows", "customer_of", "part_of", "attends")
_MONTHS = ("January", "March", "May", "July", "September", "November")

_EQUAL, _VARIANT, _WRONG, _MISSING = 0.86, 0.06, 0.04, 0.04
"""What becomes of an item: so that the median exact entity F1 is near 0.9, as known of the team's own pair."""
_SPURIOUS = 0.3
"""Chance of one invented item a section."""


class Size(NamedTuple):
    """How many items a gold extraction has; up to two entities fewer."""

    entities: int = 10
    facts: int = 7
    relationships: int = 5


FULL, SMALL = Size(), Size(4, 3, 2)
"""A long mail, and a short message."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """One event: the reference, the answer under test, and the addresses that the event itself holds."""

    gold: Extraction
    predicted: Extraction
    known_emails: frozenset[str]


def make_corpus(name: CorpusName, pairs: int, size: Size | None = None, seed: int = 7) -> Iterator[Pairing]:
    """Yield the pairs of a corpus, always the same ones for the same name, size and seed."""
    rng = random.Random(f"{name}-{seed}")
    team = [_make_entity(rng) for _ in range(300)]
    size = size or FULL

    def draw(count: int) -> list[Item]:
        return rng.sample(team, count) if name == "recurring" else [_make_entity(rng) for _ in range(count)]

    for _ in range(pairs):
        gold = _extract(rng, draw(rng.randint(size.entities - 2, size.entities)), size)
        emails = {str(entity["email"]) for entity in gold["entities"] if "email" in entity}
        yield Pairing(gold, _answer(rng, gold, strangers=draw(2)), frozenset(emails))


def _make_word(rng: random.Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4))).capitalize()


def _make_entity(rng: random.Random) -> Item:
    kind = rng.choices(["person", "organization", "project", "location"], [6, 3, 1, 1])[0]
    if kind == "person":
        given, family = rng.choice(_GIVEN), _make_word(rng) + rng.choice(["", "sson", "né", "escu"])
        person: Item = {"type": kind, "name": f"{given} {family}"}
        if rng.random() < 0.5:
            person["email"] = f"{given}.{family}@{_make_word(rng)}.example.com".lower()
        return person
    if kind == "organization":
        return {"type": kind, "name": f"{_make_word(rng)} {_make_word(rng)} {rng.choice(_FORMS)}"}
    number = f" {rng.randint(1, 9)}" if kind == "project" else ""
    return {"type": kind, "name": f"{'Project ' if number else ''}{_make_word(rng)}{number}"}


def _extract(rng: random.Random, entities: list[Item], size: Size) -> Extraction:
    names = [str(entity["name"]) for entity in entities]
    return {
        "entities": [dict(entity) for entity in entities],
        "facts": [_make_fact(rng, rng.choice(names)) for _ in range(size.facts)],
        "relationships": [_make_relationship(rng, names) for _ in range(size.relationships)],
    }


def _make_fact(rng: random.Random, subject: str) -> Item:
    amount, day = rng.randint(1_000, 90_000), rng.randint(1, 28)
    ending = rng.choice(["", f" by {day} {rng.choice(_MONTHS)} 2026", f" for {amount:,} EUR"])
    return _fact(rng.choice(_CATEGORIES), subject, rng.choice(_PREDICATES), _make_thing(rng) + ending)


def _make_thing(rng: random.Random) -> str:
    return f"{rng.choice(_THINGS)} for {_make_word(rng)} {_make_word(rng)}"


def _fact(category: object, subject: object, predicate: object, object_: object) -> Item:
    statement = f"{subject} {predicate} {object_}"
    return {
        "category": category,
        "statement": statement,
        "subject": subject,
        "predicate": predicate,
        "object": object_,
    }


def _make_relationship(rng: random.Random, names: Sequence[str]) -> Item:
    source, target = rng.sample(names, 2)
    return {"source": source, "type": rng.choice(_RELATIONS), "target": target}


def _answer(rng: random.Random, gold: Extraction, strangers: list[Item]) -> Extraction:
    """What a good student makes of an extraction: mostly the same, some other spellings, some mistakes."""
    spelled = {
        str(entity["name"]): _spell_otherwise(str(entity["name"]))
        for entity in gold["entities"]
        if rng.random() < _VARIANT
    }
    names = [str(entity["name"]) for entity in strangers]
    entities = [{**entity, "name": spelled.get(str(entity["name"]), entity["name"])} for entity in gold["entities"]]
    facts = [
        _fact(fact["category"], spelled.get(str(fact["subject"]), fact["subject"]), fact["predicate"], fact["object"])
        for fact in gold["facts"]
    ]
    relationships = [
        {**item, **{end: spelled.get(str(item[end]), item[end]) for end in ("source", "target")}}
        for item in gold["relationships"]
    ]
    return {
        "entities": _with_mistakes(rng, entities, lambda _: dict(strangers[0]), dict(strangers[1])),
        "facts": _with_mistakes(
            rng, facts, lambda fact: _mistaken_fact(rng, fact, names[0]), _make_fact(rng, names[1])
        ),
        "relationships": _with_mistakes(
            rng, relationships, lambda item: {**item, "target": names[0]}, _make_relationship(rng, names)
        ),
    }


def _with_mistakes(
    rng: random.Random, items: list[Item], mistake: Callable[[Item], Item], invented: Item
) -> list[Item]:
    kept: list[Item] = []
    for item in items:
        fate = rng.choices(["kept", "wrong", "missing"], [_EQUAL + _VARIANT, _WRONG, _MISSING])[0]
        if fate != "missing":
            kept.append(mistake(item) if fate == "wrong" else item)
    return [*kept, invented] if rng.random() < _SPURIOUS else kept


def _mistaken_fact(rng: random.Random, fact: Item, stranger: str) -> Item:
    if rng.random() < 0.5:
        return _fact(fact["category"], stranger, fact["predicate"], fact["object"])
    return _fact(fact["category"], fact["subject"], fact["predicate"], _make_thing(rng))


def _spell_otherwise(name: str) -> str:
    """Another spelling of the same name: without its legal form, with an initial, or in capitals."""
    first, _, rest = name.partition(" ")
    head, _, form = name.rpartition(" ")
    if form in _FORMS:
        return f"{head} {_LOOSE_FORMS[form]}" if form in _LOOSE_FORMS else head
    return f"{first[0]}. {rest}" if first in _GIVEN else name.upper()
