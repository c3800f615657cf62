"""How claims end: gathered from all that is under way, and written many to a transaction by one thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.measures import Measures
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed, Failure, Queue
from cascade_cli.postgres.writing import Outcome, Writer, WriteReport

MOST_AT_ONCE: Final = 500
"""Outcomes in one transaction."""
LINGER_S: Final = 0.05
"""So long the first of a few waits for others: a transaction for each would cost more than what it writes."""


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
    """The worker ends before the database is back; the lease will expire."""


@dataclass(frozen=True, slots=True)
class Release:
    """The claim is given back uncharged; ``reason`` says why in a word, None leaves the row's last error."""

    claim: Claimed
    reason: str | None


@dataclass(frozen=True, slots=True)
class Charge:
    """The claim failed for a reason that lies in its event."""

    claim: Claimed
    error: str


End = Outcome | Release | Charge
_Key = tuple[str, str]


@dataclass(slots=True)
class Ended:
    """An end, and what came of it.

    Attributes:
        fate: what became of it.
        mode: the lowest that was in force when it was written.
        failure: what a charge led to; None where there was none, or the claim was lost.
    """

    fate: Fate
    mode: Mode = Mode.OFF
    failure: Failure | None = None


_Batch = list[tuple[End, asyncio.Future[Ended]]]

Ending = Callable[[End], Awaitable[Ended]]
"""Returns once what became of it is safe."""


class Endings:
    """Ends claims; get one from :meth:`open`."""

    def __init__(
        self,
        queue: Queue,
        writer: Writer,
        mode: Callable[[], Mode],
        watch: DatabaseWatch,
        measures: Measures,
        enough: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._queue = queue
        self._writer = writer
        self._mode = mode
        self._watch = watch
        self._measures = measures
        self._loop = loop
        self._enough = enough
        self._gathered: _Batch = []
        self._alarm: asyncio.TimerHandle | None = None
        self._is_due = False
        self._is_writing = False
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._given_up = Event()

    @staticmethod
    @contextmanager
    def open(
        queue: Queue, writer: Writer, mode: Callable[[], Mode], watch: DatabaseWatch, measures: Measures, enough: int
    ) -> Iterator[Endings]:
        """End claims within a running event loop.

        Args:
            queue: whose claims they are.
            writer: writes outcomes.
            mode: how far the student may go when a batch is written; called from the thread.
            watch: told whether the database answers.
            measures: counts.
            enough: so many are written without waiting for more, at least 1.
        """
        endings = Endings(queue, writer, mode, watch, measures, enough, asyncio.get_running_loop())
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
        self._gathered.append((end, ended))
        if self._alarm is None:
            self._alarm = self._loop.call_later(LINGER_S, self._ripen)
        self._hand_over()
        return await ended

    def give_up(self) -> None:
        """Wait for no database any more."""
        self._given_up.set()

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
        self._is_writing = True
        self._batches.put(batch)

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            results: Mapping[_Key, Ended] | Exception
            try:
                results = self._end_patiently([end for end, _ in batch])
            except Exception as error:  # noqa: BLE001 - raised again by each that waits
                results = error
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._written, batch, results)

    def _written(self, batch: _Batch, results: Mapping[_Key, Ended] | Exception) -> None:
        _settle(batch, results)
        self._is_writing = False
        self._hand_over()

    def _end_patiently(self, ends: Sequence[End]) -> Mapping[_Key, Ended]:
        while True:
            try:
                ended = self._end(ends)
            except (DependencyError, UsageError) as error:
                # A table that is renamed under a worker is a database that is away, too.
                pause_s = self._watch.lost(error)
                if self._given_up.wait(pause_s):
                    return {_key(end): Ended(Fate.ABANDONED) for end in ends}
            else:
                self._watch.answered()
                return ended

    def _end(self, ends: Sequence[End]) -> dict[_Key, Ended]:
        """All of it; what fails half-way may be done again, for every fence is spent once it has worked."""
        outcomes = [end for end in ends if not isinstance(end, Release | Charge)]
        began = time.monotonic()
        report = self._writer.write(outcomes, self._mode()) if outcomes else WriteReport()
        if outcomes:
            self._measures.wrote_batch(time.monotonic() - began)
        for audit in report.lost_audits:
            self._measures.lost_audit(audit.record)
        return _fates(report) | self._released(ends) | self._charged(ends)

    def _released(self, ends: Sequence[End]) -> dict[_Key, Ended]:
        found: dict[_Key, Ended] = {}
        for reason in {end.reason for end in ends if isinstance(end, Release)}:
            claims = [end.claim for end in ends if isinstance(end, Release) and end.reason == reason]
            ours = self._queue.release(claims, reason)
            found |= {_key_of(claim): Ended(_released(claim, ours)) for claim in claims}
        return found

    def _charged(self, ends: Sequence[End]) -> dict[_Key, Ended]:
        found = {}
        for end in ends:
            if isinstance(end, Charge):
                failure = self._queue.fail(end.claim, end.error)
                found[_key(end)] = Ended(Fate.CHARGED if failure else Fate.LOST, failure=failure)
        return found


def _released(claim: Claimed, ours: frozenset[str]) -> Fate:
    return Fate.RELEASED if claim.queue_id in ours else Fate.LOST


def _fates(report: WriteReport) -> dict[_Key, Ended]:
    found = {_key(each): Ended(Fate.WRITTEN, report.mode) for each in report.written}
    found |= {_key(each): Ended(Fate.LOST, report.mode) for each in report.lost}
    found |= {_key(each.outcome): Ended(Fate.REFUSED, report.mode) for each in report.refused}
    for each in report.charged:
        found[_key(each.outcome)] = Ended(Fate.CHARGED if each.failure else Fate.LOST, report.mode, each.failure)
    return found


def _key(end: End) -> _Key:
    return _key_of(end.claim)


def _key_of(claim: Claimed) -> _Key:
    return claim.queue_id, claim.fence


def _settle(batch: _Batch, results: Mapping[_Key, Ended] | Exception) -> None:
    for end, ended in batch:
        if ended.done():
            continue
        if isinstance(results, Exception):
            ended.set_exception(results)
        else:
            ended.set_result(results[_key(end)])
