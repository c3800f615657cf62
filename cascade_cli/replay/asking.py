"""The questions of one run, asked many at a time, until none is left or somebody says stop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from cascade_cli.clients import GIVEN_UP, CallFailed, EndpointDown, Reply
from cascade_cli.errors import CascadeError
from cascade_cli.event_loop import Stop
from cascade_cli.replay.questions import Question
from cascade_cli.workspace import Outcome, Questions

Ask = Callable[[str, str, int], Awaitable[Reply]]
"""Event id, prompt and sample index -> what the student said."""
Keep = Callable[[Outcome], Awaitable[None]]
"""Returns once the outcome is safe."""


class Watch(Protocol):
    """Looks after an endpoint whose outages are waited out."""

    async def check(self) -> None:
        """Raise EndpointDown while nobody answers there."""

    def lost(self, failure: CallFailed) -> None:
        """A call failed in a way that speaks of the endpoint."""

    def answered(self) -> None:
        """A call was answered."""


_CHARS_PER_TOKEN = 4
_FIRST_PROBE_S, _LONGEST_PROBE_S, _LONGEST_ASKED_S = 1.0, 30.0, 300.0
ENDPOINT_GONE = "endpoint_gone"


@dataclass(slots=True)
class Tally:
    """What was done so far in this process.

    Attributes:
        answered: questions with an answer that is safe.
        failed: questions without, by kind.
        requests: that were sent for both.
        prompt_tokens: of the answered.
        completion_tokens: likewise.
        lost_in_a_row: questions that failed since the last answer because the endpoint was away.
    """

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    lost_in_a_row: int = 0

    @property
    def done(self) -> int:
        """Questions that are settled, either way."""
        return self.answered + self.failed.total()

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.requests += outcome.requests
        if outcome.error is None:
            self.answered += 1
            self.prompt_tokens += outcome.prompt_tokens or 0
            self.completion_tokens += outcome.completion_tokens or 0
            self.lost_in_a_row = 0
        else:
            self.failed[outcome.error] += 1
            self.lost_in_a_row += outcome.outage


class Asking:
    """Asks the questions of one run.

    Attributes:
        tally: what was done.
        stop: call it to take no further question; those under way are finished.
        taken: the questions in hand, asked or about to be; what is not among them and not settled is open.
        since: of those that were begun, when; monotonic seconds.
    """

    def __init__(
        self,
        wanted: Questions,
        ask: Ask,
        keep: Keep,
        stop: Stop,
        tasks: int,
        settled: Callable[[Outcome], None] = lambda _: None,
        limit: Callable[[], str | None] = lambda: None,
        watch: Watch | None = None,
    ) -> None:
        """Prepare.

        Args:
            wanted: whose questions they are.
            ask: the student.
            keep: what came of each.
            stop: shared with whoever may want to stop it.
            tasks: questions under way at the same time, those included that wait for another try or for being saved;
                at least 1.
            settled: told of each outcome that is safe.
            limit: asked before each question; names the limit that forbids it, None where none does.
            watch: where it is given, an outage is waited out and no error; else so many questions in a row that fail
                by one stop the run.
        """
        self.tally = Tally()
        self.stop = stop
        self.taken: set[tuple[str, int]] = set()
        self.since: dict[tuple[str, int], float] = {}
        self._wanted = wanted
        self._ask = ask
        self._keep = keep
        self._tasks = tasks
        self._settled = settled
        self._limit = limit
        self._watch = watch
        self._probe_s = _FIRST_PROBE_S
        self._up = asyncio.Event()
        self._up.set()

    async def ask_all(self, pages: AsyncIterator[Sequence[Question | Outcome]]) -> None:
        """Ask page after page; returns when the last question is settled.

        Raises:
            CascadeError: an answer could not be saved, or a page not be read.
        """
        queue: asyncio.Queue[Question | Outcome | None] = asyncio.Queue(self._tasks)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._tasks):
                    group.create_task(self._work(queue))
                await self._fill(queue, pages)
        except BaseExceptionGroup as errors:
            # Several tasks may meet the same full disk; a program that is wrong comes before a disk that is full.
            known, unknown = errors.split(CascadeError)
            raise _first(unknown or known or errors) from None

    @property
    def oldest_s(self) -> float:
        """Seconds since the question was taken that has been under way longest; 0 where none is."""
        begun = list(self.since.values())
        return time.monotonic() - min(begun) if begun else 0.0

    async def _fill(
        self, queue: asyncio.Queue[Question | Outcome | None], pages: AsyncIterator[Sequence[Question | Outcome]]
    ) -> None:
        async with aclosing(pages) as opened:  # type: ignore[type-var]  # every iterator of pages is a generator
            async for page in opened:
                for each in page:
                    if self.stop.reason is not None:
                        break
                    self.taken.add((each.event_id, each.sample_index))
                    await queue.put(each)
                if self.stop.reason is not None:
                    break
        for _ in range(self._tasks):
            await queue.put(None)

    async def _work(self, queue: asyncio.Queue[Question | Outcome | None]) -> None:
        while (taken := await queue.get()) is not None:
            key = (taken.event_id, taken.sample_index)
            if self._may_go_on(taken):
                self.since[key] = time.monotonic()
                try:
                    await self._settle(taken)
                finally:
                    del self.since[key]
            # Emptied without asking once it is stopped, so that whoever fills it is not kept waiting.
            self.taken.discard(key)

    def _may_go_on(self, taken: Question | Outcome) -> bool:
        # What cannot be asked costs nothing.
        if self.stop.reason is None and isinstance(taken, Question) and (limit := self._limit()) is not None:
            self.stop(limit)
        return self.stop.reason is None

    async def _settle(self, taken: Question | Outcome) -> None:
        outcome = taken if isinstance(taken, Outcome) else await self._outcome(taken)
        if outcome is None:
            return
        await self._keep(outcome)
        self.tally.add(outcome)
        self._settled(outcome)
        # Nothing but outages, for as many questions as are under way at once: the endpoint is gone.
        if self._watch is None and self.tally.lost_in_a_row >= self._tasks:
            self.stop(ENDPOINT_GONE, urgent=True)

    async def _outcome(self, question: Question) -> Outcome | None:
        """What came of a question; None where it stays open: it was given up, or nothing can succeed now."""
        lost = 0
        while True:
            try:
                reply = await self._ask(question.event_id, question.prompt, question.sample_index)
            except CallFailed as failure:
                if failure.kind.fatal:
                    self.stop(failure.kind.name, EndpointDown(f"The endpoint refuses: {failure.detail}."))
                    return None
                if failure.kind is GIVEN_UP:
                    return None
                lost += failure.requests
                if not failure.kind.outage or self._watch is None or await self._stopped_before_back(failure):
                    return self._failed(question, failure, lost)
            else:
                self._back()
                return self._answered(question, reply, lost + reply.tries)

    async def _stopped_before_back(self, failure: CallFailed) -> bool:
        """Wait while the endpoint is away; of all that wait one looks whether it is back, and wakes the others."""
        if not self._up.is_set():
            await self._up.wait()
            return self.stop.reason is not None
        self._up.clear()
        try:
            await self._until_back(failure)
        finally:
            self._up.set()
        return self.stop.reason is not None

    async def _until_back(self, failure: CallFailed) -> None:
        assert self._watch is not None  # noqa: S101 - the caller has seen to it
        self._watch.lost(failure)
        asked_s = min(failure.retry_after_s or 0.0, _LONGEST_ASKED_S)
        while not await self.stop.within(max(self._probe_s, asked_s)):
            asked_s, self._probe_s = 0.0, min(self._probe_s * 2, _LONGEST_PROBE_S)
            with suppress(EndpointDown):
                await self._watch.check()
                return

    def _back(self) -> None:
        """An answer, and nothing less, says that the endpoint is back: some list their models and refuse to work."""
        self._probe_s = _FIRST_PROBE_S
        if self._watch is not None:
            self._watch.answered()

    def _answered(self, question: Question, reply: Reply, requests: int) -> Outcome:
        prompt_tokens, completion_tokens = reply.prompt_tokens, reply.completion_tokens
        return Outcome(
            question.event_id,
            self._wanted.student_model,
            self._wanted.prompt_shape,
            question.sample_index,
            self._wanted.run_id,
            requests,
            datetime.now(UTC),
            response=reply.text,
            student_ms=1000 * reply.seconds,
            signals=reply.signals,
            prompt_tokens=_tokens(question.prompt) if prompt_tokens is None else prompt_tokens,
            completion_tokens=_tokens(reply.text or "") if completion_tokens is None else completion_tokens,
            finish_reason=reply.finish_reason,
        )

    def _failed(self, question: Question, failure: CallFailed, requests: int) -> Outcome:
        return Outcome(
            question.event_id,
            self._wanted.student_model,
            self._wanted.prompt_shape,
            question.sample_index,
            self._wanted.run_id,
            requests,
            datetime.now(UTC),
            error=failure.kind.name,
            detail=failure.detail,
            outage=failure.kind.outage,
        )


def _tokens(text: str) -> int:
    """About how many tokens a text has, where the endpoint does not count them."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
