"""What changes of an extraction are made of: what they may draw from, and two ways to change one item."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from validation.edits import Extraction, Item, changed

Change = Callable[[random.Random, Extraction, "World"], Extraction | None]
"""Gives the changed extraction; None where it has nothing to change."""

PERSON_TYPES = {"person", "human"}
SYMMETRIC = {"knows"}


@dataclass(frozen=True, slots=True)
class World:
    """What else the corpus holds, to replace things by.

    Attributes:
        names: type of entity -> names, in a fixed order.
        facts: facts of other events.
    """

    names: dict[str, list[str]]
    facts: list[Item]


def world_of(extractions: list[Extraction]) -> World:
    """Collect the names and facts of a corpus."""
    names: dict[str, set[str]] = {}
    for extraction in extractions:
        for entity in extraction["entities"]:
            names.setdefault(str(entity["type"]), set()).add(str(entity["name"]))
    facts = [fact for extraction in extractions for fact in extraction["facts"]]
    return World({kind: sorted(found) for kind, found in sorted(names.items())}, facts)


def in_objects(pattern: re.Pattern[str], write: Callable[[re.Match[str]], str]) -> Change:
    """One fact whose object says something in another form, in its statement as well."""

    def change(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
        places = [place for place, fact in enumerate(extraction["facts"]) if pattern.search(str(fact["object"]))]
        if not places:
            return None
        place = rng.choice(places)
        fields = {key: pattern.sub(write, str(value)) for key, value in extraction["facts"][place].items()}
        return changed(extraction, "facts", place, dict(fields))

    return change


def relations(kinds: set[str], name_of: Callable[[str], str]) -> Change:
    """One relationship said from its other end."""

    def change(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
        places = [place for place, item in enumerate(extraction["relationships"]) if item["type"] in kinds]
        if not places:
            return None
        place = rng.choice(places)
        item = extraction["relationships"][place]
        fields = {"source": item["target"], "type": name_of(str(item["type"])), "target": item["source"]}
        return changed(extraction, "relationships", place, fields)

    return change
