"""``cascade compare`` from end to end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from cascade_cli.config import POLICY_HIGH_VALUE_CATEGORIES, SCORE_CLUSTER_BY, WORKSPACE_PATH, Settings
from cascade_cli.console import Console, Result
from cascade_cli.errors import CascadeError, GateFailed, NothingEvaluated, UsageError
from cascade_cli.scoring.cached import score_workspace
from cascade_cli.scoring.columns import resolve_cluster
from cascade_cli.scoring.comparing import Figures, compare_figures
from cascade_cli.scoring.configuring import scoring_config
from cascade_cli.scoring.frames import Intake, Request, Scored, score_stream, warnings_of
from cascade_cli.scoring.tables import comparison_blocks
from cascade_cli.sources import read_rows
from cascade_cli.workspace import PairFilter, Workspace


def run_compare(
    sides: tuple[str, str],
    settings: Settings,
    console: Console,
    *,
    preset: str = "default",
    listed: int = 10,
    fail_on_regression: float | None = None,
    min_n: int = 1,
) -> Result:
    """Compare two students on the events that both answered.

    Args:
        sides: each a file of recorded pairs, or the name of a student in the workspace.
        settings: as resolved.
        console: shows progress.
        preset: name of the metric's preset.
        listed: how many regressions and improvements to list.
        fail_on_regression: the loss of agreement that is borne, judged on the lower bound of B - A; None judges none.
        min_n: fewer common events are nothing to judge.
    """
    if sides == ("-", "-"):
        raise UsageError("Standard input can be only one of the two sides.")
    config = scoring_config(preset, settings.scoring, settings[POLICY_HIGH_VALUE_CATEGORIES])
    request = Request(config, cluster_by=resolve_cluster(settings[SCORE_CLUSTER_BY]))
    with console.progress("scoring") as advance:
        first, second = (_score(side, settings, request, advance) for side in sides)
    compared = compare_scored(sides, first.figures, second.figures, request, listed=listed)
    gate, failure = _judge(compared, fail_on_regression, min_n)
    warnings = tuple(warning for scored in (first, second) for warning in warnings_of(scored))
    return Result(compared, comparison_blocks(compared, sides), warnings=warnings, gate=gate, failure=failure)


def compare_scored(
    sides: tuple[str, str], first: pl.DataFrame, second: pl.DataFrame, request: Request, *, listed: int = 10
) -> Figures:
    """The figures of two students whose pairs are scored already.

    Args:
        sides: what they are called.
        first: the figures of A.
        second: the figures of B.
        request: with which both were scored.
        listed: how many regressions and improvements to list.
    """
    figures = compare_figures(first, second, listed=listed)
    return {"scorer": request.config.fingerprint, "a": sides[0], "b": sides[1], **figures}


def _score(side: str, settings: Settings, request: Request, advance: Callable[[int], None]) -> Scored:
    if side == "-" or Path(side).exists():
        return score_stream(Intake(read_rows(side), advance), request)
    path = settings[WORKSPACE_PATH]
    if not Workspace.exists(path):
        raise UsageError(
            f"There is neither a file {side!r} nor a workspace that could know a student of that name.",
            hint="Give two files of recorded pairs, or pull first.",
        )
    scored = score_workspace(path, PairFilter(student_model=side), request, advance=advance)
    if scored.figures.is_empty():
        raise UsageError(
            f"There is neither a file {side!r} nor an answer of a student of that name in {path}.",
            hint="cascade score --by student_model lists the students of the workspace.",
        )
    return scored


def _judge(
    figures: Figures, fail_on_regression: float | None, min_n: int
) -> tuple[Figures | None, CascadeError | None]:
    common = figures["events"]
    if common < min_n:
        return None, NothingEvaluated(
            f"Only {common} events have a score on both sides; at least {min_n} are wanted.",
            hint="Both sides must hold the same events under the same prompt hash.",
        )
    if fail_on_regression is None:
        return None, None
    low = figures["agreement"]["low"]
    passed = low is not None and low >= -fail_on_regression
    gate: Figures = {"name": "fail-on-regression", "threshold": fail_on_regression, "value": low, "passed": passed}
    told = "undefined" if low is None else f"{low:+.2%}"
    failure = GateFailed(f"Gate failed: B may lose {fail_on_regression:.2%} of agreement at most; its bound is {told}.")
    return gate, None if passed else failure
