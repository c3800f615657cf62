"""How the team's tables and columns are called, where they differ from the contract. No I/O."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from psycopg import sql

from cascade_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

# What the alias of a joined events table is in queries.sql.
_EVENT: Final = sql.Identifier("event")


@dataclass(frozen=True, slots=True)
class TraceColumns:
    """The table of teacher answers and its columns; an empty name says that the table has no such column."""

    table: str = "distillation_traces"
    id: str = "id"
    event_id: str = "event_id"
    system_prompt_hash: str = "system_prompt_hash"
    llm_model: str = "llm_model"
    user_prompt: str = "user_prompt"
    raw_response: str = "raw_response"
    llm_chunk_ms: str = "llm_chunk_ms"
    created_at: str = "created_at"


@dataclass(frozen=True, slots=True)
class EventColumns:
    """The table of events and its columns; an empty name says that the table has no such column."""

    table: str = "events"
    id: str = "id"
    arena: str = "arena"
    content: str = "content"
    attributes: str = "attributes"
    participant_set: str = "participant_set"
    disclosure_class: str = "disclosure_class"
    source_kind: str = "source_kind"
    emitted_at: str = "emitted_at"


@dataclass(frozen=True, slots=True)
class QueueColumns:
    """The queue and its columns; only ``created_at``, from which ages are told, may be missing."""

    table: str = "distillation_queue"
    id: str = "id"
    event_id: str = "event_id"
    status: str = "status"
    attempts: str = "attempts"
    claimed_by: str = "claimed_by"
    claimed_at: str = "claimed_at"
    claim_expires_at: str = "claim_expires_at"
    last_error: str = "last_error"
    created_at: str = "created_at"


_INDISPENSABLE: Final = {
    "postgres.traces": frozenset({"table", "id", "event_id", "raw_response", "created_at"}),
    "postgres.events": frozenset({"table", "id"}),
    "postgres.queue": frozenset(column.name for column in fields(QueueColumns)) - {"created_at"},
}


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Where everything is, in one schema."""

    schema: str = "public"
    traces: TraceColumns = field(default_factory=TraceColumns)
    events: EventColumns = field(default_factory=EventColumns)
    queue: QueueColumns = field(default_factory=QueueColumns)

    @staticmethod
    def of(
        schema: str, traces: Mapping[str, str], events: Mapping[str, str], queue: Mapping[str, str] | None = None
    ) -> ColumnMapping:
        """Read the settings ``postgres.schema``, ``postgres.traces``, ``postgres.events`` and ``postgres.queue``.

        Args:
            schema: of all the tables.
            traces: our name of a column, or ``table``, to the team's name; absent ones are called as ours are.
            events: the same.
            queue: the same; None where only the two others are read.

        Raises:
            UsageError: a key that is none of ours, or an empty name where a column is indispensable.
        """
        return ColumnMapping(
            schema,
            _read(TraceColumns, "postgres.traces", traces),
            _read(EventColumns, "postgres.events", events),
            _read(QueueColumns, "postgres.queue", queue or {}),
        )

    def table(self, name: str) -> sql.Identifier:
        """A table of the schema, quoted."""
        return sql.Identifier(self.schema, name)

    def names(self) -> dict[str, sql.Composable]:
        """What stands for each name in braces of queries.sql; a column that does not exist is NULL."""
        traces = {name: _column(getattr(self.traces, name)) for name in _columns_of(TraceColumns)}
        return {
            **traces,
            **self.event_names(),
            "trace_id": traces["id"],
            "trace_event_id": traces["event_id"],
            "event_id": _column(self.events.id),
            "traces": self.table(self.traces.table),
        }

    def event_names(self) -> dict[str, sql.Composable]:
        """The event's columns alone, of a table joined as ``event``; its id as ``event_key``."""
        columns = {name: _column(getattr(self.events, name), _EVENT) for name in _columns_of(EventColumns)}
        return {**columns, "event_key": columns["id"], "events": self.table(self.events.table)}

    def queue_names(self) -> dict[str, sql.Composable]:
        """What stands for each name in braces of queue.sql, types apart; a column that does not exist is NULL."""
        columns = {name: _column(getattr(self.queue, name)) for name in _columns_of(QueueColumns)}
        return {**columns, "queue": self.table(self.queue.table)}


def closest(word: str, known: Iterable[str]) -> str:
    """``; did you mean "created"?`` where something known is close, else nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f'; did you mean "{found[0]}"?' if found else ""


def _columns_of(record: type[TraceColumns | EventColumns | QueueColumns]) -> list[str]:
    return [column.name for column in fields(record) if column.name != "table"]


def _column(name: str, table: sql.Identifier | None = None) -> sql.Composable:
    if not name:
        return sql.SQL("NULL::text")
    return sql.SQL("{}.{}").format(table, sql.Identifier(name)) if table else sql.Identifier(name)


def _read(record: type[T], setting: str, given: Mapping[str, str]) -> T:
    known = [column.name for column in fields(record)]  # type: ignore[arg-type]
    for key, name in given.items():
        if key not in known:
            raise UsageError(f'[{setting}] has no key "{key}"{closest(key, known)}', hint=f"Known: {', '.join(known)}.")
        if not name and key in _INDISPENSABLE[setting]:
            raise UsageError(f'[{setting}] {key} = "": nothing can be read without it.')
    arguments: dict[str, Any] = dict(given)
    return record(**arguments)
