"""The one door to what was pulled, answered, scored and run."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from cascade_cli.workspace import awaiting, columns, flip_gates, questions, runs, scores, simulated_rates
from cascade_cli.workspace.batching import batches
from cascade_cli.workspace.database import (
    DATABASE_NAME,
    LOCK_WAIT_S,
    QUERIES,
    Mode,
    change,
    connect,
    fetch,
    give_room,
    note_long_texts,
)
from cascade_cli.workspace.pairs import Bookmark, Page, read_page
from cascade_cli.workspace.questions import Ahead, OpenPage
from cascade_cli.workspace.records import Added, Counts, PairFilter, Run, SimulatedRate, Window
from cascade_cli.workspace.spool import SPOOL_NAME, Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb
    import polars as pl

    from cascade_cli.ledger import LedgerEntry
    from cascade_cli.records import AwaitedEvent, Row, StudentAnswer
    from cascade_cli.workspace.records import Awaited, Experience, Failure, FlipGate, Questions, Spooled, Totals


class Workspace:
    """An open workspace; get one from `Workspace.open`, do bounded work, and let it close.

    While one process has it open for writing, no other can open it. What takes long opens it again and again,
    as `stream_pairs` and `cascade_cli.pulling` do.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    @staticmethod
    @contextmanager
    def open(path: Path, mode: Mode = "read", *, wait_s: float = LOCK_WAIT_S) -> Iterator[Workspace]:
        """Open a workspace folder; ``write`` makes it where it is absent.

        Raises:
            UsageError: reading what does not exist, or what a newer cascade made.
            DependencyError: held by another process beyond ``wait_s``, damaged, not writable, disk full.
        """
        with connect(path, mode, wait_s=wait_s) as connection:
            yield Workspace(connection, path)

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether a workspace was made in this folder."""
        return (path / DATABASE_NAME).exists()

    @staticmethod
    def files(path: Path) -> tuple[Path, ...]:
        """The files of which one changes whenever something is kept or forgotten; reading changes none."""
        names = (DATABASE_NAME, f"{DATABASE_NAME}.wal", SPOOL_NAME, f"{SPOOL_NAME}-wal")
        return tuple(path / name for name in names)

    def add_rows(self, rows: Iterable[Row]) -> Added:
        """Keep what is new of a stream of any length; the first of each key stays.

        Each batch is committed by itself: a kill loses the batch in flight, a repetition adds nothing.
        """
        return sum((self._add_batch(batch) for batch in batches(rows, weight)), Added())

    def add_answers(self, answers: Iterable[StudentAnswer]) -> int:
        """Keep what is new of answers that come without their traces; returns how many were."""
        lots = batches(answers, lambda answer: len(answer.response or ""))
        return sum(self._insert_answers(lot) for lot in lots)

    def add_ledger(self, entries: Iterable[LedgerEntry]) -> int:
        """Add ledger rows, the later replacing the earlier of its key; returns how many keys were written."""
        lots = batches(entries, lambda _: 0)
        return sum(self._insert("upsert_ledger", columns.ledger_columns(lot)) for lot in lots)

    def pairs(self, only: PairFilter | None = None) -> Iterator[Row]:
        """Traces with each answer to their event, by creation and id; one without answers comes alone."""
        after: Bookmark | None = Bookmark()
        while after is not None:
            page = self.page_of_pairs(after, only)
            yield from page.rows
            after = page.end

    def page_of_pairs(self, after: Bookmark, only: PairFilter | None = None) -> Page:
        """The pairs of the next few thousand traces."""
        with Spool.read(self._folder) as spool:
            return read_page(self._connection, spool, after, only or PairFilter())

    def page_of_open(self, ahead: Ahead, wanted: Questions, *, built: bool = False) -> OpenPage:
        """The next events about which the student is to be asked something.

        Args:
            ahead: what the page before left; `Ahead()` for the first.
            wanted: which questions.
            built: prompts are built from the events; else that is done only where the trace holds none.
        """
        with Spool.read(self._folder) as spool:
            return questions.read_open(self._connection, spool, ahead, wanted, built=built)

    def count_open(self, wanted: Questions) -> int:
        """How many questions are open; those answered in the spool count as such until they are folded."""
        return questions.count_open(self._connection, wanted)

    def add_outcomes(self, spool: str, outcomes: Sequence[Spooled]) -> None:
        """Keep what came of questions; an answer removes the error that was there before, nothing removes an answer.

        Args:
            spool: the identity of that from which they come.
            outcomes: those that are known already, or that a later one has replaced, change nothing.
        """
        questions.add_outcomes(self._connection, spool, outcomes)

    def totals(self, run_id: str) -> Totals:
        """What a run has got answers and errors for, as far as it has been folded."""
        return questions.read_totals(self._connection, run_id)

    def first_errors(self, run_id: str, limit: int) -> list[Failure]:
        """Some questions of a run that got no answer, as far as they have been folded."""
        return questions.first_errors(self._connection, run_id, limit)

    def experience(self, wanted: Questions) -> Experience:
        """What earlier answers of this student, and the teacher's, let one expect of further ones."""
        return questions.read_experience(self._connection, wanted)

    def counts(self) -> Counts:
        """How many rows each table holds; answers in the spool are not among them."""
        return Counts(*fetch(self._connection, "counts")[0])

    def start_run(self, run: Run) -> None:
        """Write a run down, before its work begins."""
        runs.start_run(self._connection, run)

    def continue_run(self, run_id: str) -> None:
        """Open a run's record again; what it says of its end is forgotten."""
        runs.continue_run(self._connection, run_id)

    def unfinished_run(self, command: str) -> Run | None:
        """The latest run of a command that did not come to its end; None where there is none."""
        return runs.unfinished_run(self._connection, command)

    def finish_run(self, run_id: str, status: str, counts: Mapping[str, int], finished_at: datetime) -> None:
        """Close a run's record; ``finished_at`` is aware."""
        runs.finish_run(self._connection, run_id, status, counts, finished_at)

    def runs(self, limit: int = 20) -> list[Run]:
        """The latest runs, newest first."""
        return runs.latest_runs(self._connection, limit)

    def add_flip_gate(self, gate: FlipGate) -> None:
        """Keep a verdict on whether a student may write."""
        flip_gates.add_flip_gate(self._connection, gate)

    def add_simulated_rates(self, rates: Iterable[SimulatedRate]) -> None:
        """Keep how many events simulated policies send to the teacher."""
        simulated_rates.add_simulated_rates(self._connection, rates)

    def simulated_rate(self, policy_fingerprint: str) -> SimulatedRate | None:
        """What the latest simulation of a policy found; None where there was none."""
        return simulated_rates.latest_simulated_rate(self._connection, policy_fingerprint)

    def set_awaited(self, source: str, as_of: datetime, events: Sequence[AwaitedEvent]) -> None:
        """Remember which events of a source waited for the teacher at an aware moment, instead of what was known."""
        self._connection.begin()
        awaiting.set_awaited(self._connection, source, as_of, events)
        self._connection.commit()

    def forget_awaited(self, source: str) -> None:
        """Forget what waited: it cannot be asked any more."""
        self._connection.begin()
        awaiting.forget_awaited(self._connection, source)
        self._connection.commit()

    def awaited(self, reason: str) -> Awaited | None:
        """Which labels the teacher still owes by one reason; None where no live worker's database was read."""
        return awaiting.read_awaited(self._connection, reason)

    def escalated(self, reason: str) -> frozenset[str]:
        """The events that a live worker's teacher answered for one reason, as the ledger has it."""
        return awaiting.read_escalated(self._connection, reason)

    def flip_gates(self, since: datetime) -> list[FlipGate]:
        """Verdicts since an aware moment, newest first."""
        return flip_gates.flip_gates_since(self._connection, since)

    def newest_prompt_hash(self) -> str | None:
        """The prompt hash of the newest trace that has one and is dated; None where there is none."""
        return flip_gates.newest_prompt_hash(self._connection)

    def window(self, source: str) -> Window | None:
        """How far a source was read; None where it never was."""
        return runs.read_window(self._connection, source)

    def set_window(self, source: str, window: Window) -> None:
        """Remember how far a source was read."""
        runs.set_window(self._connection, source, window)

    def read_scores(self, fingerprint: str) -> pl.DataFrame:
        """The cached scores of one scorer.

        Returns:
            One row per scored pair: the key columns, then those in which this scorer has a figure; the key
            columns alone, empty, where nothing is cached.
        """
        return scores.read_scores(lambda: nullcontext(self._connection), fingerprint)

    def write_scores(self, fingerprint: str, frame: pl.DataFrame) -> int:
        """Cache scores, in one transaction; rows whose key is cached already are left out.

        Args:
            fingerprint: of what worked them out, and of its settings.
            frame: the columns ``trace_id``, ``student_model``, ``prompt_shape`` and ``sample_index``, and any
                number of columns of integers, floats, booleans, text or lists of text, named as Python names are.

        Returns:
            How many rows were new.
        """
        return scores.write_scores(self._connection, fingerprint, frame)

    def purge_event(self, event_id: str) -> int:
        """Remove one event from every table; returns how many rows went."""
        return self._purge("choose_event", {"event_id": event_id})

    def purge_before(self, before: datetime) -> int:
        """Remove the events of which nothing is newer than an aware moment; those without any date stay."""
        return self._purge("choose_events_before", {"before": columns.naive_utc(before)})

    def _purge(self, choice: str, parameters: Mapping[str, object]) -> int:
        # What is kept of long texts is written anew, or what is removed would stay in the file.
        give_room(self._connection)
        self._connection.execute(QUERIES["put_together"])
        self._connection.begin()
        self._connection.execute(QUERIES[choice], dict(parameters))
        # Scores find their events through the traces, so they go first.
        tables = ("scores", "traces", "answers", "errors", "ledger", "awaited", "events")
        chosen = [event_id for (event_id,) in fetch(self._connection, "forgotten")]
        removed = sum(change(self._connection, f"forget_{table}") for table in tables)
        if (self._folder / SPOOL_NAME).exists():
            with Spool.open(self._folder) as spool:
                removed += spool.forget_events(chosen)
        self._connection.commit()
        self._connection.execute(QUERIES["checkpoint"])
        return removed

    def _add_batch(self, batch: Sequence[Row]) -> Added:
        answers = [row.answer for row in batch if row.answer is not None]
        self._connection.begin()
        events = columns.event_columns(batch)
        self._insert("forget_scores_without_event", events)
        self._insert("insert_events", events)
        new_traces = self._insert("insert_traces", columns.trace_columns(batch))
        new_answers = self._insert_answers(answers)
        note_long_texts(self._connection, len(batch), sum(map(weight, batch)))
        self._connection.commit()
        seen = len(batch) + len(answers) - new_traces - new_answers
        changed = 0
        if seen:
            changed = self._count("changed_traces", columns.said_by_teacher(batch))
            changed += self._count("changed_answers", columns.said_by_student(answers))
        return Added(new_traces, new_answers, seen, changed)

    def _insert_answers(self, answers: Sequence[StudentAnswer]) -> int:
        """Keep what is new; of an answer that is there already, what became known of it since is."""
        added = self._insert("insert_answers", columns.answer_columns(answers))
        if added < len(answers) and (known := [answer for answer in answers if answer.signals]):
            self._insert("refresh_signals", columns.answer_columns(known))
        return added

    def _count(self, query: str, batch: columns.Columns) -> int:
        self._connection.register("batch", batch)
        ((found,),) = fetch(self._connection, query)
        self._connection.unregister("batch")
        return int(found)

    def _insert(self, query: str, batch: columns.Columns) -> int:
        self._connection.register("batch", batch)
        added = change(self._connection, query)
        self._connection.unregister("batch")
        return added


def weight(row: Row) -> int:
    """About how many characters a row holds."""
    event, answer = row.trace.event, row.answer
    texts = (
        row.trace.raw_response,
        row.trace.user_prompt,
        event and event.content,
        answer and answer.response,
    )
    return sum(len(text) for text in texts if text)


def stream_pairs(path: Path, only: PairFilter | None = None) -> Iterator[Row]:
    """`Workspace.pairs` for work that takes long: the workspace is open only while a page is read.

    Traces that are pulled meanwhile come along if they sort behind the page being worked on.
    """
    after: Bookmark | None = Bookmark()
    while after is not None:
        with Workspace.open(path) as workspace:
            page = workspace.page_of_pairs(after, only)
        yield from page.rows
        after = page.end


def read_scores(path: Path, fingerprint: str) -> pl.DataFrame:
    """`Workspace.read_scores` of any number: the workspace is open only while a stretch of them is read.

    What is purged meanwhile moves the rest, so that some may be missing, or there twice: they are a cache.
    """
    return scores.read_scores(lambda: connect(path, "read"), fingerprint)
