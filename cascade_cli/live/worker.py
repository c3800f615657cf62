"""The worker at work: claiming, handling, chores beside them, and the end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from cascade_cli.errors import CascadeError, DependencyError, UsageError
from cascade_cli.event_loop import Stop, in_background
from cascade_cli.live.claiming import Intake, StudentLane, Wanted, wanted_of_teacher
from cascade_cli.live.ending import Endings, Fate
from cascade_cli.live.handling import SHUTDOWN
from cascade_cli.live.outages import Silence
from cascade_cli.live.plan import Clock, Plan, Voice, Worked
from cascade_cli.live.serving import Health
from cascade_cli.postgres.ages import standing_events
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Lane, Queue

T = TypeVar("T")

REAP_S: Final = 5.0
"""Between two looks for expired claims of others, and for how much the lanes hold."""
AGE_S: Final = 30.0
"""Between two looks how old the prompt is."""
ORPHANED: Final = "orphaned"
_RENEWALS_A_LEASE: Final = 3
_LANES_SHARE: Final = 20
_TICK_S: Final = 1.0
# Beyond what open answers are waited for: a database that does not even take back what was claimed is not there.
_LAST_WORD_S: Final = 1.0


@dataclass(slots=True)
class Worker:
    """The parts, put together; get one from `work`."""

    plan: Plan
    voice: Voice
    stop: Stop
    clock: Clock
    health: Health
    pool: Pool
    queue: Queue
    intake: Intake
    student_lane: StudentLane
    endings: Endings

    async def run(self) -> Worked:
        """Claim and handle until it is to stop; then finish what is in hand, and give back the rest.

        Raises:
            Exception: whatever a part of it could not foresee; what was held is given back then too.
        """
        try:
            async with asyncio.TaskGroup() as group:
                chores = [group.create_task(chore) for chore in self._chores()]
                try:
                    await self._work()
                finally:
                    for each in chores:
                        each.cancel()
                    await self._give_back()
        except ExceptionGroup as failures:
            raise _first(failures) from None
        did = self.intake.handling
        return Worked(
            self.intake.claimed, dict(did.ends), self.stop.reason, self.stop.failure, unanswered=dict(did.unanswered)
        )

    def _chores(self) -> list[Coroutine[object, object, None]]:
        """What goes on beside; not one of them ever ends by itself."""
        desk, agreements = self.intake.handling.teacher, self.intake.handling.agreements
        serving = [desk.serve() for _ in range(self.plan.rules.teacher_calls)]
        comparing = [] if agreements is None else [agreements.serve()]
        return [*serving, *comparing, self._renew(), self._reap(), self._age(), self._tick()]

    async def _work(self) -> None:
        """Claim until it is to stop, then finish; no longer than whoever wants the end is to wait."""
        working = asyncio.ensure_future(self._claim_and_finish())
        hurried = asyncio.ensure_future(self._hurried())
        try:
            await asyncio.wait({working, hurried}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            working.cancel()
            hurried.cancel()

    async def _claim_and_finish(self) -> None:
        await self._look_how_old()
        await self._claim()
        self.endings.let_go()
        await self.intake.finish()

    async def _claim(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.intake.run(Lane.TEACHER, self._wanted_of_teacher))
            group.create_task(self.intake.run(Lane.STUDENT, self.student_lane.wanted))

    async def _wanted_of_teacher(self) -> Wanted:
        return replace(wanted_of_teacher(self.intake.handling), way=self.intake.handling.from_teacher_lane)

    async def _hurried(self) -> None:
        """Return when it is urgent, and has been for as long as open answers are waited for."""
        while not await self.stop.rest(3_600.0):
            pass
        await asyncio.sleep(self.plan.rules.stop_s)

    async def _give_back(self) -> None:
        self.endings.give_up()
        for task in self.intake.tasks:
            task.cancel()
        if not (claims := self.intake.handling.held.claims):
            return
        released: frozenset[str] = frozenset()
        # Where that cannot be said any more, the leases expire.
        with suppress(CascadeError, TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                released = await in_background(lambda: self.queue.release(claims))
        self.voice.measures.released(SHUTDOWN, len(released))
        told = {"released": len(released), Fate.ABANDONED.value: len(claims) - len(released)}
        self.intake.handling.ends.update({word: count for word, count in told.items() if count})

    async def _renew(self) -> None:
        held = self.intake.handling.held
        while True:
            await asyncio.sleep(self.plan.rules.lease_s / _RENEWALS_A_LEASE)
            if claims := held.claims:
                renewed = await self._asked(partial(self.queue.renew, claims))
                if renewed is not None:
                    self.voice.measures.lost_claims(held.keep(claims, renewed))

    async def _reap(self) -> None:
        while True:
            began = time.monotonic()
            reaped = await self._asked(self.queue.reap)
            self.voice.measures.reaped([each.failed for each in reaped or ()])
            lanes = await self._asked(self.queue.lanes)
            if lanes is not None:
                self.student_lane.lanes = lanes
                self.voice.measures.lanes(lanes)
            # Counting a long queue takes a while: never more than a twentieth of the time.
            pause_s = min(REAP_S, self.plan.rules.lease_s / _RENEWALS_A_LEASE)
            await asyncio.sleep(max(pause_s, _LANES_SHARE * (time.monotonic() - began)))

    async def _age(self) -> None:
        while True:
            await asyncio.sleep(AGE_S)
            await self._look_how_old()

    async def _look_how_old(self) -> None:
        """Where a new prompt is sampled more: how old it is by now."""
        student = self.intake.handling.student
        if student is None or not (most := student.judge.burn_in.settled_at):
            return
        ask = partial(standing_events, self.pool, self.plan.mapping, self.plan.teacher.prompt.hash, most)
        if (count := await self._asked(ask)) is not None:
            student.judge.burn_in.looked(count)

    async def _tick(self) -> None:
        told: dict[str, Silence] = {}
        while True:
            self.health.turned()
            self._tell_outages(told)
            if self.plan.parent is not None and os.getppid() != self.plan.parent:
                self.stop(ORPHANED, CascadeError("The process that started this worker is gone."))
            await asyncio.sleep(_TICK_S)

    def _tell_outages(self, told: dict[str, Silence]) -> None:
        """Say when an endpoint begins to fail, once that it is away, and once that it is back."""
        handling = self.intake.handling
        desks = {"teacher": handling.teacher.outages} | (
            {"student": handling.student.outages} if handling.student else {}
        )
        for name, outages in desks.items():
            self.voice.measures.endpoint(name, is_away=outages.is_away)
            if sentence := told.setdefault(name, Silence(name, self.clock.now)).told(outages):
                self.voice.note(sentence)

    async def _asked(self, ask: Callable[[], T]) -> T | None:
        """What the database says; None while it is away."""
        watch = self.intake.watch
        try:
            said = await in_background(ask)
        except (DependencyError, UsageError) as error:
            watch.lost(error)
            return None
        watch.answered()
        return said


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    """What went wrong first; the others were cut short by it."""
    failure = failures.exceptions[0]
    return _first(failure) if isinstance(failure, ExceptionGroup) else failure
