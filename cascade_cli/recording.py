"""Writing down what was run: id, version, settings without secrets, counts, times, status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from cascade_cli import __version__
from cascade_cli.config import Settings
from cascade_cli.workspace import Run, Workspace


@dataclass(slots=True)
class OpenRun:
    """A run under way; ``counts`` is filled as it goes."""

    run_id: str
    counts: dict[str, int] = field(default_factory=dict)


@contextmanager
def recorded_run(workspace: Path, command: str, settings: Settings) -> Iterator[OpenRun]:
    """Record a run in the workspace: at its start, and how it ended.

    A process that is killed leaves the run ``running``, which tells the reader as much.
    """
    started_at = datetime.now(UTC)
    run = OpenRun(f"{started_at:%Y%m%dT%H%M%S}-{token_hex(3)}")
    plain = {key: str(value) if value is not None else None for key, value in settings.without_secrets.items()}
    with Workspace.open(workspace, "write") as opened:
        opened.start_run(Run(run.run_id, command, __version__, plain, started_at))
    status = "interrupted"
    try:
        yield run
        status = "finished"
    except Exception:
        status = "failed"
        raise
    finally:
        with Workspace.open(workspace, "write") as opened:
            opened.finish_run(run.run_id, status, run.counts, datetime.now(UTC))
