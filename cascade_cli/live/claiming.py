"""Which events are claimed when: one intake a lane, both held back by whatever would make their work useless."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.event_loop import Stop, in_background
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.handling import Handling, guarded
from cascade_cli.live.refusals import Refusals
from cascade_cli.live.studying import StudentDesk
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed, Lane, LaneState, Queue

DRAINED: Final = "drained"
REFUSED: Final = "refused"
MAX_EVENTS: Final = "max_events"
_SHORTEST_PAUSE_S: Final = 0.02
_SUSPECT_PAUSE_S: Final = 1.0
_CALLS_AHEAD: Final = 2
"""Calls' worth of events that are held for the teacher, for each call that may be under way."""

Way = Callable[[Claimed], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an intake wants to claim now.

    Attributes:
        limit: so many; 0 for none.
        way: what is done with each.
        pause_s: to be waited after it, whatever came.
        before: done with all that were claimed, before the first goes its way.
    """

    limit: int
    way: Way
    pause_s: float = 0.0
    before: Callable[[Sequence[Claimed]], Awaitable[None]] | None = None


@dataclass(slots=True)
class Intake:
    """What both lanes share: claiming one at a time, running what was claimed, knowing when all is done.

    Attributes:
        queue: to claim from.
        handling: takes each event to its end.
        stop: called when nothing is left, or enough was claimed.
        watch: told whether the database answers.
        wait: so many seconds; true where nothing is to be claimed any more.
        refusals: what is in hand and cannot be written.
        once: stop when the queue is empty.
        most: claims after which no further is made; None for no limit.
        claimed: so far.
        tasks: events under way.
    """

    queue: Queue
    handling: Handling
    stop: Stop
    watch: DatabaseWatch
    wait: Callable[[float], Awaitable[bool]]
    refusals: Refusals
    once: bool = False
    most: int | None = None
    claimed: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, lane: Lane, wanted: Callable[[], Awaitable[Wanted]]) -> None:
        """Claim from one lane until it is to stop."""
        pause_s = _SHORTEST_PAUSE_S
        while self.stop.reason is None:
            now = await wanted()
            claims = await self._claim(lane, now)
            if claims or self.watch.is_away:
                pause_s = _SHORTEST_PAUSE_S
                if now.pause_s and await self.wait(now.pause_s):
                    return
                continue
            if self.once and (now.limit or self.refusals.count) and await self._is_over():
                self.stop(REFUSED if self.refusals.count else DRAINED, self.refusals.error)
                return
            await self._idle(max(pause_s, now.pause_s))
            pause_s = min(2 * pause_s, self.handling.rules.poll_s)

    async def finish(self) -> None:
        """Return when nothing is under way any more."""
        while self.tasks:
            await asyncio.wait(tuple(self.tasks))

    async def _idle(self, pause_s: float) -> None:
        """Wait so long, or until a claim ends: then there is room, or something new for the other lane."""
        ended = self.handling.held.ended
        ended.clear()
        woken = asyncio.ensure_future(ended.wait())
        waiting = asyncio.ensure_future(self.wait(pause_s))
        try:
            await asyncio.wait({woken, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            waiting.cancel()

    async def _claim(self, lane: Lane, wanted: Wanted) -> Sequence[Claimed]:
        """Claim, and begin with what was claimed; one of the two lanes at a time."""
        async with self._turn:
            limit = wanted.limit if self.most is None else min(wanted.limit, self.most - self.claimed)
            if limit <= 0 or self.stop.reason is not None or self._holds_back():
                return ()
            claims = await self._given(lane, limit)
            self.claimed += len(claims)
            if self.claimed == self.most:
                self.stop(MAX_EVENTS)
            self.handling.held.add(claims)
            if wanted.before is not None and claims:
                await wanted.before(claims)
            for claim in claims:
                self._begin(claim, wanted.way)
            return claims

    async def _given(self, lane: Lane, limit: int) -> Sequence[Claimed]:
        try:
            claims = await in_background(lambda: self.queue.claim(lane, limit))
        except (DependencyError, UsageError) as error:
            await self.wait(self.watch.lost(error))
            return ()
        self.watch.answered()
        return claims

    def _begin(self, claim: Claimed, way: Way) -> None:
        handled = guarded(self.handling, claim, self._alone(way) if self._is_alone(claim) else way)
        task = asyncio.create_task(handled)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _alone(self, way: Way) -> Way:
        """Workers died with it: let nothing else be in hand when it is done."""

        async def after_the_others(claim: Claimed) -> None:
            held = self.handling.held
            while len(held) > 1 + self.refusals.count:
                held.ended.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(held.ended.wait(), self.handling.rules.poll_s)
            await way(claim)

        return after_the_others

    def _holds_back(self) -> bool:
        """Whether nothing may be claimed beside what is in hand."""
        return self.refusals.is_systematic or any(map(self._is_alone, self.handling.held.claims))

    def _is_alone(self, claim: Claimed) -> bool:
        return claim.interruptions >= self.queue.settings.alone_from

    async def _is_over(self) -> bool:
        """Whether nothing is in hand but what is refused, and nothing else could be claimed that is not."""
        held = len(self.handling.held)
        return held == self.refusals.count and (self._holds_back() or await self._is_drained(held))

    async def _is_drained(self, held: int) -> bool:
        """Whether nothing is left beside what is held, not even for another try, whoever holds it."""
        try:
            states = await in_background(self.queue.lanes)
        except (DependencyError, UsageError) as error:
            self.watch.lost(error)
            return False
        self.handling.measures.lanes(states)
        return sum(state.depth for state in states.values()) <= held


@dataclass(slots=True)
class StudentLane:
    """Every event at first: for the student, or where it is off for the teacher.

    Attributes:
        handling: of the worker.
        lanes: how much each held when that was looked at last.
    """

    handling: Handling
    lanes: Mapping[Lane, LaneState] = field(default_factory=dict)

    async def wanted(self) -> Wanted:
        """How many may be claimed now, and what becomes of them."""
        handling = self.handling
        force = await handling.switch.now()
        if handling.student is not None and force.mode is Mode.FLIP:
            return self._for_student(handling.student)
        # In shadow too: the student is asked beside the teacher, and has no say in how many are claimed.
        wanted = wanted_of_teacher(handling)
        return replace(wanted, before=handling.recall) if force.asks_student else wanted

    def _for_student(self, student: StudentDesk) -> Wanted:
        handling, outages = self.handling, student.outages
        if self._is_backed_up():
            return Wanted(0, handling.first, _SUSPECT_PAUSE_S)
        if not outages.is_suspected:
            return Wanted(self._room(handling.rules.batch), handling.first)
        if outages.probe_is_due:
            most = 1 if outages.is_away else handling.rules.student_calls
            return Wanted(min(most, self._free(handling.rules.batch)), handling.first, _SUSPECT_PAUSE_S)
        if outages.lasts_s >= handling.rules.outage_hold_s:
            most = handling.ceiling.left(self._free(handling.rules.batch))
            return Wanted(most, handling.without_student, 0.0 if most else _SUSPECT_PAUSE_S)
        return Wanted(0, handling.first, _SUSPECT_PAUSE_S)

    def _is_backed_up(self) -> bool:
        most, state = self.handling.rules.escalation_backlog, self.lanes.get(Lane.TEACHER)
        return most is not None and state is not None and state.depth >= most

    def _free(self, most: int) -> int:
        return max(0, most - self.handling.held.undecided)

    def _room(self, most: int) -> int:
        """Room for more, but not for one here and one there: many claims at once cost as much as one."""
        free = self._free(most)
        return free if 2 * free >= most else 0


def wanted_of_teacher(handling: Handling) -> Wanted:
    """How many the teacher could take now; one alone while nobody knows whether it is there."""
    desk, rules = handling.teacher, handling.rules
    if desk.outages.is_suspected:
        most = 1 if desk.outages.probe_is_due and not desk.load else 0
        return Wanted(most, handling.first, _SUSPECT_PAUSE_S)
    calls = (_CALLS_AHEAD * rules.teacher_calls * rules.events_per_call - desk.load) // rules.events_per_call
    return Wanted(max(0, calls) * rules.events_per_call, handling.first)
