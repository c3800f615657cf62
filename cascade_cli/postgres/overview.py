"""Figures about what a live worker does, for `cascade status`; nothing is read but figures, and nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final, TypeVar

from psycopg import sql
from psycopg.rows import class_row

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.source import ESCALATIONS_TABLE, LEDGER_TABLE
from cascade_cli.postgres.tables import id_type_of_queue

T = TypeVar("T")

QUERIES: Final = read_named_sql(files("cascade_cli.postgres") / "overview.sql")
LONGEST_S: Final = 10.0
"""For one figure: a look must not weigh on a server that has other things to do."""
_LATEST_RECEIPTS: Final = 5
_TABLES: Final = {
    "ledger": LEDGER_TABLE,
    "escalations": ESCALATIONS_TABLE,
    "marks": "cascade_queue_marks",
    "orders": "cascade_mop_up_orders",
    "receipts": "cascade_receipts",
}


@dataclass(frozen=True, slots=True)
class LedgerCount:
    """Ledger rows of one sort.

    Attributes:
        producer: ``student`` or ``teacher``.
        escalated: None where no gate was asked.
        reason: the first gate that fired; None where none did.
        last_hour: rows written in the last hour.
        last_day: in the last 24 hours, that hour among them.
    """

    producer: str
    escalated: bool | None
    reason: str | None
    last_hour: int
    last_day: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Events that wait for the teacher for one reason, claimed ones among them."""

    reason: str
    events: int
    oldest_age_s: float


@dataclass(frozen=True, slots=True)
class Orders:
    """Mop-up orders.

    Attributes:
        open: how many are not finished.
        given_up: how many came to nothing, and were not given again since.
        oldest_age_s: of the open ones; None where there is none.
    """

    open: int
    given_up: int
    oldest_age_s: float | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One superseding.

    Attributes:
        receipt_id: what ``cascade undo`` asks for.
        event_id: the event whose rows were replaced.
        superseded_at: aware UTC.
        undone: whether it was undone.
    """

    receipt_id: int
    event_id: str
    superseded_at: datetime
    undone: bool


@dataclass(frozen=True, slots=True)
class Receipts:
    """Supersedings that can be undone, and that were.

    Attributes:
        kept: how many there are.
        undone: of these.
        latest: the last few, newest first.
    """

    kept: int
    undone: int
    latest: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Receipts, counted."""

    kept: int
    undone: int


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker that holds claims.

    Attributes:
        worker: its name.
        held: claims whose lease runs.
        expired: claims whose lease is over; somebody will take them back.
        last_claim_age_s: seconds since its last claim among them; None where unknown.
    """

    worker: str
    held: int
    expired: int
    last_claim_age_s: float | None


@dataclass(frozen=True, slots=True)
class _Counted:
    """A row that is one number."""

    events: int


class Overview:
    """Reads each figure by itself, so that one that cannot be read leaves the others.

    Every method raises a `UsageError` where a table is not there and a `DependencyError` where the server cannot be
    reached, refuses, or takes too long.

    Args:
        pool: of the database.
        mapping: what the tables are called.
        longest_s: for one figure, above 0.
    """

    def __init__(self, pool: Pool, mapping: ColumnMapping, *, longest_s: float = LONGEST_S) -> None:
        self._pool = pool
        self._mapping = mapping
        self._timeout_ms = str(max(1, round(longest_s * 1_000)))

    def ledger(self) -> tuple[LedgerCount, ...]:
        """What was written in the last hour and the last day."""
        return self._rows("ledger", LedgerCount)

    def backlog(self) -> tuple[Backlog, ...]:
        """What waits for the teacher, by reason."""
        return self._rows("backlog", Backlog, names=self._id_type())

    def quarantined(self, quarantine_at: int) -> int:
        """How many events count as failed after so many interruptions."""
        (found,) = self._rows("quarantined", _Counted, {"quarantine_at": quarantine_at}, self._id_type())
        return found.events

    def orders(self) -> Orders:
        """Mop-up orders that are not finished, and that came to nothing."""
        return self._rows("orders", Orders)[0]

    def receipts(self) -> Receipts:
        """Supersedings so far, and the last of them by number."""
        (counted,) = self._rows("receipts", _Kept)
        latest = self._rows("latest_receipts", Receipt, {"limit": _LATEST_RECEIPTS})
        dated = tuple(replace(each, superseded_at=each.superseded_at.astimezone(UTC)) for each in latest)
        return Receipts(counted.kept, counted.undone, dated)

    def workers(self) -> tuple[WorkerSeen, ...]:
        """Whoever holds claims, by name."""
        return self._rows("workers", WorkerSeen)

    def _id_type(self) -> dict[str, sql.Composable]:
        with self._pool.explained() as connection:
            return {"id_type": id_type_of_queue(connection, self._mapping)}

    def _rows(
        self,
        query: str,
        kind: type[T],
        values: Mapping[str, object] | None = None,
        names: Mapping[str, sql.Composable] | None = None,
    ) -> tuple[T, ...]:
        tables = {name: self._mapping.table(table) for name, table in _TABLES.items()}
        composed = compose(QUERIES[query], {**tables, **self._mapping.queue_names(), **(names or {})})
        with self._pool.explained() as connection, connection.transaction():
            connection.execute(QUERIES["settings"], {"timeout_ms": self._timeout_ms})
            with connection.cursor(row_factory=class_row(kind)) as cursor:
                return tuple(cursor.execute(composed, values))
