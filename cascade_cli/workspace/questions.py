"""What the student has not been asked yet, a page at a time, and what came of what it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from cascade_cli.workspace import columns
from cascade_cli.workspace.database import change, fetch, note_long_texts
from cascade_cli.workspace.pairs import Bookmark
from cascade_cli.workspace.records import Experience, Failure, OpenEvent, Questions, Spooled, Totals
from cascade_cli.workspace.spool import Spool

if TYPE_CHECKING:
    import duckdb

    from cascade_cli.records import Event

PAGE_EVENTS: Final = 1_000
# While one page is asked about the next is read, so two are held at a time.
PAGE_BYTES: Final = 8_000_000
# Looking for what is open goes through the whole table, so it is done rarely.
STRETCH_TRACES: Final = 32_000
_BEGINNING: Final = Bookmark()


@dataclass(frozen=True, slots=True)
class Found:
    """The first trace of an event about which something was open when it was looked for."""

    event_id: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """The same, and what is to be read of it.

    Attributes:
        event_id: the event.
        trace_id: its first trace.
        has_prompt: the prompt of the trace; else the event.
        size: in bytes.
    """

    event_id: str
    trace_id: str
    has_prompt: bool
    size: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is still to be read.

    Attributes:
        after: the last trace that was looked at; None once that was the very last.
        found: events that were found on the way and are on no page yet, in order.
        weighed: those before them, which come next.
    """

    after: Bookmark | None = _BEGINNING
    found: tuple[Found, ...] = ()
    weighed: tuple[Weighed, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return self.after is None and not self.found and not self.weighed


@dataclass(frozen=True, slots=True)
class OpenPage:
    """Some open events, perhaps none, and what comes after them; ``ahead`` None when nothing does."""

    events: tuple[OpenEvent, ...]
    ahead: Ahead | None


def count_open(connection: duckdb.DuckDBPyConnection, wanted: Questions) -> int:
    """How many questions are open, those in the spool not considered."""
    return int(fetch(connection, "count_open", _of_traces(wanted))[0][0])


def read_open(
    connection: duckdb.DuckDBPyConnection, spool: Spool | None, ahead: Ahead, wanted: Questions, *, built: bool
) -> OpenPage:
    """The next events about which something is to be asked, by creation of their first trace.

    At most ``PAGE_EVENTS``, and at most ``PAGE_BYTES`` unless one alone is larger.

    Args:
        connection: to the database.
        spool: opened after it.
        ahead: where to go on.
        wanted: which questions.
        built: prompts are built from the events; else that is done only where the trace holds none.
    """
    if not ahead.weighed:
        ahead = _weigh(connection, _look(connection, ahead, wanted), wanted, built=built)
    sums = accumulate(each.size for each in ahead.weighed)
    fitting = max(1, sum(size <= PAGE_BYTES for size in sums))
    events = _read(connection, spool, ahead.weighed[:fitting], wanted)
    rest = replace(ahead, weighed=ahead.weighed[fitting:])
    return OpenPage(events, None if rest.is_empty else rest)


def add_outcomes(connection: duckdb.DuckDBPyConnection, spool: str, outcomes: Sequence[Spooled]) -> None:
    """Keep what came of questions, in one transaction; see `Workspace.add_outcomes`."""
    connection.register("batch", columns.outcome_columns(outcomes))
    connection.begin()
    change(connection, "insert_outcomes", {"spool": spool})
    change(connection, "settle_errors")
    change(connection, "insert_errors", {"spool": spool})
    note_long_texts(connection, len(outcomes), sum(len(each.outcome.response or "") for each in outcomes))
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


def _look(connection: duckdb.DuckDBPyConnection, ahead: Ahead, wanted: Questions) -> Ahead:
    """Find what is open, unless enough has been found."""
    if ahead.found or ahead.after is None:
        return ahead
    place = {"after_at": ahead.after.ordered_at, "after_id": ahead.after.trace_id, "stretch": STRETCH_TRACES}
    traces = fetch(connection, "next_traces", {**_of_traces(wanted), **place})
    found = tuple(Found(event_id, trace_id) for event_id, _, trace_id, is_open in traces if is_open)
    last = max((trace[1:3] for trace in traces), default=None)
    return Ahead(Bookmark(*last) if last and len(traces) == STRETCH_TRACES else None, found)


def _weigh(connection: duckdb.DuckDBPyConnection, ahead: Ahead, wanted: Questions, *, built: bool) -> Ahead:
    """See how large the next few are, and what is to be read of them."""
    found, most = ahead.found[:PAGE_EVENTS], {"most_chars": wanted.most_chars}
    if not found:
        return ahead
    traces = {"trace_ids": [each.trace_id for each in found], **most}
    prompts: dict[str, int | None] = dict(fetch(connection, "sizes_of_prompts", {**traces, "built": built}))
    there = [each for each in found if each.trace_id in prompts]  # what was purged meanwhile is not
    without = [each.event_id for each in there if prompts[each.trace_id] is None]
    events = dict(fetch(connection, "sizes_of_events", {"event_ids": without, **most})) if without else {}
    weighed = (
        Weighed(each.event_id, each.trace_id, size is not None, events.get(each.event_id, 0) if size is None else size)
        for each in there
        for size in [prompts[each.trace_id]]
    )
    return replace(ahead, found=ahead.found[PAGE_EVENTS:], weighed=tuple(weighed))


def _read(
    connection: duckdb.DuckDBPyConnection, spool: Spool | None, page: Sequence[Weighed], wanted: Questions
) -> tuple[OpenEvent, ...]:
    prompts = _prompts(connection, [each.trace_id for each in page if each.has_prompt], wanted)
    events = _events(connection, [each.event_id for each in page if not each.has_prompt], wanted)
    # Some may have been answered since they were found.
    asked = _asked(connection, spool, [each.event_id for each in page], wanted) if page else set()
    return tuple(
        OpenEvent(each.event_id, prompts.get(each.trace_id), events.get(each.event_id), samples)
        for each in page
        if (each.trace_id in prompts or not each.has_prompt)
        and (samples := tuple(sample for sample in range(wanted.samples) if (each.event_id, sample) not in asked))
    )


def _prompts(connection: duckdb.DuckDBPyConnection, trace_ids: list[str], wanted: Questions) -> dict[str, str]:
    if not trace_ids:
        return {}
    return dict(fetch(connection, "prompts_of", {"trace_ids": trace_ids, "most_chars": wanted.most_chars}))


def _events(connection: duckdb.DuckDBPyConnection, event_ids: list[str], wanted: Questions) -> dict[str, Event]:
    if not event_ids:
        return {}
    stored = fetch(connection, "shortened_events_of", {"event_ids": event_ids, "most_chars": wanted.most_chars})
    return {event.id: event for event in map(columns.event_of, stored)}


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
