"""Whether an object has the shape of an extraction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SECTIONS: Final = ("entities", "facts", "relationships")

# A bare string can stand for an entity (its name) and a fact (its statement); a relationship has two ends.
# What JSON gives comes first: asking an abstract type takes as long as all else here.
_ITEM_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "entities": (dict, str, Mapping),
    "facts": (dict, str, Mapping),
    "relationships": (dict, Mapping),
}


def check_schema(extraction: Mapping[str, object]) -> str | None:
    """Say why an extraction cannot be used, as a reason code.

    Args:
        extraction: what ``parse_extraction`` returned.

    Returns:
        ``student_parse_fail`` where a section is not a list or an item has the wrong type (a section that is
        null counts as not a list); ``student_empty`` where there is no entity, fact or relationship at all;
        None where the extraction can be used.
    """
    present = [section for section in SECTIONS if section in extraction]
    if not all(_is_section(section, extraction[section]) for section in present):
        return "student_parse_fail"
    return None if any(extraction[section] for section in present) else "student_empty"


def _is_section(section: str, items: object) -> bool:
    return isinstance(items, list) and all(isinstance(item, _ITEM_TYPES[section]) for item in items)
