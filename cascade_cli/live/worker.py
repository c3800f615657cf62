"""The worker: what it is made of, and its event loop."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Final, TypeVar
from uuid import uuid4

from cascade_cli.clients import Caller, Endpoint, Limits, Pace, StudentClient, StudentRequest, TeacherClient
from cascade_cli.endpoints import Shape, SystemPrompt
from cascade_cli.errors import CascadeError, DependencyError, UsageError
from cascade_cli.event_block import DEFAULT_TEMPLATE
from cascade_cli.event_loop import Stop, in_background, signals_stop
from cascade_cli.live.breakers import Breaker
from cascade_cli.live.burn_in import BurnIn
from cascade_cli.live.ceilings import Ceiling
from cascade_cli.live.claiming import Intake, StudentLane, Wanted, wanted_of_teacher
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.ending import Endings
from cascade_cli.live.handling import SHUTDOWN, Handling, Teacher
from cascade_cli.live.holding import Held
from cascade_cli.live.judging import Judge
from cascade_cli.live.logs import EventLog, Write
from cascade_cli.live.measures import Measures
from cascade_cli.live.modes import Environment
from cascade_cli.live.outages import Outages
from cascade_cli.live.rules import Rules
from cascade_cli.live.serving import Health, serving
from cascade_cli.live.studying import StudentDesk
from cascade_cli.live.switching import Switchboard
from cascade_cli.live.teaching import TeacherDesk
from cascade_cli.policy import Policy
from cascade_cli.postgres.ages import standing_events
from cascade_cli.postgres.control import Control
from cascade_cli.postgres.graph import Graph, GraphMapping
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Lane, Queue, QueueSettings
from cascade_cli.postgres.writing import Author, Writer

T = TypeVar("T")

REAP_S: Final = 5.0
"""Between two looks for expired claims of others, and for how much the lanes hold."""
AGE_S: Final = 30.0
"""Between two looks how old the prompt is."""
PATIENCE_S: Final = 10.0
"""How long an endpoint may refuse everybody within one call; beyond, it is the outage's rules that wait."""
ORPHANED: Final = "orphaned"
_RENEWALS_A_LEASE: Final = 3
_LANES_SHARE: Final = 20
_TICK_S: Final = 1.0

WaitFor = Callable[[Stop, float], Awaitable[bool]]
"""Waits so many seconds, or until the stop happens; whether it has."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How time passes; tests let an hour pass in seconds.

    Attributes:
        now: monotonic seconds.
        within: waits so long, or until the stop happens; whether it has.
        rest: the same, until the stop is urgent.
    """

    now: Callable[[], float] = time.monotonic
    within: WaitFor = Stop.within
    rest: WaitFor = Stop.rest


@dataclass(frozen=True, slots=True)
class Student:
    """How the student is asked."""

    endpoint: Endpoint
    limits: Limits
    request: StudentRequest
    shape: Shape


@dataclass(frozen=True, slots=True)
class TeacherPlan:
    """How the teacher is asked."""

    endpoint: Endpoint
    limits: Limits
    prompt: SystemPrompt
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one worker is told.

    Attributes:
        name: of the worker, unique among those that run.
        dsn: of the database.
        mapping: what the team's tables are called.
        graph: what its graph tables are called.
        environment: what was settled at the start.
        policy: by which it decides.
        rules: how it goes about it.
        student: None where none is configured.
        teacher: how it is asked.
        once: stop when the queue is empty.
        most: claims after which it stops; None for no limit.
        parent: process id of whoever started it; it stops when that is gone. None for a worker of its own.
    """

    name: str
    dsn: str
    mapping: ColumnMapping
    graph: GraphMapping
    environment: Environment
    policy: Policy
    rules: Rules
    student: Student | None
    teacher: TeacherPlan
    once: bool = False
    most: int | None = None
    parent: int | None = None

    @property
    def author(self) -> Author:
        """Who writes, as the ledger has it."""
        return Author(
            self.student.endpoint.model if self.student else "",
            self.teacher.endpoint.model,
            self.teacher.prompt.hash,
            self.environment.policy_fingerprint,
            self.environment.version,
        )


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker did.

    Attributes:
        claimed: claims it was given.
        ends: how each ended, by word.
        stopped_by: why it claimed no more.
        failure: what the process ends with; None where stopping is no failure.
    """

    claimed: int
    ends: Mapping[str, int]
    stopped_by: str | None
    failure: CascadeError | None


@dataclass(slots=True)
class Voice:
    """Whom the worker tells what.

    Attributes:
        note: a sentence for people.
        log: a line an event; None for none.
        measures: counts.
    """

    note: Callable[[str], None]
    log: Write | None = None
    measures: Measures = field(default_factory=Measures)


async def work(plan: Plan, voice: Voice, stop: Stop, clock: Clock | None = None) -> Worked:
    """Work until it is to stop.

    Args:
        plan: all that it is told.
        voice: whom it tells.
        stop: call it to claim no more.
        clock: how time passes.

    Raises:
        UsageError: a table is not there, or called otherwise.
        DependencyError: the database is away at the start of a run that is to end by itself.
        CancelledError: a second signal.
    """
    time_passes = clock or Clock()
    health = Health(time_passes.now)
    voice.measures.describe(plan.name, plan.environment.version, plan.environment.policy_fingerprint)
    with signals_stop(stop), Pool(plan.dsn) as pool:
        async with AsyncExitStack() as opened:
            if plan.rules.metrics_port is not None:
                await opened.enter_async_context(serving(voice.measures, health, port=plan.rules.metrics_port))
            worker = await opened.enter_async_context(_opened(plan, voice, stop, time_passes, health, pool))
            return await worker.run()


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
        """Claim and handle until it is to stop; then finish what is in hand, and give back the rest."""
        desk, rules = self.intake.handling.teacher, self.plan.rules
        chores = [desk.serve() for _ in range(rules.teacher_calls)]
        chores += [self._renew(), self._reap(), self._age(), self._tick()]
        running = [asyncio.create_task(chore) for chore in chores]
        try:
            await self._look_how_old()
            await self._claim()
            await self._finish()
        finally:
            for each in running:
                each.cancel()
            await self._give_back()
        ends = self.intake.handling.ends
        return Worked(self.intake.claimed, dict(ends), self.stop.reason, self.stop.failure)

    async def _claim(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.intake.run(Lane.TEACHER, self._wanted_of_teacher))
            group.create_task(self.intake.run(Lane.STUDENT, self.student_lane.wanted))

    async def _wanted_of_teacher(self) -> Wanted:
        return replace(wanted_of_teacher(self.intake.handling), way=self.intake.handling.from_teacher_lane)

    async def _finish(self) -> None:
        finishing = asyncio.ensure_future(self.intake.finish())
        hurried = asyncio.ensure_future(self._hurried())
        await asyncio.wait({finishing, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        finishing.cancel()

    async def _hurried(self) -> None:
        """Return when it is urgent, and has been for as long as open answers are waited for."""
        while not await self.stop.rest(3_600.0):
            pass
        await asyncio.sleep(self.plan.rules.stop_s)

    async def _give_back(self) -> None:
        self.endings.give_up()
        for task in self.intake.tasks:
            task.cancel()
        claims = self.intake.handling.held.claims
        if not claims:
            return
        self.voice.measures.released(SHUTDOWN, len(claims))
        self.intake.handling.ends["released"] += len(claims)
        # Where that cannot be said any more, the leases expire.
        with suppress(CascadeError):
            await in_background(lambda: self.queue.release(claims))

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
        while True:
            self.health.turned()
            if self.plan.parent is not None and os.getppid() != self.plan.parent:
                self.stop(ORPHANED, CascadeError("The process that started this worker is gone."))
            await asyncio.sleep(_TICK_S)

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


@asynccontextmanager
async def _opened(
    plan: Plan, voice: Voice, stop: Stop, clock: Clock, health: Health, pool: Pool
) -> AsyncIterator[Worker]:
    """Open everything in the order in which it needs each other; it closes in the other order."""
    watch = DatabaseWatch(voice.note, health.contacted)
    queue, writer = await _opened_database(plan, pool, watch, stop, once=plan.once)
    control = Control(pool, plan.mapping.schema)
    switch = Switchboard(plan.environment, plan.rules.kill_file, control.read, clock.now, voice.measures, voice.note)

    async def trip(why: str) -> None:
        """Take the flip away from every worker."""
        voice.note(f"The flip is taken away: {why}.")
        with suppress(CascadeError):
            await in_background(lambda: control.unflip(who=plan.name, reason=why))
        switch.forget()

    def refused(why: str) -> None:
        voice.note(f"{why}. No call can succeed before somebody changes the configuration.")
        if plan.once:
            stop("refused", DependencyError(f"{why}.", hint="Check key, model and address in the configuration."))

    async with AsyncExitStack() as stack:
        endings = stack.enter_context(Endings.open(queue, writer, switch.for_writing, watch, voice.measures))
        student = await _student_desk(plan, stack, switch, stop, clock, voice.measures)
        teacher = await _teacher_desk(plan, stack, stop, clock, voice.measures, refused, queue.settings.alone_from)
        handling = Handling(
            plan.rules,
            switch,
            Held(),
            student,
            teacher,
            Teacher(
                plan.teacher.endpoint.model,
                plan.teacher.prompt.hash,
                (lambda: uuid4().hex) if plan.rules.with_traces else None,
            ),
            endings.end,
            Ceiling(plan.rules.escalations_per_min, clock.now),
            (
                Breaker("student_parse_fail", plan.rules.most_parse_failures),
                Breaker("grounding_violation", plan.rules.most_ungrounded),
            ),
            trip,
            lambda seconds: clock.rest(stop, seconds),
            EventLog(voice.log, plan.name),
            voice.measures,
        )
        intake = Intake(
            queue,
            handling,
            stop,
            watch,
            lambda seconds: clock.within(stop, seconds),
            plan.once,
            plan.most,
        )
        yield Worker(plan, voice, stop, clock, health, pool, queue, intake, StudentLane(handling), endings)


async def _opened_database(
    plan: Plan, pool: Pool, watch: DatabaseWatch, stop: Stop, *, once: bool
) -> tuple[Queue, Writer]:
    """Look at the tables; a worker that is to go on for ever waits for a database that is away."""
    while True:
        try:
            found = await in_background(lambda: _look(plan, pool))
        except DependencyError as error:
            if once or await stop.within(watch.lost(error)):
                raise
        else:
            watch.answered()
            return found


def _look(plan: Plan, pool: Pool) -> tuple[Queue, Writer]:
    settings = QueueSettings(plan.rules.max_attempts, plan.rules.lease_s)
    queue = Queue.open(pool, plan.mapping, settings, plan.name, random=Random())  # noqa: S311 - spreads retries
    control, graph = Control(pool, plan.mapping.schema), Graph(plan.graph)
    writer = Writer.open(pool, plan.mapping, queue, graph, control, plan.author, random=Random())  # noqa: S311 - as above
    return queue, writer


async def _student_desk(
    plan: Plan, stack: AsyncExitStack, switch: Switchboard, stop: Stop, clock: Clock, measures: Measures
) -> StudentDesk | None:
    asked = plan.student
    if asked is None or not plan.environment.enabled:
        return None

    async def rest(seconds: float) -> bool:
        """Before each request, and between two: nobody wants an answer of a student that was switched off."""
        return not switch.glimpse().asks_student or await clock.rest(stop, seconds)

    pace = Pace(plan.rules.student_calls, rest=stop.rest)
    limits = replace(asked.limits, patience_s=PATIENCE_S)
    caller = await stack.enter_async_context(Caller.open(asked.endpoint, limits, pace, rest=rest))
    return StudentDesk(
        StudentClient(caller, asked.request).ask,
        Judge(plan.policy, asked.endpoint.model, asked.shape.name, BurnIn(plan.policy)),
        asked.shape.template or DEFAULT_TEMPLATE,
        plan.rules.student_calls,
        plan.rules.most_prompt_chars,
        Outages(clock.now),
        switch,
        measures,
    )


async def _teacher_desk(
    plan: Plan,
    stack: AsyncExitStack,
    stop: Stop,
    clock: Clock,
    measures: Measures,
    refused: Callable[[str], None],
    alone_from: int,
) -> TeacherDesk:
    asked = plan.teacher
    pace = Pace(plan.rules.teacher_calls, rest=stop.rest)
    limits = replace(asked.limits, patience_s=PATIENCE_S)

    async def rest(seconds: float) -> bool:
        return await clock.rest(stop, seconds)

    caller = await stack.enter_async_context(Caller.open(asked.endpoint, limits, pace, rest=rest))
    client = TeacherClient(caller, asked.prompt.text, asked.max_tokens)
    return TeacherDesk(
        client.ask, Outages(clock.now), plan.rules.events_per_call, alone_from, clock.now, measures, refused
    )
