"""Traces joined with their events and answers, a page at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cascade_cli.records import Row
from cascade_cli.workspace import columns
from cascade_cli.workspace.database import fetch

if TYPE_CHECKING:
    import duckdb

    from cascade_cli.records import Event, StudentAnswer
    from cascade_cli.workspace.records import Outcome, PairFilter
    from cascade_cli.workspace.spool import Spool

PAGE_SIZE: Final = 5_000
_OF_ANSWERS: Final = {"student_model", "all_samples"}


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The last trace of a page: its creation (zoneless UTC, as stored) and id."""

    ordered_at: datetime = datetime(1, 1, 1)  # noqa: DTZ001 - the tables hold zoneless UTC
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some pairs, and where the next page begins; ``end`` None when there is none."""

    rows: tuple[Row, ...]
    end: Bookmark | None


def read_page(connection: duckdb.DuckDBPyConnection, spool: Spool | None, after: Bookmark, only: PairFilter) -> Page:
    """The pairs of the next ``PAGE_SIZE`` traces: each with every student's answer to its event, or alone.

    Answers that have not left the spool yet are among them. It must be read after the database was opened: what leaves
    it is in the database before.
    """
    traces = fetch(connection, "page_of_traces", _parameters(after, only))
    if not traces:
        return Page((), None)
    event_ids = sorted({trace[1] for trace in traces})
    events = _events(connection, event_ids)
    answers = _answers(connection, spool, event_ids, only)
    rows = tuple(
        Row(columns.trace_of(trace[:-1], events.get(trace[1])), answer)
        for trace in traces
        for answer in answers.get(trace[1], [None])
    )
    last = traces[-1]
    return Page(rows, Bookmark(last[-1], last[0]) if len(traces) == PAGE_SIZE else None)


def _parameters(after: Bookmark, only: PairFilter) -> dict[str, object]:
    stored = replace(only, since=columns.naive_utc(only.since), until=columns.naive_utc(only.until))
    bounds = {name: value for name, value in asdict(stored).items() if name not in _OF_ANSWERS}
    return {"after_at": after.ordered_at, "after_id": after.trace_id, "page_size": PAGE_SIZE, **bounds}


def _events(connection: duckdb.DuckDBPyConnection, event_ids: list[str]) -> dict[str, Event]:
    found = fetch(connection, "events_of", {"event_ids": event_ids})
    return {event.id: event for event in map(columns.event_of, found)}


def _answers(
    connection: duckdb.DuckDBPyConnection, spool: Spool | None, event_ids: list[str], only: PairFilter
) -> dict[str, list[StudentAnswer | None]]:
    of_answers = {"student_model": only.student_model, "all_samples": only.all_samples}
    found = fetch(connection, "answers_of", {"event_ids": event_ids, **of_answers})
    known = {columns.answer_key(answer): answer for answer in map(columns.answer_of, found)}
    for outcome in spool.of_events(event_ids) if spool else ():
        if outcome.error is None and _is_wanted(outcome, only):
            known.setdefault(outcome.key, outcome.answer)
    by_event: dict[str, list[StudentAnswer | None]] = {}
    for _, answer in sorted(known.items()):
        by_event.setdefault(answer.event_id, []).append(answer)
    return by_event


def _is_wanted(outcome: Outcome, only: PairFilter) -> bool:
    is_of_student = only.student_model in {None, outcome.student_model}
    return is_of_student and (only.all_samples or outcome.sample_index == 0)
