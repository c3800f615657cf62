"""Decoded fields -> a ``Row``; every wrong type is named, never guessed away. The rules stand in README.md."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cascade_cli.records import BadRow, Event, Row, StudentAnswer, Trace
from cascade_cli.signals import read_signals
from cascade_cli.sources.decoding import decode_json

_TRACE_ID_DIGITS: Final = 32  # 128 bits: no two of a billion traces meet
if TYPE_CHECKING:
    from collections.abc import Mapping

# All that is read of a line or table; the rest is left alone.
COLUMNS: Final = frozenset(
    {
        *("event_id", "raw_response", "id", "trace_id", "system_prompt_hash", "llm_model", "user_prompt"),
        *("llm_chunk_ms", "created_at", "event", "student_response", "student_model", "student_ms"),
        *("prompt_shape", "sample_index", "signals"),
    }
)
_MAX_SAMPLE_INDEX: Final = 2**31 - 1
_MOST_MS: Final = 365 * 86_400_000.0  # a year: what is longer is no duration, and sums of it overflow
_NAMES: Final = {
    type(None): "null",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


class _FieldError(ValueError):
    """A field has the wrong type or is missing; the message names it without its content."""


def row_or_bad(fields: Mapping[str, object], where: str) -> Row | BadRow:
    """Build the row of one decoded line; a ``BadRow`` where a required field is missing or a type is wrong."""
    try:
        return _row(fields)
    except _FieldError as error:
        return BadRow(where, str(error))


def _row(fields: Mapping[str, object]) -> Row:
    event_id = _text(fields, "event_id")
    if event_id is None:
        raise _wrong("event_id", "text", None)
    return Row(_trace(fields, event_id), _answer(fields, event_id) if "student_response" in fields else None)


def _trace(fields: Mapping[str, object], event_id: str) -> Trace:
    raw_response = _response(fields, "raw_response")
    if raw_response is None:
        raise _wrong("raw_response", "text or an object", None)
    prompt_hash = _text(fields, "system_prompt_hash")
    created_at = _time(fields.get("created_at"))
    given_id = _text(fields, "id") or _text(fields, "trace_id")
    return Trace(
        event_id=event_id,
        raw_response=raw_response,
        trace_id=given_id or _derived_trace_id(event_id, prompt_hash, created_at, raw_response),
        system_prompt_hash=prompt_hash,
        llm_model=_text(fields, "llm_model"),
        user_prompt=_text(fields, "user_prompt"),
        llm_ms=_milliseconds(fields, "llm_chunk_ms"),
        created_at=created_at,
        event=_event(fields, event_id),
    )


def _derived_trace_id(event_id: str, prompt_hash: str | None, created_at: datetime | None, raw_response: str) -> str:
    """Derive a trace's identity from its content, so that reading twice gives the same."""
    written_at = created_at.isoformat() if created_at else ""
    # With their lengths before them, no text moved from one field into the next gives the same bytes.
    content = ",".join(f"{len(part)}:{part}" for part in (event_id, prompt_hash or "", written_at, raw_response))
    return hashlib.sha256(content.encode()).hexdigest()[:_TRACE_ID_DIGITS]


def _answer(fields: Mapping[str, object], event_id: str) -> StudentAnswer:
    sample_index = _number(fields, "sample_index") or 0
    if not 0 <= sample_index <= _MAX_SAMPLE_INDEX or sample_index != int(sample_index):
        raise _FieldError(f"sample_index: expected a whole number from 0 to {_MAX_SAMPLE_INDEX:,}, found another")
    return StudentAnswer(
        event_id=event_id,
        response=_response(fields, "student_response"),
        student_model=_text(fields, "student_model") or "",
        prompt_shape=_text(fields, "prompt_shape") or "event_block",
        sample_index=int(sample_index),
        student_ms=_milliseconds(fields, "student_ms"),
        signals=_signals(fields),
    )


def _signals(fields: Mapping[str, object]) -> dict[str, float]:
    try:
        return read_signals(_object(fields, "signals") or {})
    except _FieldError:
        raise
    except ValueError as error:
        raise _FieldError(f"signals: {error}") from None


def _event(fields: Mapping[str, object], event_id: str) -> Event | None:
    event = _object(fields, "event")
    if event is None:
        return None
    arena = _text(event, "arena", "event.")
    return Event(
        id=event_id,
        arena=arena,
        content=_text(event, "content", "event."),
        attributes=_object(event, "attributes", "event.") or {},
        participant_set=_participants(event, arena),
        disclosure_class=_text(event, "disclosure_class", "event.") or "private",
        source_kind=_text(event, "source_kind", "event."),
        emitted_at=_time(event.get("emitted_at")),
    )


def _participants(event: Mapping[str, object], arena: str | None) -> tuple[str, ...]:
    given = event.get("participant_set")
    if given is None:
        return () if arena is None else (arena,)
    if not isinstance(given, list):
        raise _wrong("event.participant_set", "a list", given)
    participants = tuple(item for item in given if isinstance(item, str))
    if len(participants) < len(given):
        raise _FieldError("event.participant_set: expected a list of texts, found another item in it")
    return participants


def _text(fields: Mapping[str, object], name: str, path: str = "") -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    # Identifiers and hashes made of digits only arrive as numbers.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if value == value // 1 else repr(value)
    raise _wrong(path + name, "text", value)


def _response(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise _wrong(name, "text or an object", value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _object(fields: Mapping[str, object], name: str, path: str = "") -> Mapping[str, object] | None:
    """Read an object, given as such or as its JSON text: a column of a table may hold either."""
    value = fields.get(name)
    if isinstance(value, str):
        value = _decoded(value, path + name)
    if value is not None and not isinstance(value, dict):
        raise _wrong(path + name, "an object", value)
    return value


def _decoded(text: str, name: str) -> object:
    try:
        return decode_json(text)
    except ValueError as error:
        raise _FieldError(f"{name}: the text in it is {error}") from None


def _milliseconds(fields: Mapping[str, object], name: str) -> float | None:
    value = _number(fields, name)
    return value if value is not None and 0 <= value <= _MOST_MS else None


def _number(fields: Mapping[str, object], name: str) -> float | None:
    """Read a number; None where it is absent or not finite."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(name, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _time(value: object) -> datetime | None:
    """Read an ISO 8601 text or a datetime as aware UTC, naive ones as UTC; None where that cannot be done."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(time, datetime):
            return None
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _wrong(name: str, expected: str, value: object) -> _FieldError:
    return _FieldError(f"{name}: expected {expected}, found {type_name(value)}")


def type_name(value: object) -> str:
    """Name the type of a decoded value as a reader of JSON knows it."""
    return _NAMES.get(type(value), type(value).__name__)
