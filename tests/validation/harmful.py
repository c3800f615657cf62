"""Changes after which an extraction says something else."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from validation.changes import PERSON_TYPES, SYMMETRIC, World, relations
from validation.edits import Extraction, Item, added, changed, renamed, without
from validation.harmless import NICKNAMES

DIGIT = re.compile(r"[1-9](?=\D*$)")


def other_digit(digit: re.Match[str]) -> str:
    return str(int(digit[0]) % 9 + 1)


def swap_relationship(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
    """A relationship the wrong way round."""
    items = extraction["relationships"]
    kinds = {str(item["type"]) for item in items if item["source"] != item["target"]} - SYMMETRIC
    return relations(kinds, str)(rng, extraction, _)


def swap_fact(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
    """A fact whose subject and object have changed places."""
    return _change_fact(rng, extraction, lambda fact: (fact["object"], fact["predicate"], fact["subject"]))


def negate_fact(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
    """A fact that says it is not so."""
    return _change_fact(rng, extraction, lambda fact: (fact["subject"], f"not {fact['predicate']}", fact["object"]))


def _change_fact(
    rng: random.Random, extraction: Extraction, tell: Callable[[Item], tuple[object, object, object]]
) -> Extraction | None:
    if not extraction["facts"]:
        return None
    place = rng.randrange(len(extraction["facts"]))
    fact = extraction["facts"][place]
    subject, predicate, object_ = tell(fact)
    fields: Item = {"subject": subject, "predicate": predicate, "object": object_}
    if "statement" in fact:
        fields["statement"] = f"{subject} {predicate} {object_}"
    return changed(extraction, "facts", place, fields)


def drop_item(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
    """One item less."""
    section = rng.choice([section for section, items in extraction.items() if items])
    return without(extraction, section, rng.randrange(len(extraction[section])))


def add_fact(rng: random.Random, extraction: Extraction, world: World) -> Extraction | None:
    """A fact of another event."""
    return added(extraction, "facts", rng.choice(world.facts))


def invent_email(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
    """An address that stands nowhere."""
    places = [place for place, entity in enumerate(extraction["entities"]) if entity["type"] in PERSON_TYPES]
    if not places:
        return None
    return changed(extraction, "entities", rng.choice(places), {"email": "contact@invented.example"})


def wrong_type(rng: random.Random, extraction: Extraction, world: World) -> Extraction | None:
    """One entity of another type."""
    place = rng.randrange(len(extraction["entities"]))
    others = [kind for kind in world.names if kind != extraction["entities"][place]["type"]]
    return changed(extraction, "entities", place, {"type": rng.choice(others)})


def other_name(rng: random.Random, extraction: Extraction, world: World) -> Extraction | None:
    """Another entity of the same type instead, wherever it stands."""
    entity = rng.choice(extraction["entities"])
    # A name that shares a word may be another spelling of the same thing.
    held = {word for each in extraction["entities"] for word in str(each["name"]).split()}
    others = [name for name in world.names[str(entity["type"])] if held.isdisjoint(name.split())]
    return renamed(extraction, {str(entity["name"]): rng.choice(others)}) if others else None


def other_first_name(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
    """Another person of the same family name, wherever the person stands."""
    people = [str(entity["name"]) for entity in extraction["entities"] if entity["type"] in PERSON_TYPES]
    people = [name for name in people if name.split()[0] in NICKNAMES and " " in name]
    if not people:
        return None
    name = rng.choice(people)
    first, _, rest = name.partition(" ")
    other = rng.choice([given for given in NICKNAMES if given != first])
    return renamed(extraction, {name: f"{other} {rest}"})
