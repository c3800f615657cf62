"""Traces, ledger and student answers, read page by page, each page its own short read-only transaction."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from psycopg import sql
from psycopg.rows import class_row

from cascade_cli.errors import CascadeError, DependencyError
from cascade_cli.ledger import LedgerEntry
from cascade_cli.postgres.connection import compose, connect, explained, place
from cascade_cli.postgres.decoding import StoredTrace, row_of
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.tables import (
    QUERIES,
    check_mapped_tables,
    id_type_of_queue,
    is_readable,
)
from cascade_cli.records import AwaitedEvent, BadRow, Row, StudentAnswer
from cascade_cli.signals import read_signals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cascade_cli.postgres.connection import Connection

T = TypeVar("T")

STATEMENT_TIMEOUT_S: Final = 30.0
PAGE_SIZE: Final = 1_000
# Before decompression; with PAGE_SIZE it bounds memory whatever a row holds.
PAGE_BYTES: Final = 16_000_000

LEDGER_TABLE: Final = "event_distillations"
ANSWERS_TABLE: Final = "cascade_student_answers"
ESCALATIONS_TABLE: Final = "cascade_escalations"
_BEGINNING: Final = "-infinity"


@dataclass(frozen=True, slots=True)
class _StoredAnswer:
    """A row of ``page_of_answers``."""

    event_id: str
    response: str | None
    student_model: str
    prompt_shape: str
    sample_index: int
    student_ms: float | None
    signals: str | None
    answered_at: datetime

    def answer(self) -> StudentAnswer:
        return StudentAnswer(
            self.event_id,
            self.response,
            self.student_model,
            self.prompt_shape,
            self.sample_index,
            self.student_ms,
            self._signals(),
            self.answered_at.astimezone(UTC),
        )

    def _signals(self) -> dict[str, float]:
        try:
            return read_signals(json.loads(self.signals or "{}"))
        except ValueError as error:
            raise DependencyError(f"{ANSWERS_TABLE}, event {self.event_id}: signals: {error}.") from error


@dataclass(frozen=True, slots=True)
class _StoredEscalation:
    """A row of ``page_of_awaited``; its place among them is the first three."""

    persisted_at: datetime
    event_id: str
    queue_id: str
    reason: str
    decided_at: datetime


class PostgresSource:
    """The team's database, for reading; get one from `PostgresSource.open`.

    Attributes:
        name: which tables these are, whoever asks; without user and password.
        opened_at: aware UTC, by the server's clock.
        warnings: what could not be looked at, one sentence each.
    """

    def __init__(
        self, dsn: str, connection: Connection, mapping: ColumnMapping, timeout_s: float, opened_at: datetime
    ) -> None:
        self.name = f"postgresql://{place(dsn)} {mapping.schema}.{mapping.traces.table}"
        self.opened_at = opened_at
        self.warnings: tuple[str, ...] = ()
        self._dsn = dsn
        self._connection = connection
        self._mapping = mapping
        self._timeout_ms = str(max(1, round(timeout_s * 1_000)))

    @staticmethod
    @contextmanager
    def open(
        dsn: str, mapping: ColumnMapping | None = None, *, statement_timeout_s: float = STATEMENT_TIMEOUT_S
    ) -> Iterator[PostgresSource]:
        """Connect, and see that tables and columns are there and may be read.

        Raises:
            UsageError: the connection string, a table or a column is wrong; says what to write instead.
            DependencyError: the server cannot be reached or refuses.
        """
        mapping = mapping or ColumnMapping()
        with connect(dsn) as connection:
            with explained(dsn):
                check_mapped_tables(connection, mapping)
                ((now,),) = connection.execute(QUERIES["server_clock"]).fetchall()
            yield PostgresSource(dsn, connection, mapping, statement_timeout_s, now.astimezone(UTC))

    def traces(self, start: datetime | None) -> Iterator[Row | BadRow]:
        """Teacher answers with their events, by creation and id.

        Args:
            start: aware; the earliest creation; None from the beginning.

        Yields:
            A `BadRow` for each trace that cannot be read, and one for all that have no date.

        Raises:
            DependencyError: the server went away, or a page took longer than the statement timeout.
        """
        yield from self._undated()
        page = self._page_of_traces("from_moment", {"after_at": _text(start)})
        while page:
            for stored in page:
                yield row_of(stored, self._mapping.traces.table)
            last = page[-1]
            page = self._page_of_traces("after_trace", {"after_at": last.created_at, "after_id": last.trace_id})

    def ledger(self, start: datetime | None) -> Iterator[LedgerEntry]:
        """Ledger rows written at ``start`` or later; none where there is no ledger."""
        if not self._may_read(LEDGER_TABLE):
            return
        for producer in ("student", "teacher"):
            after: dict[str, object] = {"producer": producer, "after_at": _text(start), "after_id": ""}
            while page := self._page(LedgerEntry, "page_of_ledger", {}, after):
                yield from page
                after |= {"after_at": page[-1].distilled_at, "after_id": page[-1].event_id}

    def answers(self, start: datetime | None) -> Iterator[StudentAnswer]:
        """What a live worker's student said at ``start`` or later; none where there is no such table."""
        if not self._may_read(ANSWERS_TABLE):
            return
        key = {"event_id": "", "student_model": "", "prompt_shape": "", "sample_index": -1}
        after: dict[str, object] = {"after_at": _text(start), **key}
        while page := self._page(_StoredAnswer, "page_of_answers", {}, after):
            yield from (stored.answer() for stored in page)
            last = page[-1]
            after = {"after_at": last.answered_at, **{column: getattr(last, column) for column in key}}

    def awaited(self, max_attempts: int) -> tuple[datetime, list[AwaitedEvent]] | None:
        """As of when, aware UTC, which events wait for the teacher by a live worker's decision.

        To be asked before the traces: of what is answered meanwhile the trace will be read, and what is decided
        meanwhile is later than that moment.

        Args:
            max_attempts: tries after which no worker claims an event any more.

        Returns:
            None where there is no worker's table, or it cannot be read; a warning says so, for traces can be pulled all
            the same.
        """
        tables = (ESCALATIONS_TABLE, ANSWERS_TABLE, self._mapping.queue.table)
        if not all(self._may_read(table) for table in tables):
            return None
        try:
            return self._awaited(max_attempts)
        except CascadeError as error:
            self.warnings += (f"Which events wait for the teacher is unknown: {error.message}",)
            return None

    def _awaited(self, max_attempts: int) -> tuple[datetime, list[AwaitedEvent]]:
        names = self._queue_names()
        with explained(self._dsn):
            ((now,),) = self._connection.execute(QUERIES["server_clock"]).fetchall()
        found: list[AwaitedEvent] = []
        after: dict[str, object] = {"after_at": _BEGINNING, "after_event_id": "", "after_queue_id": ""}
        after["max_attempts"] = max_attempts
        while page := self._page(_StoredEscalation, "page_of_awaited", names, after):
            found += [AwaitedEvent(each.event_id, each.reason, each.decided_at.astimezone(UTC)) for each in page]
            last = page[-1]
            after |= {"after_at": last.persisted_at, "after_event_id": last.event_id, "after_queue_id": last.queue_id}
        return now.astimezone(UTC), found

    def _queue_names(self) -> dict[str, sql.Composable]:
        with explained(self._dsn):
            id_type = id_type_of_queue(self._connection, self._mapping)
        escalations = self._mapping.table(ESCALATIONS_TABLE)
        return {**self._mapping.queue_names(), "id_type": id_type, "escalations": escalations}

    def _undated(self) -> Iterator[BadRow]:
        with explained(self._dsn), self._connection.transaction():
            self._settle()
            query = compose(QUERIES["undated_traces"], self._mapping.names())
            counted = self._connection.execute(query).fetchone()
        if counted and counted[0]:
            column = self._mapping.traces.created_at
            yield BadRow(self._mapping.traces.table, f"{counted[0]} rows have no {column} and cannot be placed in time")

    def _page_of_traces(self, place_query: str, after: Mapping[str, object]) -> list[StoredTrace]:
        names = self._mapping.names()
        names["place"] = compose(QUERIES[place_query], names)
        return self._page(StoredTrace, "page_of_traces", names, {**after, "page_bytes": PAGE_BYTES})

    def _page(
        self,
        record: type[T],
        query: str,
        names: Mapping[str, sql.Composable],
        parameters: Mapping[str, object],
    ) -> list[T]:
        ours = {"ledger": self._mapping.table(LEDGER_TABLE), "answers": self._mapping.table(ANSWERS_TABLE)}
        with explained(self._dsn), self._connection.transaction():
            self._settle()
            with self._connection.cursor(row_factory=class_row(record)) as cursor:
                cursor.execute(compose(QUERIES[query], {**ours, **names}), {**parameters, "page_size": PAGE_SIZE})
                return cursor.fetchall()

    def _settle(self) -> None:
        self._connection.execute(QUERIES["page_settings"], {"timeout_ms": self._timeout_ms})

    def _may_read(self, table: str) -> bool:
        with explained(self._dsn):
            readable = is_readable(self._connection, self._mapping, table)
        warning = f'Table "{table}" may not be read by this user; its rows were left out.'
        if readable is False and warning not in self.warnings:
            self.warnings += (warning,)
        return bool(readable)


def _text(start: datetime | None) -> str:
    return _BEGINNING if start is None else start.astimezone(UTC).isoformat()
