"""Rows of the team's tables to records; what cannot be read becomes a `BadRow`, never an exception."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cascade_cli.records import BadRow, Event, Row, Trace

_DEFAULT_DISCLOSURE: Final = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event joined to whatever names it: texts as the server writes them, None where they are null."""

    known_event_id: str | None
    arena: str | None
    content: str | None
    attributes: str | None
    participant_set: str | None
    disclosure_class: str | None
    source_kind: str | None
    emitted_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrace(StoredEvent):
    """A row of ``page_of_traces``."""

    trace_id: str
    event_id: str | None
    system_prompt_hash: str | None
    llm_model: str | None
    user_prompt: str | None
    raw_response: str | None
    llm_chunk_ms: float | None
    created_at: str


class UnreadableError(ValueError):
    """A value is not what its column should hold; the text says which."""


def row_of(stored: StoredTrace, table: str) -> Row | BadRow:
    """One trace with its event; ``table`` says where a bad one stands."""
    where = f"{table}, id {stored.trace_id}"
    if stored.event_id is None or stored.raw_response is None:
        missing = "event_id" if stored.event_id is None else "raw_response"
        return BadRow(where, f"{missing} is null")
    try:
        created_at, event = _moment(stored.created_at, "created_at"), event_of(stored)
    except UnreadableError as error:
        return BadRow(where, str(error))
    return Row(
        Trace(
            event_id=stored.event_id,
            raw_response=stored.raw_response,
            trace_id=stored.trace_id,
            system_prompt_hash=stored.system_prompt_hash,
            llm_model=stored.llm_model,
            user_prompt=stored.user_prompt,
            llm_ms=_finite(stored.llm_chunk_ms),
            created_at=created_at,
            event=event,
        )
    )


def event_of(stored: StoredEvent) -> Event | None:
    """The event of a row; None where it is missing.

    Raises:
        UnreadableError: a column does not hold what it should.
    """
    if stored.known_event_id is None:
        return None
    attributes = _json(stored.attributes, "attributes")
    return Event(
        id=stored.known_event_id,
        arena=stored.arena,
        content=stored.content,
        attributes=attributes if isinstance(attributes, dict) else {},
        participant_set=_participants(stored),
        disclosure_class=stored.disclosure_class or _DEFAULT_DISCLOSURE,
        source_kind=stored.source_kind,
        emitted_at=_moment(stored.emitted_at, "emitted_at") if stored.emitted_at else None,
    )


def _participants(stored: StoredEvent) -> tuple[str, ...]:
    listed = _json(stored.participant_set, "participant_set")
    if isinstance(listed, str):
        listed = [listed]
    named = tuple(who for who in listed if isinstance(who, str)) if isinstance(listed, list) else ()
    return named or ((stored.arena,) if stored.arena else ())


def _json(text: str | None, column: str) -> object:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        raise UnreadableError(f"{column} is not JSON, or too large or deeply nested") from None


def _moment(text: str, column: str) -> datetime:
    """An ISO text as aware UTC; one without a zone is UTC, for so the session is set."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableError(f"{column} is not a moment between the years 1 and 9999") from None


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
