"""Filling the team's tables from rows, for the demo and for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.cleansing import cleansed
from cascade_cli.postgres.connection import compose, connect, explained
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.source import ANSWERS_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import sql

    from cascade_cli.postgres.connection import Connection
    from cascade_cli.records import Event, Row, StudentAnswer, Trace

    Record = tuple[object, ...]

_COPIES: Final = read_named_sql(files("cascade_cli.postgres") / "loading.sql")


def load_rows(dsn: str, rows: Iterable[Row], *, schema: str = "public") -> int:
    """Copy events, traces and student answers into empty tables, in one transaction.

    Args:
        dsn: of a database to which `apply_migrations` was applied with the team's tables.
        rows: held in memory as a whole; the first of each event, trace and answer counts.
        schema: where the tables stand.

    Returns:
        How many traces were copied.

    Raises:
        DependencyError: the tables are missing, or hold some of these rows already.
    """
    held = list(rows)
    now = datetime.now(UTC)
    events = {row.trace.event.id: _event(row.trace.event) for row in reversed(held) if row.trace.event}
    traces = {row.trace.trace_id: _trace(row.trace, now) for row in reversed(held)}
    answers = {
        record[:4]: record
        for row in reversed(held)
        if row.answer
        for record in [_answer(row.answer, row.trace.created_at or now)]
    }
    mapping = ColumnMapping(schema)
    names = {
        "events": mapping.table(mapping.events.table),
        "traces": mapping.table(mapping.traces.table),
        "answers": mapping.table(ANSWERS_TABLE),
    }
    with connect(dsn) as connection, explained(dsn), connection.transaction():
        _copy(connection, compose(_COPIES["copy_events"], names), events.values())
        _copy(connection, compose(_COPIES["copy_traces"], names), traces.values())
        _copy(connection, compose(_COPIES["copy_answers"], names), answers.values())
    return len(traces)


def enqueue(dsn: str, events: Iterable[Event]) -> int:
    """Copy new events and put them into the queue, in the order given, in one transaction.

    Args:
        dsn: as for `load_rows`.
        events: held in memory as a whole; none of them may be there already.

    Returns:
        How many there are.

    Raises:
        DependencyError: the tables are missing, or hold one of these events already.
    """
    held, mapping = list(events), ColumnMapping()
    names = {**mapping.queue_names(), "events": mapping.table(mapping.events.table)}
    with connect(dsn) as connection, explained(dsn), connection.transaction():
        _copy(connection, compose(_COPIES["copy_events"], names), map(_event, held))
        _copy(connection, compose(_COPIES["copy_queue"], names), ((cleansed(event.id),) for event in held))
    return len(held)


def _copy(connection: Connection, statement: sql.Composed, records: Iterable[Record]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for record in records:
            copy.write_row(record)


def _event(event: Event) -> Record:
    return (
        cleansed(event.id),
        cleansed(event.arena),
        cleansed(event.content),
        cleansed(json.dumps(dict(event.attributes), default=str)),
        [cleansed(who) for who in event.participant_set],
        cleansed(event.disclosure_class),
        cleansed(event.source_kind),
        event.emitted_at,
    )


def _trace(trace: Trace, now: datetime) -> Record:
    return (
        cleansed(trace.trace_id),
        cleansed(trace.event_id),
        cleansed(trace.system_prompt_hash),
        cleansed(trace.llm_model),
        cleansed(trace.user_prompt),
        cleansed(trace.raw_response),
        trace.llm_ms,
        trace.created_at or now,
    )


def _answer(answer: StudentAnswer, answered_at: datetime) -> Record:
    return (
        cleansed(answer.event_id),
        cleansed(answer.student_model),
        cleansed(answer.prompt_shape),
        answer.sample_index,
        cleansed(answer.response),
        answer.student_ms,
        cleansed(json.dumps(dict(answer.signals))) if answer.signals else None,
        answered_at,
    )
