"""How claims end: gathered from all that is under way, and written many to a transaction by one thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

from cascade_cli.errors import CascadeError
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.measures import Measures
from cascade_cli.live.refusals import Refusal, Refusals
from cascade_cli.postgres.blaming import code_of
from cascade_cli.postgres.connection import is_passing, told
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed, Failure, Queue
from cascade_cli.postgres.writing import JudgedAnswer, Outcome, Writer, WriteReport

MOST_AT_ONCE: Final = 500
"""Outcomes in one transaction."""
LINGER_S: Final = 0.05
"""So long the first of a few waits for others: a transaction for each would cost more than what it writes."""
_FIRST_RETRY_S: Final = 0.25
_LONGEST_RETRY_S: Final = 10.0


class Fate(Enum):
    """What became of an outcome."""

    WRITTEN = "written"
    LOST = "lost"
    """The claim was somebody else's by then; nothing was written."""
    REFUSED = "refused"
    """The student may not write; the claim is still held."""
    CHARGED = "charged"
    """It can never be written, and that was charged to its event."""
    RELEASED = "released"
    ABANDONED = "abandoned"
    """The worker ends before the database is back, or takes it; the lease will expire."""


@dataclass(frozen=True, slots=True)
class Release:
    """The claim is given back uncharged.

    Attributes:
        claim: which.
        reason: why, in a word; None leaves the row's last error.
        answer: what the student said meanwhile, to be found by whoever claims it next; None where it said nothing.
    """

    claim: Claimed
    reason: str | None
    answer: JudgedAnswer | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """The claim failed for a reason that lies in its event; ``answer`` as above."""

    claim: Claimed
    error: str
    answer: JudgedAnswer | None = None


End = Outcome | Release | Charge
_Key = tuple[str, str]


@dataclass(slots=True)
class Ended:
    """An end, and what came of it.

    Attributes:
        fate: what became of it.
        mode: the lowest that was in force when it was written.
        failure: what a charge led to; None where there was none, or the claim was lost.
        unrecordable: why the student may not write though it is on: what it does could not be found again.
    """

    fate: Fate
    mode: Mode = Mode.OFF
    failure: Failure | None = None
    unrecordable: str | None = None

    @property
    def word(self) -> str:
        """How it ended, as the log says it."""
        if self.failure is None:
            return self.fate.value
        return "failed" if self.failure.final else "retry"


_Batch = list[tuple[End, asyncio.Future[Ended]]]


@dataclass(slots=True)
class _Results:
    """What became of a batch so far.

    Attributes:
        ended: what came to its end.
        refused: what the database does not take, each with the reason; None where it is only to be tried again.
    """

    ended: dict[_Key, Ended] = field(default_factory=dict)
    refused: dict[_Key, Refusal | None] = field(default_factory=dict)

    def left(self, ends: Sequence[End]) -> list[End]:
        """Of which nothing is known yet."""
        return [end for end in ends if _key(end) not in self.ended and _key(end) not in self.refused]

    def gave_back(self, end: End) -> bool:
        """Whether the claim was ours to the end, and its event is back in the queue, or failed."""
        return _key(end) in self.ended and self.ended[_key(end)].fate is not Fate.LOST

    @contextmanager
    def or_refused(self, ends: Sequence[End]) -> Iterator[None]:
        """What is no passing error is the answer for these ends; whatever it is, it is charged to nobody."""
        try:
            yield
        except Exception as error:
            if isinstance(error, CascadeError) and is_passing(error):
                raise
            refusal = Refusal(code_of(error), told(error))
            self.refused |= {_key(end): refusal for end in ends}


Ending = Callable[[End], Awaitable[Ended]]
"""Returns once what became of it is safe."""


class Endings:
    """Ends claims; get one from :meth:`open`.

    What the database refuses although nobody can be blamed stays in hand: it is written again with whatever is written
    next, which also tells whether it is to blame after all, and one of it is tried from time to time.

    Attributes:
        refusals: what is refused now.
    """

    def __init__(
        self,
        queue: Queue,
        writer: Writer,
        mode: Callable[[], Mode],
        watch: DatabaseWatch,
        measures: Measures,
        enough: int,
        loop: asyncio.AbstractEventLoop,
        refusals: Refusals,
    ) -> None:
        self.refusals = refusals
        self._queue = queue
        self._writer = writer
        self._mode = mode
        self._watch = watch
        self._measures = measures
        self._loop = loop
        self._enough = enough
        self._gathered: _Batch = []
        self._kept: dict[_Key, tuple[End, asyncio.Future[Ended], Refusal | None]] = {}
        self._keeps = True
        self._retry: asyncio.TimerHandle | None = None
        self._retry_s = _FIRST_RETRY_S
        self._alarm: asyncio.TimerHandle | None = None
        self._is_due = False
        self._is_writing = False
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._given_up = Event()

    @staticmethod
    @contextmanager
    def open(
        queue: Queue,
        writer: Writer,
        mode: Callable[[], Mode],
        watch: DatabaseWatch,
        measures: Measures,
        enough: int,
        note: Callable[[str], None],
    ) -> Iterator[Endings]:
        """End claims within a running event loop.

        Args:
            queue: whose claims they are.
            writer: writes outcomes.
            mode: how far the student may go when a batch is written; called from the thread.
            watch: told whether the database answers.
            measures: counts.
            enough: so many are written without waiting for more, at least 1.
            note: told what the database refuses.
        """
        loop = asyncio.get_running_loop()
        endings = Endings(queue, writer, mode, watch, measures, enough, loop, Refusals(note))
        thread = Thread(target=endings._work, daemon=True)
        thread.start()
        try:
            yield endings
        finally:
            endings._given_up.set()
            endings._batches.put(None)
            thread.join(timeout=1.0)

    async def end(self, end: End) -> Ended:
        """Return what became of it, once that is safe; while the database is away, that is waited for."""
        ended: asyncio.Future[Ended] = self._loop.create_future()
        self._gather(end, ended)
        return await ended

    def let_go(self) -> None:
        """Give back what the database refuses, now and from now on: the worker is to end."""
        self._keeps = False
        kept, self._kept = self._kept, {}
        for end, ended, refusal in kept.values():
            self._keep(end, ended, refusal)

    def give_up(self) -> None:
        """Wait for no database any more."""
        self._given_up.set()

    def _gather(self, end: End, ended: asyncio.Future[Ended]) -> None:
        self._gathered.append((end, ended))
        if self._alarm is None:
            self._alarm = self._loop.call_later(LINGER_S, self._ripen)
        self._hand_over()

    def _ripen(self) -> None:
        self._is_due = True
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the thread what has gathered, once it is idle and that is enough, or has waited long enough."""
        if self._is_writing or self._alarm is None or not (self._is_due or len(self._gathered) >= self._enough):
            return
        batch, self._gathered = self._gathered[:MOST_AT_ONCE], self._gathered[MOST_AT_ONCE:]
        self._is_due = bool(self._gathered)
        if not self._is_due:
            self._alarm.cancel()
            self._alarm = None
        self._write(batch + self._taken_up(len(self._kept)))

    def _try_again(self) -> None:
        """See with one of what is kept whether the database takes it by now; each in its turn."""
        self._retry = None
        if not self._is_writing and self._kept:
            self._retry_s = min(2 * self._retry_s, _LONGEST_RETRY_S)
            self._write(self._taken_up(1))

    def _taken_up(self, most: int) -> _Batch:
        keys = list(self._kept)[:most]
        return [(end, ended) for end, ended, _ in map(self._kept.pop, keys)]

    def _write(self, batch: _Batch) -> None:
        self._is_writing = True
        self._batches.put(batch)

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            results = self._end_patiently([end for end, _ in batch])
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._settle, batch, results)

    def _settle(self, batch: _Batch, results: _Results) -> None:
        for end, ended in batch:
            if (found := results.ended.get(_key(end))) is None:
                self._keep(end, ended, results.refused.get(_key(end)))
            elif not ended.done():
                ended.set_result(found)
        self._is_writing = False
        if self._keeps:
            self.refusals.are_now([refusal for _, _, refusal in self._kept.values() if refusal is not None])
        self._arm_retry(has_written=any(found.fate is Fate.WRITTEN for found in results.ended.values()))
        self._hand_over()

    def _arm_retry(self, *, has_written: bool) -> None:
        if has_written:
            self._retry_s = _FIRST_RETRY_S
        if has_written and self._kept:
            # What was written proves something of what was not.
            self._write(self._taken_up(len(self._kept)))
        elif self._kept and self._retry is None:
            self._retry = self._loop.call_later(self._retry_s, self._try_again)

    def _keep(self, end: End, ended: asyncio.Future[Ended], refusal: Refusal | None) -> None:
        if ended.done():
            return
        if self._keeps:
            self._kept[_key(end)] = end, ended, refusal
        elif isinstance(end, Release):
            ended.set_result(Ended(Fate.ABANDONED))
        else:
            why = "it could not be written" if refusal is None else f"{refusal.code}: {refusal.error}"
            self._gather(Release(end.claim, f"not written: {why}"), ended)

    def _end_patiently(self, ends: Sequence[End]) -> _Results:
        results = _Results()
        while True:
            try:
                self._end(results.left(ends), results)
            except CascadeError as error:
                pause_s = self._watch.lost(error)
                if self._given_up.wait(pause_s):
                    results.ended |= {_key(end): Ended(Fate.ABANDONED) for end in results.left(ends)}
                    return results
            else:
                self._watch.answered()
                return results

    def _end(self, ends: Sequence[End], results: _Results) -> None:
        """All of it; what fails half-way may be done again, for every fence is spent once it has worked."""
        if outcomes := [end for end in ends if not isinstance(end, Release | Charge)]:
            with results.or_refused(outcomes):
                self._write_outcomes(outcomes, results)
        for reason in {end.reason for end in ends if isinstance(end, Release)}:
            released = [end for end in ends if isinstance(end, Release) and end.reason == reason]
            with results.or_refused(released):
                ours = self._queue.release([end.claim for end in released], reason)
                results.ended |= {_key(end): Ended(_released(end.claim, ours)) for end in released}
        for end in ends:
            if isinstance(end, Charge):
                with results.or_refused([end]):
                    failure = self._queue.fail(end.claim, end.error)
                    results.ended[_key(end)] = Ended(Fate.CHARGED if failure else Fate.LOST, failure=failure)
        self._keep_answers(ends, results)

    def _keep_answers(self, ends: Sequence[End], results: _Results) -> None:
        """Keep what the student said of events that go back into the queue, where the claim was ours to the end."""
        ours = [
            end.answer for end in ends if isinstance(end, Release | Charge) and end.answer and results.gave_back(end)
        ]
        for audit in self._writer.keep_answers(ours, self._mode()) if ours else ():
            self._measures.lost_audit(audit.record)

    def _write_outcomes(self, outcomes: Sequence[Outcome], results: _Results) -> None:
        began = time.monotonic()
        report = self._writer.write(outcomes, self._mode())
        self._measures.wrote_batch(time.monotonic() - began)
        for audit in report.lost_audits:
            self._measures.lost_audit(audit.record)
        results.ended |= _fates(report)
        for each in report.spared:
            results.refused[_key(each.outcome)] = None if each.code is None else Refusal(each.code, each.error)


def _released(claim: Claimed, ours: frozenset[str]) -> Fate:
    return Fate.RELEASED if claim.queue_id in ours else Fate.LOST


def _fates(report: WriteReport) -> dict[_Key, Ended]:
    found = {_key(each): Ended(Fate.WRITTEN, report.mode) for each in report.written}
    found |= {_key(each): Ended(Fate.LOST, report.mode) for each in report.lost}
    found |= {
        _key(each.outcome): Ended(Fate.REFUSED, report.mode, unrecordable=report.unrecordable)
        for each in report.refused
    }
    for each in report.charged:
        found[_key(each.outcome)] = Ended(Fate.CHARGED if each.failure else Fate.LOST, report.mode, each.failure)
    return found


def _key(end: End) -> _Key:
    return end.claim.queue_id, end.claim.fence
