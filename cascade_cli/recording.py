"""Writing down what was run: id, version, settings without secrets, counts, times, status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from cascade_cli import __version__
from cascade_cli.config import Settings
from cascade_cli.errors import Interrupted, Terminated
from cascade_cli.redaction import redact
from cascade_cli.workspace import Run, Workspace


@dataclass(slots=True)
class OpenRun:
    """A run under way; ``counts`` and ``status`` are filled as it goes.

    Attributes:
        run_id: identity.
        counts: what was done, by name.
        status: what it ends with unless an error ends it.
    """

    run_id: str
    counts: dict[str, int] = field(default_factory=dict)
    status: str = "finished"


@contextmanager
def recorded_run(
    workspace: Path,
    command: str,
    settings: Settings,
    *,
    options: Mapping[str, object] | None = None,
    continued: str | None = None,
) -> Iterator[OpenRun]:
    """Record a run in the workspace: at its start, and how it ended.

    A process that is killed leaves the run ``running``, which tells the reader as much.

    Args:
        workspace: its folder, made where it is absent.
        command: its name.
        settings: are recorded without secrets.
        options: recorded beside the settings; what JSON can say.
        continued: the run that goes on; None begins one.
    """
    started_at = datetime.now(UTC)
    run = OpenRun(continued or f"{started_at:%Y%m%dT%H%M%S}-{token_hex(3)}")
    with Workspace.open(workspace, "write") as opened:
        if continued is None:
            opened.start_run(
                Run(run.run_id, command, __version__, {**shown_settings(settings), **(options or {})}, started_at)
            )
        else:
            opened.continue_run(run.run_id)
    status = "interrupted"
    try:
        yield run
        status = run.status
    except (Interrupted, Terminated):
        raise
    except Exception:
        status = "failed"
        raise
    finally:
        with Workspace.open(workspace, "write") as opened:
            opened.finish_run(run.run_id, status, run.counts, datetime.now(UTC))


def shown_settings(settings: Settings) -> dict[str, str | None]:
    """The settings as texts; an address may hold a password, which is no secret to the settings."""
    return {key: redact(str(value)) if value is not None else None for key, value in settings.without_secrets.items()}
