"""Edits of an extraction: each returns a new one and leaves the old as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping

Item = dict[str, object]
Extraction = dict[str, list[Item]]


def renamed(extraction: Extraction, names: Mapping[str, str]) -> Extraction:
    """The extraction with other spellings wherever the old ones stand, inside statements too."""
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names))

    def spell(value: object) -> object:
        if isinstance(value, list):
            return [spell(each) for each in value]
        return pattern.sub(lambda found: names[found[0]], value) if isinstance(value, str) else value

    return {
        section: [{key: spell(value) for key, value in item.items()} for item in items]
        for section, items in extraction.items()
    }


def without(extraction: Extraction, section: str, place: int) -> Extraction:
    """The extraction with one item less."""
    return {**extraction, section: [item for number, item in enumerate(extraction[section]) if number != place]}


def changed(extraction: Extraction, section: str, place: int, fields: Item) -> Extraction:
    """The extraction with some fields of one item changed."""
    items = [{**item, **fields} if number == place else item for number, item in enumerate(extraction[section])]
    return {**extraction, section: items}


def added(extraction: Extraction, section: str, *items: Item) -> Extraction:
    """The extraction with more items at the end of a section."""
    return {**extraction, section: [*extraction[section], *items]}
