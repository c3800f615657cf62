"""The teacher's desk: events from wherever they come, asked about several to a call."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cascade_cli.clients import GIVEN_UP, CallFailed
from cascade_cli.event_block import event_block
from cascade_cli.live.measures import Measures
from cascade_cli.live.outages import Call, Outages
from cascade_cli.policy import usable_extraction
from cascade_cli.postgres.queue import Claimed
from cascade_cli.records import Event

LINGER_S: Final = 0.02
"""So long a call that is not full waits for further events."""


class AskTeacher(Protocol):
    """Asks about several events; see :class:`~cascade_cli.clients.TeacherClient`."""

    async def __call__(
        self, blocks: Sequence[str], event_ids: Sequence[str], /
    ) -> Sequence[dict[str, object] | CallFailed]:
        """What came of each, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the teacher said about one event.

    Attributes:
        extraction: its own part of the answer.
        raw: the same as JSON text.
        block: what the event looked like, numbered 0.
        llm_ms: of the whole call.
    """

    extraction: dict[str, object]
    raw: str
    block: str
    llm_ms: float


class TeacherAwayError(Exception):
    """The teacher is away; that says nothing of the event."""


class GivenUpError(Exception):
    """Nobody waits for the answer any more: the worker ends."""


class NotTaughtError(Exception):
    """The teacher failed for a reason that counts against the event; the text says which."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: Event
    alone: bool
    taught: asyncio.Future[Lesson]


class TeacherDesk:
    """Takes events and hands them out in calls.

    Args:
        ask: the teacher.
        outages: of its endpoint.
        events_per_call: at most.
        alone_from: interruptions from which an event is asked about alone.
        clock: monotonic seconds.
        measures: counts calls.
        fatal: told in a sentence that no call can succeed before somebody changes something.
    """

    def __init__(
        self,
        ask: AskTeacher,
        outages: Outages,
        events_per_call: int,
        alone_from: int,
        clock: Callable[[], float],
        measures: Measures,
        fatal: Callable[[str], None],
    ) -> None:
        self.outages = outages
        self.load = 0
        self._ask = ask
        self._most = events_per_call
        self._alone_from = alone_from
        self._clock = clock
        self._measures = measures
        self._fatal = fatal
        self._row: deque[_Waiting] = deque()
        self._came = asyncio.Event()

    async def teach(self, claim: Claimed, event: Event) -> Lesson:
        """Ask about one event, together with whatever else there is.

        Raises:
            TeacherAwayError: the endpoint is away.
            GivenUpError: the worker ends.
            NotTaughtError: no usable answer, for which the event is charged.
        """
        taught: asyncio.Future[Lesson] = asyncio.get_running_loop().create_future()
        self._row.append(_Waiting(event, claim.interruptions >= self._alone_from, taught))
        self._came.set()
        self.load += 1
        try:
            return await taught
        finally:
            self.load -= 1

    async def serve(self) -> None:
        """Make one call after the other, for ever; several of these make calls at the same time."""
        while True:
            await self._call(await self._batch())

    async def _batch(self) -> list[_Waiting]:
        while not self._row:
            self._came.clear()
            await self._came.wait()
        if len(self._row) < self._most:
            await asyncio.sleep(LINGER_S)
        batch: list[_Waiting] = []
        while self._row and len(batch) < self._most and not (batch and (batch[0].alone or self._row[0].alone)):
            taken = self._row.popleft()
            if not taken.taught.done():
                batch.append(taken)
        return batch

    async def _call(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        if (call := self.outages.may_call()) is None:
            _fail(batch, TeacherAwayError("the teacher is away"))
            return
        blocks = [event_block(each.event, place) for place, each in enumerate(batch)]
        began = self._clock()
        alone: Sequence[_Waiting] = ()
        try:
            said = await self._ask(blocks, [each.event.id for each in batch])
        except CallFailed as failure:
            self._failed(batch, call, failure)
        except Exception as error:  # noqa: BLE001 - a mistake of ours, raised again by the event that brings it about
            if len(batch) > 1:
                alone = batch
            else:
                _fail(batch, error)
        else:
            seconds = self._clock() - began
            self.outages.answered()
            self._measures.called("teacher", "answered", seconds)
            for each, found in zip(batch, said, strict=True):
                self._settle(each, call, found, 1_000 * seconds)
        finally:
            self.outages.ended(call)
        for each in alone:
            await self._call([each])

    def _failed(self, batch: Sequence[_Waiting], call: Call, failure: CallFailed) -> None:
        self._measures.called("teacher", failure.kind.name)
        if failure.kind.outage or failure.kind.fatal:
            self.outages.failed(call, failure.detail)
        if failure.kind.fatal:
            self._fatal(f"The teacher refuses: {failure.detail}")
        _fail(batch, TeacherAwayError(failure.detail))

    def _settle(self, waiting: _Waiting, call: Call, found: dict[str, object] | CallFailed, llm_ms: float) -> None:
        if waiting.taught.done():
            return
        if isinstance(found, CallFailed) and found.kind is GIVEN_UP:
            waiting.taught.set_exception(GivenUpError)
        elif isinstance(found, CallFailed) and (found.kind.outage or found.kind.fatal):
            self._failed([waiting], call, found)
        elif isinstance(found, CallFailed):
            self._measures.called("teacher", found.kind.name)
            waiting.taught.set_exception(NotTaughtError(f"{found.kind.name}: {found.detail}"))
        elif usable_extraction(found) is None:
            waiting.taught.set_exception(NotTaughtError("the teacher's answer has not the shape of an extraction"))
        else:
            raw = json.dumps(found, ensure_ascii=False)
            waiting.taught.set_result(Lesson(found, raw, event_block(waiting.event), llm_ms))


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    for each in batch:
        if not each.taught.done():
            each.taught.set_exception(error)
