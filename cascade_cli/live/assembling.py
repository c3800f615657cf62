"""The parts of a worker, put together in the order in which they need each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from random import Random
from typing import Final
from uuid import uuid4

from cascade_cli.clients import Caller, Pace, Reply, StudentClient, TeacherClient
from cascade_cli.errors import CascadeError, DependencyError
from cascade_cli.event_block import DEFAULT_TEMPLATE
from cascade_cli.event_loop import Stop, in_background, signals_stop
from cascade_cli.live.agreeing import Agreements
from cascade_cli.live.breakers import Breaker
from cascade_cli.live.burn_in import BurnIn
from cascade_cli.live.ceilings import Ceiling
from cascade_cli.live.claiming import Intake, StudentLane
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.ending import Endings
from cascade_cli.live.handling import Handling, Teacher
from cascade_cli.live.holding import Held
from cascade_cli.live.judging import Judge
from cascade_cli.live.logs import EventLog
from cascade_cli.live.measures import Measures
from cascade_cli.live.outages import Outages
from cascade_cli.live.plan import Clock, Plan, Voice, Worked
from cascade_cli.live.serving import Health, serving
from cascade_cli.live.studying import Latecomers, StudentDesk
from cascade_cli.live.switching import Switchboard
from cascade_cli.live.teaching import TeacherDesk
from cascade_cli.live.worker import Worker
from cascade_cli.postgres.answers import Answers
from cascade_cli.postgres.control import Control
from cascade_cli.postgres.graph import Graph, check_writable
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Claimed, Queue, QueueSettings
from cascade_cli.postgres.writing import Writer
from cascade_cli.records import StudentAnswer

PATIENCE_S: Final = 10.0
"""How long an endpoint may refuse everybody within one call; beyond, it is the outage's rules that wait."""


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
    with signals_stop(stop), Pool(plan.dsn, prepare=plan.prepare) as pool:
        async with AsyncExitStack() as opened:
            if plan.rules.metrics_port is not None:
                await opened.enter_async_context(
                    serving(voice.measures, health, plan.rules.metrics_host, plan.rules.metrics_port)
                )
            worker = await opened.enter_async_context(_opened(plan, voice, stop, time_passes, health, pool))
            return await worker.run()


@asynccontextmanager
async def _opened(
    plan: Plan, voice: Voice, stop: Stop, clock: Clock, health: Health, pool: Pool
) -> AsyncIterator[Worker]:
    """Open everything in the order in which it needs each other; it closes in the other order."""
    watch = DatabaseWatch(voice.note, health.contacted)
    queue, writer = await _opened_database(plan, pool, watch, stop, once=plan.once)
    control = Control(pool, plan.mapping.schema)
    switch = Switchboard(plan.environment, plan.rules.kill_file, control.read, clock.now, voice.measures, voice.note)
    refused, trip = _refusing(plan, voice, stop), _tripping(plan, voice, control, switch)
    async with AsyncExitStack() as stack:
        # Half of what may be in hand: while it is written, the other half is asked about.
        enough = max(1, plan.rules.batch // 2)
        endings = stack.enter_context(
            Endings.open(queue, writer, switch.for_writing, watch, voice.measures, enough, voice.note)
        )
        look_up = _look_up(plan, pool, queue)
        handling = Handling(
            rules=plan.rules,
            switch=switch,
            held=Held(),
            student=await _student_desk(plan, stack, switch, stop, clock, voice.measures, refused),
            teacher=await _teacher_desk(plan, stack, stop, clock, voice.measures, refused, queue.settings.alone_from),
            author=_author(plan),
            end=endings.end,
            ceiling=Ceiling(plan.rules.escalations_per_min, clock.now),
            breakers=_breakers(plan),
            trip=trip,
            wait=lambda seconds: clock.rest(stop, seconds),
            agreements=_agreements(plan, look_up, voice.measures),
            look_up=look_up,
            log=EventLog(voice.log, plan.name),
            measures=voice.measures,
            latecomers=Latecomers(plan.rules.batch),
        )
        intake = Intake(
            queue=queue,
            handling=handling,
            stop=stop,
            watch=watch,
            wait=lambda seconds: clock.within(stop, seconds),
            refusals=endings.refusals,
            once=plan.once,
            most=plan.most,
        )
        yield Worker(plan, voice, stop, clock, health, pool, queue, intake, StudentLane(handling), endings)


def _refusing(plan: Plan, voice: Voice, stop: Stop) -> Callable[[str], None]:
    """What is done when an endpoint says that no call can succeed: each reason is told once, and a short run ends."""
    complaints: set[str] = set()

    def refused(why: str) -> None:
        if why not in complaints:
            complaints.add(why)
            voice.note(f"{why}. No call can succeed before somebody changes the configuration.")
        if plan.once:
            stop("refused", DependencyError(f"{why}.", hint="Check key, model and address in the configuration."))

    return refused


def _tripping(plan: Plan, voice: Voice, control: Control, switch: Switchboard) -> Callable[[str], Awaitable[None]]:
    """How a breaker takes the flip away from every worker."""

    async def trip(why: str) -> None:
        voice.note(f"The flip is taken away: {why}.")
        with suppress(CascadeError):
            await in_background(lambda: control.unflip(who=plan.name, reason=why))
        switch.forget()

    return trip


def _breakers(plan: Plan) -> tuple[Breaker, ...]:
    return (
        Breaker("student_parse_fail", plan.rules.most_parse_failures),
        Breaker("grounding_violation", plan.rules.most_ungrounded),
    )


def _author(plan: Plan) -> Teacher:
    new_id = (lambda: uuid4().hex) if plan.rules.with_traces else None
    return Teacher(plan.teacher.endpoint.model, plan.teacher.prompt.hash, new_id)


async def _opened_database(
    plan: Plan, pool: Pool, watch: DatabaseWatch, stop: Stop, *, once: bool
) -> tuple[Queue, Writer]:
    """Look at the tables; a worker that is to go on for ever waits for a database that is away."""
    while True:
        try:
            found = await stop.before(in_background(lambda: _look(plan, pool)))
        except DependencyError as error:
            if once:
                raise
            await stop.within(watch.lost(error))
        else:
            if found is not None:
                watch.answered()
                return found
        if stop.failure is not None:
            raise stop.failure


def _look(plan: Plan, pool: Pool) -> tuple[Queue, Writer]:
    settings = QueueSettings(plan.rules.max_attempts, plan.rules.lease_s)
    queue = Queue.open(pool, plan.mapping, settings, plan.name, random=Random())  # noqa: S311 - spreads retries
    queue.rehearse()
    with pool.explained() as connection:
        check_writable(connection, plan.graph)
        graph = Graph.open(connection, plan.graph)
    control = Control(pool, plan.mapping.schema)
    writer = Writer.open(pool, plan.mapping, queue, graph, control, plan.author, random=Random())  # noqa: S311 - as above
    return queue, writer


async def _student_desk(
    plan: Plan,
    stack: AsyncExitStack,
    switch: Switchboard,
    stop: Stop,
    clock: Clock,
    measures: Measures,
    refused: Callable[[str], None],
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
        refused,
        asked.prices,
    )


LookUp = Callable[[Sequence[Claimed]], Mapping[str, StudentAnswer]]


def _look_up(plan: Plan, pool: Pool, queue: Queue) -> LookUp:
    if plan.student is None:
        return lambda _: {}
    return Answers(pool, plan.mapping, queue, plan.student.endpoint.model, plan.student.shape.name).to


def _agreements(plan: Plan, look_up: LookUp, measures: Measures) -> Agreements | None:
    if plan.agrees is None:
        return None
    return Agreements(plan.agrees, lambda claim: look_up([claim]).get(claim.event_id), measures)


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

    def used(reply: Reply) -> None:
        measures.used("teacher", reply.prompt_tokens, reply.completion_tokens, asked.prices)

    caller = await stack.enter_async_context(Caller.open(asked.endpoint, limits, pace, rest=rest))
    client = TeacherClient(caller, asked.prompt.text, asked.max_tokens, used)
    return TeacherDesk(
        client.ask, Outages(clock.now), plan.rules.events_per_call, alone_from, clock.now, measures, refused
    )
