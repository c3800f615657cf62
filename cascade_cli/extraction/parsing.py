"""Read a model's raw text: the JSON-validity gate."""

from __future__ import annotations

import json
from typing import Final, NoReturn

from cascade_cli.extraction.scanning import Span, complete_objects, scan_value
from cascade_cli.extraction.schema import SECTIONS

# Deeper objects might be decoded here, only to crash whoever walks or writes them by recursion.
MAX_DEPTH: Final = 100

_SECTION_KEYS: Final = frozenset({*SECTIONS, "events"})
_WHITESPACE: Final = " \t\n\r\ufeff"
_FENCE: Final = "```"
_LONGEST_FENCE: Final = 64  # characters before an object in which its fence is looked for
_FENCED_SECTION_RANK: Final = 3


def parse_extraction(text: str) -> dict[str, object] | None:
    """Find the extraction in a model's raw text.

    Tried in this order: the whole text, or all that stands in one ``` fence, as an object; the first fenced
    object with a section key (``entities``, ``facts``, ``relationships`` or the envelope ``events``); the
    first object in prose with one; the first fenced object; the first object. What stands inside an object,
    whole or broken, is no candidate: a truncated answer is not an extraction.

    Linear in the length of any text: the scanner reads no character more than three times, the decoder is
    given the whole text at most once and disjoint pieces of it at most once.

    Args:
        text: anything, megabytes of braces included; what is not a ``str`` is not an extraction.

    Returns:
        The object as it stands (of a repeated key the last wins), with ``{"events": [one]}`` unwrapped. None
        where there is none; where the text as a whole is a JSON array, string, number or constant; where
        ``events`` does not hold exactly one object; where the object nests deeper than ``MAX_DEPTH``, or holds
        NaN or Infinity (not JSON) or an integer with more digits than Python converts.
    """
    found = find_object(text)
    return None if found is None else _unwrap(found)


def find_object(text: str) -> dict[str, object] | None:
    """Find the object as ``parse_extraction`` does, and leave its envelope, if it has one, as it is."""
    if not isinstance(text, str):
        return None
    stripped = text.strip(_WHITESPACE)
    found = _decode_whole(stripped)
    return _best_object(stripped, _prose_start(stripped)) if found is None else found


def decode_object(text: str) -> dict[str, object] | None:
    """Decode a text that is one JSON object and nothing else; None where it is not, or is nested too deep."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    # Counting is hundreds of times faster than walking, and settles nearly every answer.
    may_be_deep = text.count("{") + text.count("[") > MAX_DEPTH
    if not isinstance(value, dict) or (may_be_deep and is_deeper_than(value, MAX_DEPTH)):
        return None
    return value


def is_deeper_than(value: object, limit: int) -> bool:
    """Say whether decoded JSON holds more than ``limit`` objects and lists inside each other."""
    level = [value]
    for _ in range(limit):
        if not level:
            break
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
    return bool(level)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(parse_constant=_reject_constant)


def _children(parent: object) -> list[object]:
    if isinstance(parent, dict):
        return list(parent.values())
    return parent if isinstance(parent, list) else []


def _decode_whole(text: str) -> dict[str, object] | None:
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        text = text.removeprefix(_FENCE).removesuffix(_FENCE).removeprefix("json").strip(_WHITESPACE)
    return decode_object(text) if text.startswith("{") and text.endswith("}") else None


def _prose_start(text: str) -> int:
    """Return where to search for objects: behind what the text, read as an array or string, uses up."""
    if not text.startswith(("[", '"')):
        return 0
    whole = scan_value(text, 0)
    return 0 if whole.complete and whole.end < len(text) else whole.end


def _best_object(text: str, start: int) -> dict[str, object] | None:
    has_fences = _FENCE in text
    best, best_rank = None, -1
    for span in complete_objects(text, start):
        found = decode_object(text[span.start : span.end])
        if found is None:
            continue
        rank = 2 * (not _SECTION_KEYS.isdisjoint(found)) + (not has_fences or _is_fenced(text, span))
        if rank > best_rank:
            best, best_rank = found, rank
        if rank == _FENCED_SECTION_RANK:
            break
    return best


def _is_fenced(text: str, span: Span) -> bool:
    before = text[max(0, span.start - _LONGEST_FENCE) : span.start].rstrip(_WHITESPACE)
    return before.lower().endswith((_FENCE, _FENCE + "json"))


def _unwrap(found: dict[str, object]) -> dict[str, object] | None:
    """Take the one event out of its envelope; an object that has sections of its own is no envelope."""
    if "events" not in found or not found.keys().isdisjoint(SECTIONS):
        return found
    events = found["events"]
    if isinstance(events, list) and len(events) == 1 and isinstance(events[0], dict):
        return events[0]
    return None
