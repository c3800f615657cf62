"""The student's desk: one event a call, so many calls at once, each only while the switch allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from cascade_cli.clients import GIVEN_UP, CallFailed, Reply
from cascade_cli.event_block import event_block
from cascade_cli.live.judging import Judge, Judged
from cascade_cli.live.measures import Measures
from cascade_cli.live.outages import Call, Outages
from cascade_cli.live.switching import Switchboard
from cascade_cli.records import Event
from cascade_cli.token_prices import TokenPrices

LATE_AFTER_S: Final = 5.0
"""So long an answer is waited for in shadow, once the teacher's is there."""

AskStudent = Callable[[str, str], Awaitable[Reply]]
"""Event id and prompt -> what the student said."""


class Unasked(Enum):
    """Why there is no answer that the event could be judged by."""

    AWAY = "outage"
    """The endpoint is away: that says nothing of the event."""
    OFF = "off"
    """The student was switched off meanwhile."""
    STOPPED = "shutdown"
    """The worker ends."""
    LATE = "late"
    """The teacher, who was asked at the same time, has answered long before."""


@dataclass(slots=True)
class Latecomers:
    """Waits for what the student says after the teacher: for a few answers, and not for long.

    Attributes:
        most: that are waited for at the same time; the others are late at once.
        waiting: for so many just now.
    """

    most: int
    waiting: int = 0

    async def said(self, asking: asyncio.Task[Judged | Unasked]) -> Judged | Unasked:
        """The answer, if it comes within `LATE_AFTER_S`."""
        if not asking.done() and self.waiting < self.most:
            self.waiting += 1
            try:
                await asyncio.wait({asking}, timeout=LATE_AFTER_S)
            finally:
                self.waiting -= 1
        return asking.result() if asking.done() else Unasked.LATE


class StudentDesk:
    """Asks the student.

    Attributes:
        outages: of its endpoint.

    Args:
        ask: the student; gives up where nobody wants an answer any more.
        judge: of what it says.
        template: of the prompt.
        calls: at the same time, at most.
        most_chars: a longer prompt is not sent.
        outages: as above.
        switch: looked at before each call.
        measures: counts calls.
        fatal: told in a sentence that no call can succeed before somebody changes something.
        prices: of its tokens; None where nobody says.
    """

    def __init__(
        self,
        ask: AskStudent,
        judge: Judge,
        template: str,
        calls: int,
        most_chars: int,
        outages: Outages,
        switch: Switchboard,
        measures: Measures,
        fatal: Callable[[str], None],
        prices: TokenPrices | None = None,
    ) -> None:
        self.judge = judge
        self.outages = outages
        self._ask = ask
        self._template = template
        self._places = asyncio.Semaphore(calls)
        self._most_chars = most_chars
        self._switch = switch
        self._measures = measures
        self._fatal = fatal
        self._prices = prices

    async def judged(self, event: Event) -> Judged | Unasked:
        """Ask about one event, and judge what comes; a failed call is judged as one."""
        async with self._places:
            if not (await self._switch.now()).asks_student:
                return Unasked.OFF
            prompt = event_block(event, 0, self._template)
            if len(prompt) > self._most_chars:
                # It was not asked, so that says nothing of it.
                return replace(self.judge.judge(event, None), tells=False)
            if (call := self.outages.may_call()) is None:
                return Unasked.AWAY
            try:
                reply = await self._ask(event.id, prompt)
            except CallFailed as failure:
                return self._failed(event, call, failure)
            finally:
                self.outages.ended(call)
        self._answered(reply)
        return self.judge.judge(event, reply.text, seconds=reply.seconds, signals=reply.signals)

    def _answered(self, reply: Reply) -> None:
        self.outages.answered()
        self._measures.called("student", "answered", reply.seconds)
        self._measures.used("student", reply.prompt_tokens, reply.completion_tokens, self._prices)

    def _failed(self, event: Event, call: Call, failure: CallFailed) -> Judged | Unasked:
        self._measures.called("student", failure.kind.name)
        if failure.kind is GIVEN_UP:
            return Unasked.STOPPED if self._switch.glimpse().asks_student else Unasked.OFF
        if not (failure.kind.outage or failure.kind.fatal):
            # Somebody answered, however badly.
            self.outages.answered()
            return self.judge.judge(event, None)
        self.outages.failed(call, failure.detail)
        if failure.kind.fatal:
            self._fatal(f"The student refuses: {failure.detail}")
        # One that fails among many that are answered fails by itself.
        if self.outages.is_suspected:
            return Unasked.AWAY
        return replace(self.judge.judge(event, None), tells=False)
