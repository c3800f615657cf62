"""Choosing events that the student wrote, and ordering that the teacher distils them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from psycopg.rows import class_row

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.cleansing import cleansed
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.decoding import StoredEvent, UnreadableError, event_of
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.source import ANSWERS_TABLE, LEDGER_TABLE
from cascade_cli.postgres.superseding.locking import array_text
from cascade_cli.records import Event
from cascade_cli.signals import read_signals

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

QUERIES: Final = read_named_sql(files("cascade_cli.postgres.superseding") / "ordering.sql")
_TABLES: Final = {
    "ledger": LEDGER_TABLE,
    "answers": ANSWERS_TABLE,
    "orders": "cascade_mop_up_orders",
    "escalations": "cascade_escalations",
    "marks": "cascade_queue_marks",
}
PAGE_SIZE: Final = 500
_BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)
_END: Final = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the events that the student alone wrote.

    Attributes:
        hash_start: the prompt hash begins so; None for any.
        since: written then or later; aware; None from the beginning.
        until: written before then; aware; None to the end.
        event_ids: out of these; None for all.
    """

    hash_start: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    event_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event that the student wrote and the teacher did not.

    Attributes:
        event_id: the event.
        llm_model: the student's name.
        system_prompt_hash: the teacher prompt in force then; None when unknown.
        distilled_at: aware UTC.
    """

    event_id: str
    llm_model: str
    system_prompt_hash: str | None
    distilled_at: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """What the student said about an event.

    Attributes:
        event: None where it is missing or cannot be read.
        response: the raw text; None where there was none.
        signals: what else is known of the answer.
    """

    event: Event | None
    response: str | None
    signals: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredAnswer(StoredEvent):
    """A row of ``said``."""

    asked_event_id: str
    response: str | None
    # Any: JSON of whatever shape.
    signals: Any


class MopUp:
    """Chooses and orders, on a connection of the caller's.

    Args:
        mapping: of queue and events.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        names = {name: mapping.table(table) for name, table in _TABLES.items()}
        # The queue's columns and the event's have some names in common.
        self._candidates = compose(QUERIES["candidates"], names).as_bytes(None)
        self._said = compose(QUERIES["said"], names | mapping.event_names()).as_bytes(None)
        self._order = compose(QUERIES["order"], names | mapping.queue_names()).as_bytes(None)

    def candidates(self, connection: Connection, selection: Selection) -> Iterator[Candidate]:
        """The events of a selection that are not ordered yet, the oldest first, read page by page."""
        after_at, after_id = selection.since or _BEGINNING, ""
        while page := self._page(connection, selection, after_at, after_id):
            yield from page
            after_at, after_id = page[-1].distilled_at, page[-1].event_id

    def said(self, connection: Connection, event_ids: Sequence[str]) -> dict[str, Said]:
        """What the student said last about some events; those without an answer on record are absent."""
        with connection.cursor(row_factory=class_row(_StoredAnswer)) as cursor:
            cursor.execute(self._said, {"event_ids": list(event_ids), "queue_event_ids": array_text(event_ids)})
            return {row.asked_event_id: Said(_event(row), row.response, _signals(row.signals)) for row in cursor}

    def order(
        self, connection: Connection, event_ids: Sequence[str], *, reason: str, ordered_by: str
    ) -> frozenset[str]:
        """Put events into the teacher's lane, in one statement.

        Args:
            connection: in a transaction or not.
            event_ids: chosen before.
            reason: why, for people.
            ordered_by: who, for people.

        Returns:
            Those that are ordered now: not in it are events whose queue row is missing or somebody's work, that the
            teacher wrote meanwhile, or that are ordered already.
        """
        given = {"queue_event_ids": array_text(event_ids), "reason": reason, "ordered_by": ordered_by}
        return frozenset(event_id for (event_id,) in connection.execute(self._order, given))

    def _page(self, connection: Connection, selection: Selection, after_at: datetime, after_id: str) -> list[Candidate]:
        given = {
            **asdict(selection),
            "hash_start": cleansed(selection.hash_start),
            "event_ids": None if selection.event_ids is None else [cleansed(each) for each in selection.event_ids],
            "until": selection.until or _END,
            "after_at": after_at,
            "after_id": after_id,
            "page_size": PAGE_SIZE,
        }
        with connection.cursor(row_factory=class_row(Candidate)) as cursor:
            return cursor.execute(self._candidates, given).fetchall()


def _event(stored: StoredEvent) -> Event | None:
    try:
        return event_of(stored)
    except UnreadableError:
        return None


def _signals(stored: object) -> dict[str, float]:
    try:
        return read_signals(stored) if isinstance(stored, dict) else {}
    except ValueError:
        return {}
