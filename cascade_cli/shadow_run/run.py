"""``cascade shadow`` from end to end: pull, ask, fold, tell."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cascade_cli.clients import StudentRequest
from cascade_cli.config import (
    COMMAND_LINE,
    POSTGRES_URL,
    STUDENT_MAX_PROMPT_CHARS,
    STUDENT_MODEL,
    STUDENT_TEMPERATURE,
    WORKSPACE_PATH,
    Settings,
)
from cascade_cli.console import Console, Result
from cascade_cli.endpoints import Shape, endpoint_of, limits_of, read_shape, request_of
from cascade_cli.errors import UsageError
from cascade_cli.event_loop import Stop, at_once
from cascade_cli.pull_sources import pull_database, pull_file, told, too_many_bad
from cascade_cli.pulling import PullReport
from cascade_cli.recording import recorded_run
from cascade_cli.replay import Wanted, fold_everything
from cascade_cli.shadow_run.alone import alone
from cascade_cli.shadow_run.asked import (
    COMMAND,
    Shadow,
    check_flags,
    recorded,
    resume_command,
    resumed,
    retry_command,
    temperature_of,
    unfinished,
)
from cascade_cli.shadow_run.budget import Budget
from cascade_cli.shadow_run.estimating import estimate
from cascade_cli.shadow_run.replaying import Plan, Replayed, replay
from cascade_cli.shadow_run.scored import score_and_simulate
from cascade_cli.shadow_run.telling import NOTHING_OPEN, Told, status_of, tell, tell_estimate
from cascade_cli.token_prices import student_prices
from cascade_cli.workspace import Questions, Run, Workspace


@dataclass(frozen=True, slots=True)
class _Begun:
    """The flags once a resumed run has had its say.

    Attributes:
        asked: the flags.
        settings: of the configuration.
        shape: how events are shown.
        request: what each call holds.
        continued: the run that goes on; None where one begins.
    """

    asked: Shadow
    settings: Settings
    shape: Shape
    request: StudentRequest
    continued: Run | None

    @property
    def folder(self) -> Path:
        return self.settings[WORKSPACE_PATH]

    def wanted(self, run_id: str) -> Wanted:
        asked, settings = self.asked, self.settings
        questions = Questions(
            settings[STUDENT_MODEL],
            self.shape.name,
            asked.samples or 1,
            asked.since,
            run_id,
            asked.retry_errors,
            settings[STUDENT_MAX_PROMPT_CHARS],
        )
        return Wanted(self.folder, questions, self.shape.template)


def run_shadow(asked: Shadow, settings: Settings, console: Console) -> Result:
    """Pull what is new, ask the student about what is open, and tell what came of it.

    Raises:
        UsageError: flags contradict each other, there is nothing to read, or another shadow is at work.
        DependencyError: database, endpoint or disk refuse.
        TooManyItemErrors: more rows than are borne cannot be read.
    """
    check_flags(asked, settings, temperature_given=settings.origin(STUDENT_TEMPERATURE) == COMMAND_LINE)
    shape, folder = read_shape(settings), settings[WORKSPACE_PATH]
    if not asked.dry_run:
        endpoint_of(settings)  # refused before anything is pulled
    _prepare(asked, settings)
    with nullcontext() if asked.dry_run else alone(folder):
        if not asked.dry_run:
            fold_everything(folder)
        begun = _begin(asked, settings, shape)
        report = None if begun.continued else _pull(asked, settings, console)
        return _estimated(begun, report) if asked.dry_run else _asked(begun, report, console)


def _prepare(asked: Shadow, settings: Settings) -> None:
    """See that there is something to read before a lock is taken; what is pulled needs a workspace to go to."""
    folder = settings[WORKSPACE_PATH]
    if asked.source not in {None, "-"} and not Path(str(asked.source)).exists():
        raise UsageError(f"There is no file {asked.source}.")
    if not asked.resume and (asked.source is not None or settings[POSTGRES_URL] is not None):
        with Workspace.open(folder, "write"):
            pass
    elif not Workspace.exists(folder):
        raise UsageError(
            f"There is no workspace at {folder}, and nothing to pull from.",
            hint="Give a file (JSON Lines or Parquet), or set DATABASE_URL.",
        )


def _begin(asked: Shadow, settings: Settings, shape: Shape) -> _Begun:
    if not asked.resume:
        return _Begun(asked, settings, shape, request_of(settings), None)
    run = unfinished(settings[WORKSPACE_PATH], settings[STUDENT_MODEL], shape.name)
    temperature = temperature_of(run.configuration, settings[STUDENT_TEMPERATURE])
    return _Begun(resumed(asked, run.configuration), settings, shape, request_of(settings, temperature), run)


def _pull(asked: Shadow, settings: Settings, console: Console) -> PullReport | None:
    """What is new, None where there is nothing to pull from.

    Raises:
        TooManyItemErrors: more rows than are borne cannot be read; nothing is asked then.
    """
    if asked.source is None and settings[POSTGRES_URL] is None:
        return None
    with console.progress("rows") as advance:
        if asked.source is None:
            report = pull_database(settings, asked.since)
        else:
            report = pull_file(asked.source, settings, asked.since, strict=asked.strict, advance=advance)
    if (failure := too_many_bad(report, asked.max_error_rate)) is not None:
        raise failure
    return report


def _estimated(begun: _Begun, report: PullReport | None) -> Result:
    data = estimate(begun.wanted(""), begun.request, begun.settings)
    return tell_estimate(data, _pulled(report), told(report) if report else ())


def _pulled(report: PullReport | None) -> dict[str, object] | None:
    return None if report is None else asdict(report)


def _asked(begun: _Begun, report: PullReport | None, console: Console) -> Result:
    options = recorded(begun.asked, begun.request.temperature, begun.shape.name)
    continued = begun.continued.run_id if begun.continued else None
    with recorded_run(begun.folder, COMMAND, begun.settings, options=options, continued=continued) as run:
        plan = _plan(begun, run.run_id)
        stop = Stop()
        replayed = _replayed(plan, stop, console, resume_command(begun.asked, begun.settings))
        fold_everything(begun.folder)
        ended = _told(begun, plan, stop, replayed, report)
        run.status = status_of(ended)
        run.counts.update(
            answered=ended.totals.answered, errors=sum(ended.totals.failed.values()), requests=ended.requests
        )
        result = tell(ended)
    if begun.asked.score and result.failure is None:
        return _with_scores(result, begun, console)
    return result


def _with_scores(result: Result, begun: _Begun, console: Console) -> Result:
    scored, simulated = score_and_simulate(begun.asked, begun.settings, console)
    assert isinstance(result.data, dict)  # noqa: S101 - tell() returns nothing else
    return replace(
        result,
        data=result.data | {"score": scored.data, "simulation": simulated.data},
        blocks=(*result.blocks, *scored.blocks, *simulated.blocks),
        warnings=(*result.warnings, *scored.warnings, *simulated.warnings),
        failure=scored.failure or simulated.failure,
    )


def _plan(begun: _Begun, run_id: str) -> Plan:
    settings, wanted = begun.settings, begun.wanted(run_id)
    with Workspace.open(begun.folder) as workspace:
        open_before = workspace.count_open(wanted.questions)
    budget = Budget(begun.asked, student_prices(settings))
    return Plan(
        begun.asked, settings, wanted, endpoint_of(settings), limits_of(settings), begun.request, budget, open_before
    )


def _replayed(plan: Plan, stop: Stop, console: Console, resume: str) -> Replayed:
    try:
        return asyncio.run(replay(plan, stop, console))
    except asyncio.CancelledError:
        raise at_once(stop, resume) from None


def _told(begun: _Begun, plan: Plan, stop: Stop, replayed: Replayed, report: PullReport | None) -> Told:
    questions = plan.wanted.questions
    with Workspace.open(begun.folder) as workspace:
        totals = workspace.totals(questions.run_id)
        left = workspace.count_open(questions)
        errors = workspace.first_errors(questions.run_id, 5)
    counted = replayed.requests + (begun.continued.counts.get("requests", 0) if begun.continued else 0)
    return Told(
        plan,
        stop,
        replayed,
        totals,
        max(totals.requests, counted),
        left,
        tuple(errors),
        _pulled(report),
        _warnings(plan, report),
        resume_command(begun.asked, begun.settings),
        retry_command(begun.asked, begun.settings),
    )


def _warnings(plan: Plan, report: PullReport | None) -> tuple[str, ...]:
    of_pull = told(report) if report else ()
    if plan.open_before or plan.asked.follow:
        return of_pull
    return (*of_pull, NOTHING_OPEN)
