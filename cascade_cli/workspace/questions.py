"""What the student has not been asked yet, a page at a time, and what came of what it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cascade_cli.workspace import columns
from cascade_cli.workspace.database import change, fetch
from cascade_cli.workspace.pairs import Bookmark
from cascade_cli.workspace.records import Experience, Failure, OpenEvent, Outcome, Questions, Totals
from cascade_cli.workspace.spool import Spool

if TYPE_CHECKING:
    import duckdb

PAGE_EVENTS: Final = 400


@dataclass(frozen=True, slots=True)
class OpenPage:
    """Some open events, and where the next page begins; ``end`` None when there is none."""

    events: tuple[OpenEvent, ...]
    end: Bookmark | None


def count_open(connection: duckdb.DuckDBPyConnection, wanted: Questions) -> int:
    """How many questions are open, those in the spool not considered."""
    return int(fetch(connection, "count_open", _of_traces(wanted))[0][0])


def read_open(
    connection: duckdb.DuckDBPyConnection, spool: Spool | None, after: Bookmark, wanted: Questions
) -> OpenPage:
    """The next few hundred events about which something is to be asked, by creation and id of their first trace."""
    place = {"after_at": after.ordered_at, "after_id": after.trace_id, "page_size": PAGE_EVENTS}
    parameters = {**_of_traces(wanted), **place, "most_chars": wanted.most_chars}
    found = fetch(connection, "page_of_open", parameters)
    if not found:
        return OpenPage((), None)
    ids = [event_id for event_id, *_ in found]
    stored = fetch(connection, "shortened_events_of", {"event_ids": ids, "most_chars": wanted.most_chars})
    events = {event.id: event for event in map(columns.event_of, stored)}
    asked = _asked(connection, spool, ids, wanted)
    page = [
        OpenEvent(event_id, prompt, events.get(event_id), samples)
        for event_id, _, _, prompt in found
        if (samples := tuple(each for each in range(wanted.samples) if (event_id, each) not in asked))
    ]
    last = found[-1]
    return OpenPage(tuple(page), Bookmark(last[1], last[2]) if len(found) == PAGE_EVENTS else None)


def add_outcomes(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> None:
    """Keep what came of questions, in one transaction; an answer removes the error that was there before."""
    batch = columns.outcome_columns(outcomes)
    connection.register("batch", batch)
    connection.begin()
    for query in ("insert_outcomes", "settle_errors", "insert_errors"):
        change(connection, query)
    connection.commit()
    connection.unregister("batch")


def read_totals(connection: duckdb.DuckDBPyConnection, run_id: str) -> Totals:
    """What a run did, as far as it has been folded."""
    ((answered, requests, prompt_tokens, completion_tokens),) = fetch(connection, "answered_in_run", {"run_id": run_id})
    failed = fetch(connection, "failed_in_run", {"run_id": run_id})
    return Totals(
        answered=int(answered),
        failed={kind: int(events) for kind, events, _ in failed},
        requests=int(requests) + sum(int(sent) for *_, sent in failed),
        prompt_tokens=int(prompt_tokens),
        completion_tokens=int(completion_tokens),
    )


def first_errors(connection: duckdb.DuckDBPyConnection, run_id: str, limit: int) -> list[Failure]:
    """Some questions of a run that got no answer, the earliest first."""
    return [Failure(*found) for found in fetch(connection, "first_errors", {"run_id": run_id, "limit": limit})]


def read_experience(connection: duckdb.DuckDBPyConnection, wanted: Questions) -> Experience:
    """What earlier answers of this student, and the teacher's, let one expect of further ones."""
    student = {"student_model": wanted.student_model, "prompt_shape": wanted.prompt_shape}
    ((completion_tokens, student_ms),) = fetch(connection, "past_answers", student)
    ((teacher_chars,),) = fetch(connection, "teacher_length", {"since": columns.naive_utc(wanted.since)})
    return Experience(completion_tokens, student_ms, teacher_chars)


def _asked(
    connection: duckdb.DuckDBPyConnection, spool: Spool | None, ids: list[str], wanted: Questions
) -> set[tuple[str, int]]:
    found = fetch(connection, "asked_of", {**_of_student(wanted), "event_ids": ids})
    asked = {(event_id, int(sample)) for event_id, sample in found}
    for outcome in spool.of_events(ids) if spool else ():
        if (outcome.student_model, outcome.prompt_shape) == (wanted.student_model, wanted.prompt_shape) and (
            outcome.error is None
            or (not outcome.outage and (not wanted.retry_errors or outcome.run_id == wanted.run_id))
        ):
            asked.add((outcome.event_id, outcome.sample_index))
    return asked


def _of_student(wanted: Questions) -> dict[str, object]:
    return {
        "student_model": wanted.student_model,
        "prompt_shape": wanted.prompt_shape,
        "retry_errors": wanted.retry_errors,
        "run_id": wanted.run_id,
    }


def _of_traces(wanted: Questions) -> dict[str, object]:
    return {**_of_student(wanted), "samples": wanted.samples, "since": columns.naive_utc(wanted.since)}
