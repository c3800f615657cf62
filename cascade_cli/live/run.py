"""``cascade run`` from end to end: what is asked for, one process or several, what came of it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cascade_cli import __version__
from cascade_cli.config import (
    LIVE_ENABLED,
    LIVE_MAX_ESCALATIONS_PER_MIN,
    LIVE_METRICS_PORT,
    POLICY_HIGH_VALUE_CATEGORIES,
    POSTGRES_ENTITIES,
    POSTGRES_EVENTS,
    POSTGRES_FACTS,
    POSTGRES_PREPARE,
    POSTGRES_QUEUE,
    POSTGRES_RELATIONSHIPS,
    POSTGRES_SCHEMA,
    POSTGRES_TRACES,
    POSTGRES_URL,
    STUDENT_ENDPOINT,
    TEACHER_MAX_TOKENS,
    Settings,
)
from cascade_cli.console import Console, Result
from cascade_cli.endpoints import (
    endpoint_of,
    limits_of,
    read_shape,
    read_system_prompt,
    request_of,
    teacher_endpoint_of,
    teacher_limits_of,
)
from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.event_loop import Stop, at_once
from cascade_cli.live.assembling import work
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.flipping import FlipWish, check_graph, permit_flip
from cascade_cli.live.killing import who_switches
from cascade_cli.live.modes import Environment
from cascade_cli.live.plan import Plan, Student, TeacherPlan, Voice, Worked
from cascade_cli.live.rules import Rules
from cascade_cli.live.simulated import with_ceiling
from cascade_cli.policy import Policy
from cascade_cli.postgres.control import Control
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool
from cascade_cli.records import StudentAnswer, Trace
from cascade_cli.token_prices import student_prices, teacher_prices


@dataclass(frozen=True, slots=True)
class Live:
    """What was asked for.

    Attributes:
        policy: by which events are decided.
        flip: the student writes what the gates let stand.
        once: end when the queue is empty.
        max_events: claims after which no further is made; None for no limit.
        workers: processes, at least 1.
        name: of the worker; None for host and process.
        log: a line of JSON an event on standard error.
        force: a reason to flip without a passing gate; None to insist on one.
        yes: the flip is confirmed already.
        ask: shows a question and returns whether it was confirmed; None where there is no terminal.
        stage: of a rollout, of which the policy is; None where it is the end of it.
    """

    policy: Policy
    flip: bool = False
    once: bool = False
    max_events: int | None = None
    workers: int = 1
    name: str | None = None
    log: bool = False
    force: str | None = None
    yes: bool = False
    ask: Callable[[str], bool] | None = None
    stage: int | None = None


def run_live(live: Live, settings: Settings, console: Console) -> Result:
    """Work through the queue.

    Raises:
        UsageError: something is missing without which nothing may be claimed, or the flip is refused.
        DependencyError: the database is away, where the run is to end by itself.
        Interrupted, Terminated: a second signal.
    """
    if live.flip:
        settings = with_ceiling(settings, live.policy.fingerprint)
    plan = plan_of(live, settings)
    if live.flip:
        _permit_flip(live, settings, plan, console)
        console.note(_ceiling_told(settings))
    if live.workers > 1:
        from cascade_cli.live.crew import work_together

        return tell(work_together(live, settings, console))
    return tell([work_alone(plan, live, console)])


def plan_of(live: Live, settings: Settings, *, number: int = 0, parent: int | None = None) -> Plan:
    """All that one worker is told; everything that can be missing is found to be so here.

    Args:
        live: what was asked for.
        settings: as resolved.
        number: which of several processes it is.
        parent: process id of whoever started it; None for a worker of its own.

    Raises:
        UsageError: something is missing.
    """
    dsn = settings[POSTGRES_URL]
    teacher = TeacherPlan(
        teacher_endpoint_of(settings),
        teacher_limits_of(settings),
        read_system_prompt(settings),
        settings[TEACHER_MAX_TOKENS],
        teacher_prices(settings),
    )
    if dsn is None:
        raise UsageError("No database is configured.", hint="Set DATABASE_URL.")
    enabled, has_student = settings[LIVE_ENABLED], settings[STUDENT_ENDPOINT] is not None
    _check_flip(live, enabled=enabled, has_student=has_student)
    traces, events, queue = (settings[each] for each in (POSTGRES_TRACES, POSTGRES_EVENTS, POSTGRES_QUEUE))
    tables = (settings[each] for each in (POSTGRES_ENTITIES, POSTGRES_FACTS, POSTGRES_RELATIONSHIPS))
    name = live.name or f"{socket.gethostname()}-{os.getpid() if parent is None else parent}"
    return Plan(
        name if live.workers == 1 else f"{name}-{number}",
        dsn,
        ColumnMapping.of(settings[POSTGRES_SCHEMA], traces, events, queue),
        GraphMapping.of(settings[POSTGRES_SCHEMA], *tables),
        Environment(enabled, has_student, live.flip, live.policy.fingerprint, __version__),
        live.policy,
        Rules.of(settings, workers=live.workers, number=number),
        _student(settings) if enabled and has_student else None,
        teacher,
        _agrees(settings) if enabled and has_student and settings[LIVE_METRICS_PORT] is not None else None,
        live.once,
        live.max_events if live.max_events is None else _share(live.max_events, live.workers, number),
        parent,
        settings[POSTGRES_PREPARE],
    )


def work_alone(plan: Plan, live: Live, console: Console) -> Worked:
    """Work in this process.

    Raises:
        Interrupted, Terminated: a second signal.
    """
    stop = Stop()
    voice = Voice(console.note, _to_stderr if live.log else None)
    try:
        return asyncio.run(work(plan, voice, stop))
    except asyncio.CancelledError:
        raise at_once(stop, "cascade run") from None


def tell(all_worked: Sequence[Worked]) -> Result:
    """What all workers did, together; the worst failure is the command's."""
    ends = sum((Counter(worked.ends) for worked in all_worked), Counter[str]())
    failures = [worked.failure for worked in all_worked if worked.failure is not None]
    stopped_by = next((worked.stopped_by for worked in all_worked if worked.stopped_by), None)
    data = {
        "workers": len(all_worked),
        "claimed": sum(worked.claimed for worked in all_worked),
        "ends": dict(sorted(ends.items())),
        "stopped_by": stopped_by,
    }
    told = ", ".join(f"{count:,} {end.replace('_', ' ')}" for end, count in sorted(ends.items())) or "nothing"
    failure = max(failures, key=lambda each: each.exit_code, default=None)
    return Result(data, (f"{data['claimed']:,} claims: {told}.",), partial=failure is not None, failure=failure)


def _check_flip(live: Live, *, enabled: bool, has_student: bool) -> None:
    if live.flip and not enabled:
        raise UsageError("--flip, but the cascade is switched off.", hint="Set CASCADE_ENABLED=true.")
    if live.flip and not has_student:
        raise UsageError("--flip, but there is no student.", hint="Give its address: STUDENT_ENDPOINT=http://host/v1.")


def _permit_flip(live: Live, settings: Settings, plan: Plan, console: Console) -> None:
    """Ask the guard; what it granted must be written down, so a database that is away is waited for here too."""
    watch = DatabaseWatch(console.note, lambda: None)
    wish = FlipWish(who_switches(), live.force, live.yes, live.ask, live.stage)
    while True:
        try:
            with Pool(plan.dsn) as pool:
                check_graph(pool, plan.graph)
                permit_flip(settings, Control(pool, plan.mapping.schema), wish, datetime.now(UTC))
        except DependencyError as error:
            if live.once:
                raise
            # It is written down last: whoever was asked has confirmed.
            wish = replace(wish, yes=True)
            time.sleep(watch.lost(error))
        else:
            return


def _ceiling_told(settings: Settings) -> str:
    per_min, why = settings[LIVE_MAX_ESCALATIONS_PER_MIN], settings.origin(LIVE_MAX_ESCALATIONS_PER_MIN)
    most = "No ceiling of" if per_min is None else f"At most {per_min:,}"
    return f"{most} escalations a minute ({why})."


def _student(settings: Settings) -> Student:
    return Student(
        endpoint_of(settings),
        limits_of(settings),
        request_of(settings),
        read_shape(settings),
        student_prices(settings),
    )


def _agrees(settings: Settings) -> Callable[[Trace, StudentAnswer], bool | None]:
    """By the metric of ``cascade score`` as it is configured; brings libraries that a worker needs for nothing else."""
    from cascade_cli.scoring import pair_agrees, scoring_config

    config = scoring_config("default", settings.scoring, settings[POLICY_HIGH_VALUE_CATEGORIES])
    return lambda trace, answer: pair_agrees(trace, answer, config)


def _share(events: int, workers: int, number: int) -> int:
    return (events + workers - 1 - number) // workers


def _to_stderr(line: str) -> None:
    sys.stderr.write(line)
