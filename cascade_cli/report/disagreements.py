"""The events that agree least, as their text and both answers field by field, cut to what a page can bear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cascade_cli.console import shown
from cascade_cli.records import BadRow, Row
from cascade_cli.report.cutting import Cut, cut
from cascade_cli.scoring import Explanation, answered, explain, shown_event
from scorers import ScoringConfig


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of an event is shown.

    Attributes:
        text: characters of its text.
        value: characters of one field.
        fields: of one item.
        items: pairs of items: those that differ first.
        room: characters of all their fields together, each field counting some more for itself; the first pair is shown
            whatever it takes.
        equal: whether pairs that are equal are shown, too.
    """

    text: int
    value: int
    fields: int
    items: int
    room: int
    equal: bool = False


BRIEF = Limits(text=2_000, value=300, fields=12, items=40, room=6_000)
"""One of several on a page."""
LONG = Limits(text=100_000, value=10_000, fields=100, items=2_000, room=1_000_000, equal=True)
"""One on a page of its own."""
_MOST_NAME = 60
"""Characters of a field's name."""
_FIELD_ROOM = 50
"""Characters that a field takes beside its values."""

Key = tuple[str, str | None, str, int]
"""Event, prompt hash, student, sample."""
KEY = ("event_id", "system_prompt_hash", "student_model", "sample_index")
"""The columns of the figures that make a key."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an aligned pair of items; a side is None where it lacks the item or the field."""

    name: str
    gold: Cut | None
    predicted: Cut | None
    same: bool


@dataclass(frozen=True, slots=True)
class ItemPair:
    """Two items that were aligned, or one that stands alone.

    Attributes:
        section: of the extraction.
        verdict: ``equal``, ``accepted`` or ``unmatched``.
        kind: of difference; None where they are equal.
        critical: it forbids the verdict ``agrees``.
        reason: a sentence why; None where they are equal.
        fields: what both sides say.
    """

    section: str
    verdict: str
    kind: str | None
    critical: bool
    reason: str | None
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One event.

    Attributes:
        event_id: as given.
        prompt_hash: of the teacher's prompt.
        arena: where it happened.
        at: its trace's moment, ISO 8601.
        agreement: in [0, 1].
        agrees: the verdict.
        note: what is to be known of the student's answer as a whole; empty where nothing is.
        text: the event's; None where it is not at hand or left out.
        pairs: items, those that differ first.
        equal: how many pairs are equal on both sides.
        left_out: how many pairs that differ are not among ``pairs``.
    """

    event_id: str
    prompt_hash: str | None
    arena: str | None
    at: str | None
    agreement: float | None
    agrees: bool | None
    note: str
    text: Cut | None
    pairs: tuple[ItemPair, ...]
    equal: int
    left_out: int


def find_disagreements(
    rows: Iterable[Row | BadRow], wanted: Sequence[Key], config: ScoringConfig
) -> tuple[Disagreement, ...]:
    """Look the wanted pairs up among rows; of repeated ones the last counts, as in the figures.

    Args:
        rows: of any length; of each wanted pair only what a page shows is kept.
        wanted: keys, the worst first.
        config: of the metric.
    """
    keys = frozenset(wanted)
    found: dict[Key, Disagreement] = {}
    for row in rows:
        if isinstance(row, Row) and row.answer is not None and (key := key_of(row)) in keys:
            found[key] = disagreement_of(row, config)
    return tuple(found[key] for key in wanted if key in found)


def key_of(row: Row) -> Key:
    """What names an answered pair."""
    answer = answered(row)
    return row.trace.event_id, row.trace.system_prompt_hash, answer.student_model, answer.sample_index


def disagreement_of(row: Row, config: ScoringConfig, limits: Limits = BRIEF) -> Disagreement:
    """One recorded pair as a page shows it."""
    trace, event = row.trace, shown_event(row.trace)
    explanation = explain(row, config)
    pairs = [_pair(section, each, limits) for section, found in explanation["sections"].items() for each in found]
    differing = sorted((each for each in pairs if each.verdict != "equal"), key=lambda each: not each.critical)
    equal = [each for each in pairs if each.verdict == "equal"]
    shown_pairs = tuple(_within(differing + equal if limits.equal else differing, limits))
    return Disagreement(
        event_id=trace.event_id,
        prompt_hash=trace.system_prompt_hash,
        arena=event.arena,
        at=None if trace.created_at is None else trace.created_at.isoformat(),
        agreement=explanation["agreement"],
        agrees=explanation["agrees"],
        note=_note(explanation),
        text=None if event.content is None else cut(event.content, limits.text),
        pairs=shown_pairs,
        equal=len(equal),
        left_out=max(0, len(differing) - len(shown_pairs)),
    )


def _within(pairs: Sequence[ItemPair], limits: Limits) -> Iterator[ItemPair]:
    """As many pairs as there is room for, from the first on."""
    room = limits.room
    for place, pair in enumerate(pairs[: limits.items]):
        sides = (side for field in pair.fields for side in (field.gold, field.predicted) if side is not None)
        room -= len(pair.fields) * _FIELD_ROOM + sum(len(side.text) for side in sides)
        if place and room < 0:
            return
        yield pair


def _note(explanation: Explanation) -> str:
    if explanation["missing_output"]:
        return "The student gave no answer."
    return "No extraction can be read from the student's answer." if explanation["invalid_json"] else ""


def _pair(section: str, aligned: Mapping[str, Any], limits: Limits) -> ItemPair:
    verdict = "equal" if aligned["strict"] else "accepted" if aligned["accepted"] else "unmatched"
    fields = tuple(_fields(aligned["gold"], aligned["predicted"], limits))
    return ItemPair(section, verdict, aligned["kind"], aligned["critical"], aligned["reason"], fields)


def _fields(gold: object, predicted: object, limits: Limits) -> Iterable[Field]:
    """The fields of two items in the order of the teacher's; an item that is no object is one field without a name."""
    ours, theirs = _as_fields(gold), _as_fields(predicted)
    for name in islice(dict.fromkeys((*ours, *theirs)), limits.fields):
        same = name in ours and name in theirs and ours[name] == theirs[name]
        yield Field(str(cut(name, _MOST_NAME)), _side(ours, name, limits), _side(theirs, name, limits), same)


def _side(fields: Mapping[str, str], name: str, limits: Limits) -> Cut | None:
    return cut(fields[name], limits.value) if name in fields else None


def _as_fields(item: object) -> dict[str, str]:
    if item is None:
        return {}
    if not isinstance(item, Mapping):
        return {"": shown(item)}
    return {str(name): shown(value) for name, value in item.items() if value not in (None, "", [])}
