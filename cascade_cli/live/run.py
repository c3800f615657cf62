"""``cascade run`` from end to end: what is asked for, one process or several, what came of it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cascade_cli import __version__
from cascade_cli.config import (
    LIVE_ENABLED,
    LIVE_MAX_ESCALATIONS_PER_MIN,
    LIVE_METRICS_PORT,
    POLICY_HIGH_VALUE_CATEGORIES,
    POSTGRES_PREPARE,
    STUDENT_ENDPOINT,
    TEACHER_MAX_TOKENS,
    Settings,
)
from cascade_cli.console import Console, Result, say
from cascade_cli.database_in_force import columns_in_force, database_url, graph_in_force
from cascade_cli.endpoints import (
    endpoint_of,
    limits_of,
    read_shape,
    read_system_prompt,
    request_of,
    teacher_endpoint_of,
    teacher_limits_of,
)
from cascade_cli.errors import CascadeError, DependencyError, TooManyItemErrors, UsageError
from cascade_cli.event_loop import Stop, at_once
from cascade_cli.live.assembling import work
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.ending import Fate
from cascade_cli.live.flipping import FlipWish, check_graph, check_switches, permit_flip
from cascade_cli.live.handling import FAILED
from cascade_cli.live.killing import who_switches
from cascade_cli.live.measures import Measures
from cascade_cli.live.modes import Environment
from cascade_cli.live.plan import Plan, Student, TeacherPlan, Voice, Worked
from cascade_cli.live.rules import Rules
from cascade_cli.live.simulated import with_ceiling
from cascade_cli.live.studying import Unasked
from cascade_cli.policy import Policy
from cascade_cli.postgres.cleansing import cleansed
from cascade_cli.postgres.control import Control
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
        max_error_rate: share in [0, 1] of events that fail for good, that is borne.
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
    max_error_rate: float = 0.05


def run_live(live: Live, settings: Settings, console: Console) -> Result:
    """Work through the queue.

    Raises:
        UsageError: something is missing without which nothing may be claimed, or the flip is refused.
        DependencyError: the database is away, where the run is to end by itself.
        Interrupted, Terminated: a second signal.
    """
    if live.flip:
        settings = with_ceiling(settings, live.policy.fingerprint)
    if live.max_events is not None:
        # One without a share would claim nothing, and have no reason to end.
        live = replace(live, workers=min(live.workers, live.max_events))
    plan = plan_of(live, settings)
    if live.flip:
        _permit_flip(live, settings, plan, console)
        console.note(_ceiling_told(settings))
    if live.workers > 1:
        from cascade_cli.live.crew import work_together

        return tell(work_together(live, settings, console), live.max_error_rate)
    return tell([work_alone(plan, live, console)], live.max_error_rate)


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
    teacher = TeacherPlan(
        teacher_endpoint_of(settings),
        teacher_limits_of(settings),
        read_system_prompt(settings),
        settings[TEACHER_MAX_TOKENS],
        teacher_prices(settings),
    )
    dsn = database_url(settings)
    enabled, has_student = settings[LIVE_ENABLED], settings[STUDENT_ENDPOINT] is not None
    _check_flip(live, enabled=enabled, has_student=has_student)
    name = cleansed(live.name) or f"{socket.gethostname()}-{os.getpid() if parent is None else parent}"
    return Plan(
        name if live.workers == 1 else f"{name}-{number}",
        dsn,
        columns_in_force(settings),
        graph_in_force(settings),
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
    measures = Measures()

    def to_stderr(line: str) -> None:
        if not say(sys.stderr, line):
            measures.lost_line()

    voice = Voice(console.note, to_stderr if live.log else None, measures)
    try:
        return asyncio.run(work(plan, voice, stop))
    except asyncio.CancelledError:
        raise at_once(stop, "cascade run") from None


_UNANSWERED: Mapping[str, str] = {
    Unasked.AWAY.value: "for nobody answered at its address",
    Unasked.OFF.value: "for it was switched off",
    Unasked.STOPPED.value: "for the worker ended",
    Unasked.LATE.value: "for it came long after the teacher's",
}


def tell(all_worked: Sequence[Worked], max_error_rate: float) -> Result:
    """What all workers did, together; the worst failure is the command's.

    Args:
        all_worked: what each did.
        max_error_rate: share of the events brought to an end that may have failed; above it that is a failure, too.
    """
    ends = sum((Counter(worked.ends) for worked in all_worked), Counter[str]())
    unanswered = sum((Counter(worked.unanswered) for worked in all_worked), Counter[str]())
    failures = [worked.failure for worked in all_worked if worked.failure is not None]
    stopped_by = next((worked.stopped_by for worked in all_worked if worked.stopped_by), None)
    data = {
        "workers": len(all_worked),
        "claimed": sum(worked.claimed for worked in all_worked),
        "ends": dict(sorted(ends.items())),
        "stopped_by": stopped_by,
        "unanswered": dict(sorted(unanswered.items())),
    }
    told = ", ".join(f"{count:,} {end.replace('_', ' ')}" for end, count in sorted(ends.items())) or "nothing"
    failure = max(failures, key=lambda each: each.exit_code, default=None)
    is_partial = failure is not None
    failure = failure or _too_many_failed(ends, max_error_rate)
    blocks = (f"{data['claimed']:,} claims: {told}.", *_unanswered_told(unanswered))
    return Result(data, blocks, partial=is_partial, failure=failure)


def _unanswered_told(unanswered: Counter[str]) -> Iterator[str]:
    if unanswered:
        why = ", ".join(f"{count:,} {_UNANSWERED[each]}" for each, count in sorted(unanswered.items()))
        yield f"In shadow {unanswered.total():,} of them are without the student's answer: {why}."


def _too_many_failed(ends: Mapping[str, int], max_error_rate: float) -> CascadeError | None:
    failed = ends.get(FAILED, 0)
    over = failed + sum(count for end, count in ends.items() if end.startswith(Fate.WRITTEN.value))
    if not failed or failed <= max_error_rate * over:
        return None
    return TooManyItemErrors(
        f"{failed:,} of {over:,} events failed for good, more than {max_error_rate:.1%}.",
        hint="Their rows say why (last_error). Put them back when it is mended, or raise --max-error-rate.",
    )


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
                control = Control(pool, plan.mapping.schema)
                check_switches(control, plan.rules.kill_file)
                permit_flip(settings, control, wish, datetime.now(UTC))
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
