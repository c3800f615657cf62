"""The one transaction that ends a batch: all of it, or nothing; never what somebody else's claim covers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

import psycopg

from cascade_cli.errors import CascadeError, DependencyError
from cascade_cli.postgres.blaming import Blame, blame_of, code_of
from cascade_cli.postgres.connection import compose, explanation, is_passing, told
from cascade_cli.postgres.control import Control, Mode
from cascade_cli.postgres.graph import Graph, Touched
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Queue
from cascade_cli.postgres.superseding import RefusedError, Superseded, Superseding
from cascade_cli.postgres.writing.batch import Batch, RowState, UnwritableError, graph_write, sort_out, tables_of
from cascade_cli.postgres.writing.evidence import Evidence, Suspect
from cascade_cli.postgres.writing.recording import QUERIES, Records
from cascade_cli.postgres.writing.records import (
    MOP_UP,
    Author,
    Charged,
    JudgedAnswer,
    LostAudit,
    Outcome,
    Refused,
    Spared,
    Standing,
    TeacherWritten,
    ToEscalate,
    WriteReport,
)

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

TRIES: Final = 5
"""How often a batch is written before a server that is away, or a deadlock, is reported."""
_LONGEST_PAUSE_S: Final = 0.1
_HOPELESS_FROM: Final = 5
"""So many events refused alone with the same code, and none written: the others would only be refused likewise."""
# Whatever the database takes of others, these are the event's own.
_OF_EVENT: Final = (UnicodeError, RecursionError, UnwritableError, RefusedError)
_OF_AUDITS: Final = (psycopg.Error, CascadeError, ValueError, TypeError)


class Writer:
    """Writes how the work on events ended, from any number of threads; get one from `Writer.open`."""

    def __init__(
        self,
        pool: Pool,
        queue: Queue,
        graph: Graph,
        control: Control,
        records: Records,
        author: Author,
        random: Random,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._graph = graph
        self._superseding = Superseding(graph)
        self._control = control
        self._records = records
        self._author = author
        self._random = random
        self._sleep = sleep
        self._evidence = Evidence(clock)
        own = ("settings", "lock_rows", "finish", "escalate")
        self._queries = {name: compose(QUERIES[name], queue.names).as_bytes(None) for name in own}

    @staticmethod
    def open(
        pool: Pool,
        mapping: ColumnMapping,
        queue: Queue,
        graph: Graph,
        control: Control,
        author: Author,
        *,
        random: Random,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> Writer:
        """Look at the trace table, and be ready to write.

        Args:
            pool: of the database.
            mapping: what the tables are called.
            queue: whose claims are ended.
            graph: where extractions go.
            control: reread in every transaction in which a student may have a part.
            author: who writes.
            random: spreads retries.
            sleep: waits so many seconds.
            clock: monotonic seconds.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        return Writer(pool, queue, graph, control, Records.open(pool, mapping, author), author, random, sleep, clock)

    def write(self, outcomes: Sequence[Outcome], mode: Mode) -> WriteReport:
        """End a batch of claims. Called again with the same outcomes it writes nothing twice.

        What a single event is guilty of is charged to it alone; the others of its batch are written. That it is guilty
        is proved by what else can be written (`Evidence`); without a proof nobody is charged. A deadlock, a lost
        connection or a reply that never came is tried again, and charged to nobody.

        Args:
            outcomes: of distinct claims.
            mode: how far the student may go at most; the control row may lower it. In ``Mode.OFF`` the statements are
                those of a teacher alone: the control row is not read, and nothing is recorded but traces.

        Returns:
            What became of each.

        Raises:
            DependencyError: the server is away; what was committed by then is found again by calling this once more.
        """
        halving = _Halving(WriteReport(mode=mode))
        for part in _apart(outcomes):
            self._write_apart(part, mode, halving)
        return halving.report + self._judged(halving)

    def keep_answers(self, answers: Sequence[JudgedAnswer], mode: Mode) -> tuple[LostAudit, ...]:
        """Record what the student said of events that go back into the queue; best effort, like all that is no write.

        Args:
            answers: of distinct events.
            mode: how far the student may go at most; below ``Mode.SHADOW`` nothing is kept.

        Returns:
            What could not be recorded.
        """
        if mode < Mode.SHADOW:
            return ()
        try:
            with self._pool.lent() as connection, connection.transaction():
                mode, _ = self._in_force(connection, mode)
                self._records.answers(connection, answers if mode >= Mode.SHADOW else ())
        except (*_OF_AUDITS, _SwitchUnreadableError) as error:
            return tuple(LostAudit(each.answer.event_id, "answer", told(error)) for each in answers)
        return ()

    def _write_apart(self, outcomes: Sequence[Outcome], mode: Mode, halving: _Halving) -> None:
        """Write all that can be, in halves of halves where something cannot."""
        waiting = [outcomes]
        while waiting:
            part = waiting.pop()
            error = halving.hopeless or self._failure(part, mode, halving)
            if error is None:
                continue
            if len(part) == 1 or halving.hopeless is not None:
                halving.unwritten += [(each, error) for each in part]
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]

    def _failure(self, outcomes: Sequence[Outcome], mode: Mode, halving: _Halving) -> Exception | None:
        """Why a part cannot be written as it is; None where it was.

        Raises:
            DependencyError: for a while nothing can be.
        """
        try:
            halving.report += self._write_patiently(outcomes, mode)
        except _SwitchUnreadableError:
            # What cannot be read is off.
            self._write_apart(outcomes, Mode.OFF, halving)
        except _UnrecordableError as error:
            self._write_without_student(outcomes, mode, str(error), halving)
        except Exception as error:
            if not is_passing(error):
                # Whatever it is: one event must not keep the others from their ends.
                return error
            if isinstance(error, psycopg.Error):
                raise explanation(error, self._pool.dsn) from error
            raise
        return None

    def _write_without_student(self, outcomes: Sequence[Outcome], mode: Mode, why: str, halving: _Halving) -> None:
        """What the student wrote could not be found again, so it may not write; what the teacher wrote stands."""
        refused = tuple(Refused(each, why) for each in outcomes if not isinstance(each, TeacherWritten))
        halving.report += WriteReport(refused=refused, mode=mode, unrecordable=why)
        if taught := [each for each in outcomes if isinstance(each, TeacherWritten)]:
            self._write_apart(taught, mode, halving)

    def _judged(self, halving: _Halving) -> WriteReport:
        """Find out who is to blame for what could not be written."""
        suspects = [_suspect(each, error) for each, error in halving.unwritten if not isinstance(error, _OF_EVENT)]
        proofs = [tables_of(each) for each in halving.report.written if not isinstance(each, ToEscalate)]
        guilty = self._evidence.guilty(proofs, suspects)
        report = WriteReport()
        for outcome, error in halving.unwritten:
            if isinstance(error, _OF_EVENT) or outcome.claim.queue_id in guilty:
                report += self._blamed(outcome, error)
            else:
                report += WriteReport(spared=(Spared(outcome, code_of(error), told(error)),))
        return report

    def _blamed(self, outcome: Outcome, error: Exception) -> WriteReport:
        cause = f"it cannot be written: {told(error)}"
        if isinstance(outcome, Standing):
            # The teacher may do better, and is charged if it does not.
            return WriteReport(refused=(Refused(outcome, cause),))
        try:
            failure = self._queue.fail(outcome.claim, cause, final=isinstance(error, RefusedError))
        except CascadeError as away:
            # Others of the batch are charged already: it alone is tried again.
            code = None if is_passing(away) else code_of(away)
            return WriteReport(spared=(Spared(outcome, code, told(away)),))
        return WriteReport(charged=(Charged(outcome, cause, failure),))

    def _write_patiently(self, outcomes: Sequence[Outcome], mode: Mode) -> WriteReport:
        for _ in range(TRIES - 1):
            try:
                return self._write_once(outcomes, mode)
            except (psycopg.Error, DependencyError) as error:
                if not is_passing(error):
                    raise
            self._sleep(self._random.uniform(0, _LONGEST_PAUSE_S))
        return self._write_once(outcomes, mode)

    def _write_once(self, outcomes: Sequence[Outcome], mode: Mode) -> WriteReport:
        with self._pool.lent() as connection, connection.transaction():
            connection.execute(self._queries["settings"])
            mode, why = self._in_force(connection, mode)
            batch = sort_out(outcomes, self._locked(connection, outcomes), mode, why)
            touched = self._graph.upsert(connection, batch.writes)
            superseded = self._mop_up(connection, batch)
            self._finish(connection, batch)
            with _or_unrecordable():
                by_student = self._record_student(connection, batch, touched)
            owed = batch.taught_before + self._record_audits(connection, batch.taught, mode)
        return WriteReport(
            written=batch.now + batch.before,
            lost=batch.lost,
            refused=batch.refused,
            mode=mode,
            touched=by_student,
            superseded=superseded,
            # Only now that the batch stands, whatever becomes of them.
            lost_audits=tuple(self._record_one_by_one(owed, mode)),
        )

    def _in_force(self, connection: Connection, mode: Mode) -> tuple[Mode, str]:
        """How far the student may go for as long as this transaction lasts, and why no further."""
        if mode is Mode.OFF:
            return mode, "the student is off"
        try:
            switch = self._control.read_under_lock(connection)
        except psycopg.Error as error:
            if is_passing(error):
                raise
            raise _SwitchUnreadableError from error
        worker = (self._author.policy_fingerprint, self._author.worker_version)
        return switch.lowered(mode, *worker), switch.refusal(*worker) or "students may not write"

    def _locked(self, connection: Connection, outcomes: Sequence[Outcome]) -> dict[str, RowState]:
        rows = connection.execute(self._queries["lock_rows"], _ids(outcomes))
        return {queue_id: RowState(*state) for queue_id, *state in rows}

    def _mop_up(self, connection: Connection, batch: Batch) -> tuple[Superseded, ...]:
        return tuple(
            self._superseding.supersede(
                connection,
                graph_write(each),
                llm_model=self._author.llm_model,
                system_prompt_hash=self._author.system_prompt_hash,
            )
            for each in batch.mopping_up
        )

    def _finish(self, connection: Connection, batch: Batch) -> None:
        if batch.done:
            _all(connection.execute(self._queries["finish"], _ids(batch.done)).fetchone(), len(batch.done))

    def _record_student(self, connection: Connection, batch: Batch, touched: Sequence[Touched]) -> tuple[Touched, ...]:
        event_ids = {each.claim.event_id for each in batch.standing}
        by_student = tuple(each for each in touched if each.event_id in event_ids)
        self._graph.record(connection, by_student)
        self._records.student(connection, batch.standing)
        self._records.answers(connection, batch.student_answers)
        self._escalate(connection, batch)
        return by_student

    def _escalate(self, connection: Connection, batch: Batch) -> None:
        if batch.escalating:
            event_ids = [each.claim.event_id for each in batch.escalating]
            reasons = [each.reason for each in batch.escalating]
            values = {**_ids(batch.escalating), "event_ids": event_ids, "reasons": reasons}
            _all(connection.execute(self._queries["escalate"], values).fetchone(), len(event_ids))

    def _record_audits(
        self, connection: Connection, taught: tuple[TeacherWritten, ...], mode: Mode
    ) -> tuple[TeacherWritten, ...]:
        """Record beside the teacher's writes, behind one savepoint; what could not be recorded is still owed."""
        audits = list(self._records.audits(taught, with_ledger=mode is not Mode.OFF))
        if not audits:
            return ()
        try:
            with connection.transaction():
                for _, record in audits:
                    record(connection)
        except _OF_AUDITS:
            if connection.closed:
                raise
            return taught
        return ()

    def _record_one_by_one(self, owed: Sequence[TeacherWritten], mode: Mode) -> Iterator[LostAudit]:
        for each in owed:
            for kind, record in self._records.audits([each], with_ledger=mode is not Mode.OFF, again=True):
                try:
                    with self._pool.lent() as connection:
                        record(connection)
                except _OF_AUDITS as error:
                    yield LostAudit(each.claim.event_id, kind, told(error))


@dataclass(slots=True)
class _Halving:
    """A batch that is being written, in as many parts as it takes.

    Attributes:
        report: of what came to its end.
        unwritten: what was refused alone, and why.
    """

    report: WriteReport
    unwritten: list[tuple[Outcome, Exception]] = field(default_factory=list)

    @property
    def hopeless(self) -> Exception | None:
        """What everything is refused for; None while something was written, or errors differ."""
        if self.report.written or len(self.unwritten) < _HOPELESS_FROM:
            return None
        last = self.unwritten[-1][1]
        late = self.unwritten[-_HOPELESS_FROM:]
        is_same = all(code_of(error) == code_of(last) and not isinstance(error, _OF_EVENT) for _, error in late)
        return last if is_same else None


class _SwitchUnreadableError(Exception):
    """The control row cannot be read."""


class _UnrecordableError(Exception):
    """What the student did cannot be recorded; the text says why."""


@contextmanager
def _or_unrecordable() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if is_passing(error):
            raise
        raise _UnrecordableError(told(error)) from error


def _apart(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Each mopping up alone, for it locks rows of others' events; the rest together."""
    together: list[Outcome] = []
    alone: list[list[Outcome]] = []
    for each in outcomes:
        if isinstance(each, TeacherWritten) and each.mops_up:
            alone.append([each])
        else:
            together.append(each)
    return [together, *alone] if together else alone


def _suspect(outcome: Outcome, error: Exception) -> Suspect:
    of_statement = blame_of(error) is Blame.STATEMENT
    # What others write says of a mopping up's own statements nothing, but of its rows what it says of any.
    tables = tables_of(outcome) if of_statement else tables_of(outcome) - {MOP_UP}
    return Suspect(outcome.claim.queue_id, tables, code_of(error), of_statement)


def _ids(outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    claims = [outcome.claim for outcome in outcomes]
    return {"queue_ids": [claim.queue_id for claim in claims], "fences": [claim.fence for claim in claims]}


def _all(counted: tuple[int, ...] | None, expected: int) -> None:
    """Each of the rows, which are locked, has changed: whatever else did not let it would lose an event."""
    if counted != (expected,):
        raise CascadeError(f"Of {expected} queue rows that are held only {counted} changed.")
