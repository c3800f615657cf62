"""The recorded pairs of a file or of the workspace, scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cascade_cli.config import WORKSPACE_PATH, Settings
from cascade_cli.console import Console
from cascade_cli.moments import read_since
from cascade_cli.recording import recorded_run
from cascade_cli.records import BadRow, Row
from cascade_cli.scoring.cached import score_workspace
from cascade_cli.scoring.frames import Intake, Request, Scored, Through, score_stream
from cascade_cli.sources import read_rows
from cascade_cli.workspace import PairFilter, Workspace, stream_pairs


@dataclass(frozen=True, slots=True)
class PairSource:
    """Which pairs a command reads.

    Attributes:
        location: a file or ``-``; None for the workspace.
        since: only traces created since then; as typed; None for all.
        strict: the first unreadable line is fatal.
        processes: how many to use.
        student_model: answers of this student alone; None for all.
    """

    location: str | None = None
    since: str | None = None
    strict: bool = False
    processes: int = 1
    student_model: str | None = None

    def rows_of_file(self) -> Iterator[Row | BadRow]:
        """The rows of the file; with ``since`` those that are dated then or later, or not dated."""
        rows = read_rows(self.location or "-", strict=self.strict)
        only = self.filter()
        return (row for row in rows if isinstance(row, BadRow) or _is_wanted(row, only))

    def rows_of_workspace(self, settings: Settings, event_id: str | None = None) -> Iterator[Row]:
        """The pairs of the workspace, of one event or of all."""
        return stream_pairs(settings[WORKSPACE_PATH], self.filter(event_id))

    def filter(self, event_id: str | None = None, *, all_samples: bool = False) -> PairFilter:
        """The same as the workspace asks it."""
        since = read_since(self.since, datetime.now(UTC)) if self.since else None
        return PairFilter(since=since, event_id=event_id, student_model=self.student_model, all_samples=all_samples)


def _is_wanted(row: Row, only: PairFilter) -> bool:
    made, answer = row.trace.created_at, row.answer
    if only.since is not None and made is not None and made < only.since:
        return False
    return only.student_model is None or answer is None or answer.student_model == only.student_model


def look_at_pairs(
    source: PairSource,
    request: Request,
    path: Path,
    *,
    advance: Callable[[int], None] = lambda _items: None,
    through: Through = iter,
) -> Scored:
    """Score every pair and write nothing: neither a run nor what is new.

    Args:
        source: which pairs.
        request: what to work out.
        path: of the workspace.
        advance: told of every row that was taken.
        through: sees all rows as they pass.

    Raises:
        CascadeError: nothing could be read.
    """
    if source.location is not None:
        return score_stream(Intake(through(source.rows_of_file()), advance), request, processes=source.processes)
    return score_workspace(
        path, source.filter(), request, processes=source.processes, advance=advance, through=through, keep=False
    )


def score_pairs(
    source: PairSource,
    request: Request,
    settings: Settings,
    console: Console,
    *,
    command: str,
    through: Through = iter,
) -> tuple[Scored, str | None]:
    """Score every pair; of a workspace what is new is kept and the run is recorded.

    Args:
        source: which pairs.
        request: what to work out.
        settings: where the workspace is.
        console: is told of the progress.
        command: the name under which a run is recorded.
        through: sees all rows as they pass, those too that a later one replaces.

    Returns:
        What was worked out, and the id of the run; None where none is recorded.

    Raises:
        CascadeError: nothing could be read.
    """
    if source.location is not None:
        with console.progress("scoring") as advance:
            return score_stream(
                Intake(through(source.rows_of_file()), advance), request, processes=source.processes
            ), None
    path = settings[WORKSPACE_PATH]
    with Workspace.open(path):
        pass  # without one there is nothing to score, and none is made
    with recorded_run(path, command, settings) as run, console.progress("scoring") as advance:
        scored = score_workspace(
            path,
            source.filter(all_samples=request.all_samples),
            request,
            processes=source.processes,
            advance=advance,
            through=through,
        )
        run.counts |= {"pairs": len(scored.figures), "cached": scored.cached, "not_asked": scored.not_asked}
    return scored, run.run_id
