"""What was asked of ``cascade shadow``: the flags, what a resumed run takes over, and which of them go together."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import TypeVar

from cascade_cli.config import (
    COMMAND_LINE,
    STUDENT_CONCURRENCY,
    STUDENT_MODEL,
    WORKSPACE_PATH,
    Setting,
    Settings,
)
from cascade_cli.errors import UsageError
from cascade_cli.token_prices import student_prices
from cascade_cli.workspace import Run, Workspace

V = TypeVar("V")

COMMAND = "shadow"
DEFAULT_POLL_S = 10.0
DEFAULT_ERROR_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Shadow:
    """What was asked.

    Attributes:
        source: a file or ``-``; None for the configured database, or for what the workspace holds.
        since: aware; events of traces created then or later; None for all.
        samples: answers wanted for each event; None for 1, or what the resumed run says.
        retry_errors: ask again what failed in earlier runs.
        resume: go on with the latest unfinished run.
        follow: go on for ever, beside live traffic.
        poll_s: between two looks for what is new.
        dry_run: ask nothing, count what would be asked.
        max_items: questions after which no further is asked; None for no limit.
        max_cost_usd: dollars, likewise.
        max_duration_s: seconds of asking, likewise.
        score: score and simulate afterwards.
        max_error_rate: share in [0, 1] of questions without an answer, and of rows that cannot be read, that is borne.
        strict: the first line that cannot be read ends it.
    """

    source: str | None = None
    since: datetime | None = None
    samples: int | None = None
    retry_errors: bool = False
    resume: bool = False
    follow: bool = False
    poll_s: float = DEFAULT_POLL_S
    dry_run: bool = False
    max_items: int | None = None
    max_cost_usd: float | None = None
    max_duration_s: float | None = None
    score: bool = False
    max_error_rate: float = DEFAULT_ERROR_RATE
    strict: bool = False


def check_flags(asked: Shadow, settings: Settings, *, temperature_given: bool) -> None:
    """Refuse flags that contradict each other, before anything is done.

    Raises:
        UsageError: they do.
    """
    begun = {
        "SOURCE": asked.source is not None,
        "--since": asked.since is not None,
        "--samples": asked.samples is not None,
        "--temperature": temperature_given,
        "--retry-errors": asked.retry_errors,
        "--dry-run": asked.dry_run,
    }
    given = [flag for flag, is_given in begun.items() if is_given]
    if asked.resume and given:
        raise UsageError(f"--resume goes on as the run began: leave out {', '.join(given)}.")
    if asked.follow and asked.source is not None:
        raise UsageError("--follow reads the database again and again; a file does not grow.", hint="Leave SOURCE out.")
    for flag, value in {"--max-cost": asked.max_cost_usd, "--poll": asked.poll_s}.items():
        if value is not None and not isfinite(value):
            raise UsageError(f"{flag} {value} is no amount.")
    if asked.max_cost_usd is not None and student_prices(settings) is None:
        raise UsageError(
            "--max-cost needs the student's prices.",
            hint="Set student_input_usd and student_output_usd under [cost] in cascade.toml.",
        )


def recorded(asked: Shadow, temperature: float, shape: str) -> dict[str, object]:
    """The options as the run records them, in words of JSON."""
    return {
        "shadow.since": None if asked.since is None else asked.since.isoformat(),
        "shadow.samples": asked.samples or 1,
        "shadow.temperature": temperature,
        "shadow.prompt_shape": shape,
        "shadow.retry_errors": asked.retry_errors,
        "shadow.follow": asked.follow,
        "shadow.poll_s": asked.poll_s,
        "shadow.max_items": asked.max_items,
        "shadow.max_cost_usd": asked.max_cost_usd,
        "shadow.max_duration_s": asked.max_duration_s,
    }


def unfinished(folder: Path, student_model: str, shape: str) -> Run:
    """The run that is resumed.

    Raises:
        UsageError: there is none, or it asked another student or in another way.
    """
    with Workspace.open(folder) as workspace:
        run = workspace.unfinished_run(COMMAND)
    if run is None:
        raise UsageError(f"There is no unfinished shadow run in {folder}.", hint="Leave --resume out to begin one.")
    asked_then = (run.configuration.get(STUDENT_MODEL.key), run.configuration.get("shadow.prompt_shape"))
    if asked_then != (student_model, shape):
        raise UsageError(
            f"Run {run.run_id} asked {asked_then[0]} by {asked_then[1]}, now it would be {student_model} by {shape}.",
            hint="Set the student and its template as they were, or leave --resume out to begin anew.",
        )
    return run


def resumed(asked: Shadow, configuration: Mapping[str, object]) -> Shadow:
    """The same with what the run began with; limits count from now on."""
    since, samples, poll_s = (configuration.get(f"shadow.{name}") for name in ("since", "samples", "poll_s"))
    return replace(
        asked,
        since=datetime.fromisoformat(since) if isinstance(since, str) else None,
        samples=samples if isinstance(samples, int) else 1,
        retry_errors=bool(configuration.get("shadow.retry_errors")),
        follow=asked.follow or bool(configuration.get("shadow.follow")),
        poll_s=poll_s if isinstance(poll_s, float) and asked.poll_s == DEFAULT_POLL_S else asked.poll_s,
    )


def temperature_of(configuration: Mapping[str, object], otherwise: float) -> float:
    """The temperature that a run began with."""
    found = configuration.get("shadow.temperature")
    return float(found) if isinstance(found, int | float) else otherwise


def resume_command(asked: Shadow, settings: Settings) -> str:
    """What to type to go on: all that was given on the command line and is not recorded; limits count anew."""
    return shlex.join(["cascade", COMMAND, "--resume", *_again(asked, settings)])


def retry_command(asked: Shadow, settings: Settings) -> str:
    """What to type to ask once more what got no answer."""
    samples = ["--samples", str(asked.samples)] if asked.samples else []
    return shlex.join(["cascade", COMMAND, "--retry-errors", *samples, *_again(asked, settings)])


def other_command(settings: Settings, *words: str) -> str:
    """What to type for another command over the same workspace."""
    return shlex.join(["cascade", *words, *_as_given(settings, WORKSPACE_PATH, "--workspace")])


def _again(asked: Shadow, settings: Settings) -> list[str]:
    limits = {
        "--max-items": asked.max_items,
        "--max-cost": asked.max_cost_usd,
        "--max-duration": None if asked.max_duration_s is None else f"{asked.max_duration_s:g}s",
        "--max-error-rate": None if asked.max_error_rate == DEFAULT_ERROR_RATE else asked.max_error_rate,
    }
    return [
        *_as_given(settings, WORKSPACE_PATH, "--workspace"),
        *_as_given(settings, STUDENT_MODEL, "--student-model"),
        *_as_given(settings, STUDENT_CONCURRENCY, "--concurrency"),
        *(word for flag, value in limits.items() if value is not None for word in (flag, str(value))),
        *(["--score"] if asked.score else []),
    ]


def _as_given(settings: Settings, setting: Setting[V], flag: str) -> list[str]:
    return [flag, str(settings[setting])] if settings.origin(setting) == COMMAND_LINE else []
