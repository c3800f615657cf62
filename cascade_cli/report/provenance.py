"""Where a page's figures come from: version, inputs, settings without secrets, what was run before."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cascade_cli import __version__
from cascade_cli.config import WORKSPACE_PATH, Settings
from cascade_cli.recording import shown_settings
from cascade_cli.redaction import MASK
from cascade_cli.report.repeating import Command
from cascade_cli.scoring import PairSource, Scored
from cascade_cli.workspace import Run, Workspace

_MOST_RUNS = 10


@dataclass(frozen=True, slots=True)
class Provenance:
    """What whoever doubts a figure needs to get it again.

    Attributes:
        version: of cascade.
        made_at: aware UTC.
        run_id: the recorded run; None where none is recorded.
        source: the file or the workspace, as given.
        source_bytes: of the file; None for a workspace.
        source_sha256: likewise.
        since: only pairs since then, as typed; None for all.
        first_at: moment of the first dated trace, aware UTC; None where none is dated.
        last_at: of the last.
        students: their names.
        settings: key -> value and origin, secrets masked.
        commands: which print the figures again.
        runs: the latest of the workspace, newest first.
    """

    version: str
    made_at: datetime
    run_id: str | None
    source: str
    source_bytes: int | None
    source_sha256: str | None
    since: str | None
    first_at: datetime | None
    last_at: datetime | None
    students: tuple[str, ...]
    settings: Mapping[str, tuple[str | None, str]]
    commands: tuple[Command, ...]
    runs: tuple[Run, ...] = ()

    @property
    def argument(self) -> str:
        """How a command is told the same input."""
        if self.source == MASK:
            return "FILE"
        return shlex.quote(self.source) if self.source_bytes is not None else f"--workspace {shlex.quote(self.source)}"


def provenance_of(pairs: PairSource, scored: Scored, settings: Settings, commands: tuple[Command, ...]) -> Provenance:
    """Note where scored pairs came from, now; the run is the caller's to know."""
    dated = scored.figures["created_at"].drop_nulls()
    file = None if pairs.location is None else Path(pairs.location)
    origins = {key: found.origin for key, found in settings.resolved.items()}
    return Provenance(
        version=__version__,
        made_at=datetime.now(UTC),
        run_id=None,
        source=str(file or settings[WORKSPACE_PATH]),
        source_bytes=None if file is None else file.stat().st_size,
        source_sha256=None if file is None else _sha256(file),
        since=pairs.since,
        first_at=dated.min(),  # type: ignore[arg-type]  # a column of moments has one for its least
        last_at=dated.max(),  # type: ignore[arg-type]
        students=tuple(sorted(scored.figures["student_model"].unique())),
        settings={key: (value, origins[key]) for key, value in shown_settings(settings).items()},
        commands=commands,
        runs=() if file else _runs(settings[WORKSPACE_PATH]),
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _runs(path: Path) -> tuple[Run, ...]:
    with Workspace.open(path) as workspace:
        return tuple(workspace.runs(_MOST_RUNS))
