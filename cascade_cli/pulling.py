"""From a source into the workspace, a batch at a time: whoever else wants the workspace gets in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cascade_cli.records import BadRow
from cascade_cli.workspace import Window, Workspace, batches, weight

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cascade_cli.postgres import PostgresSource
    from cascade_cli.records import Row
    from cascade_cli.workspace import Added

OVERLAP_S: Final = 900.0
MAX_ATTEMPTS: Final = 3
_SHOWN_BAD: Final = 10
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PullReport:
    """What one pull did.

    Attributes:
        read: rows that could be read.
        new_traces: traces that were not there yet.
        new_answers: student answers that were not there yet.
        seen: traces and answers that were there already.
        changed: those of the seen that now say something else; what was there first stays.
        bad: rows that could not be read.
        first_bad: the first ten of them.
        newest: the latest creation that was read, aware UTC; None where no row had a date.
        ledger: ledger rows that were written.
        warnings: what could not be looked at, one sentence each.
    """

    read: int = 0
    new_traces: int = 0
    new_answers: int = 0
    seen: int = 0
    changed: int = 0
    bad: int = 0
    first_bad: tuple[BadRow, ...] = ()
    newest: datetime | None = None
    ledger: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of a source's time to read, and what will then have been read without a gap.

    Attributes:
        source: its name in the workspace.
        start: aware UTC; where to begin reading; None at the beginning.
        since: where the part that was read without a gap will begin; None at the beginning.
        until: how far it reached before; None where this reading begins anew.
        not_after: aware UTC; rows dated later are read, but do not move the mark: their clock is wrong.
    """

    source: str
    start: datetime | None
    since: datetime | None
    until: datetime | None
    not_after: datetime

    def window(self, newest: datetime) -> Window:
        """What was read without a gap once everything up to ``newest`` is committed."""
        reached = min(newest, self.not_after)
        return Window(self.since, max(reached, self.until) if self.until else reached)


def plan(source: str, read: Window | None, since: datetime | None, not_after: datetime, overlap_s: float) -> Stretch:
    """Go on where the last pull ended, less the overlap, or begin anew where it left out what is asked for.

    Args:
        source: its name in the workspace.
        read: what was read before; None where nothing was.
        since: aware; nothing older is asked for; None asks for everything.
        not_after: the source's clock.
        overlap_s: how late a row may be committed after the moment it is dated.
    """
    if read is not None and (read.since or _BEGINNING) <= (since or _BEGINNING):
        resume = read.until - timedelta(seconds=overlap_s)
        if (since or _BEGINNING) <= resume:
            return Stretch(source, resume, read.since, read.until, not_after)
    return Stretch(source, since, since, None, not_after)


def pull(rows: Iterable[Row | BadRow], workspace_path: Path, *, stretch: Stretch | None = None) -> PullReport:
    """Bring a stream of any length into a workspace; what was there already stays as it is.

    Every batch is committed by itself and the workspace closed again, so a kill loses the batch in flight and a
    repetition completes the rest.

    Args:
        rows: read lazily; of a source with a mark, in the order of their creation.
        workspace_path: made where it is absent.
        stretch: of a source that is read on from a mark.

    Raises:
        UsageError: the workspace was made by a newer cascade.
        DependencyError: the workspace is held by another process, damaged, not writable, or the disk is full.
    """
    report = PullReport()
    with Workspace.open(workspace_path, "write"):
        pass  # An empty source leaves an empty workspace, and one that cannot be written is found before reading.
    for batch in batches(rows, _weight):
        good = [row for row in batch if not isinstance(row, BadRow)]
        dates = [row.trace.created_at for row in good]
        newest = max(filter(None, [report.newest, *dates]), default=None)
        with Workspace.open(workspace_path, "write") as workspace:
            added = workspace.add_rows(good)
            if stretch and newest:
                workspace.set_window(stretch.source, stretch.window(newest))
        bad = tuple(row for row in batch if isinstance(row, BadRow))
        report = replace(_plus(report, len(good), added, bad), newest=newest)
    return report


def pull_postgres(
    source: PostgresSource,
    workspace_path: Path,
    *,
    since: datetime | None = None,
    overlap_s: float = OVERLAP_S,
    max_attempts: int = MAX_ATTEMPTS,
) -> PullReport:
    """Bring what is new of the team's database into a workspace: what waits, ledger, student answers, then traces.

    The traces move the mark, so they come last: what a kill cuts off is read again. What waits for the teacher is kept
    before them, so that no trace is ever there without it; what is decided meanwhile is later than that.

    Args:
        source: an open one.
        workspace_path: made where it is absent.
        since: aware; nothing older is asked for; None asks for everything.
        overlap_s: how late a row may be committed after the moment it is dated.
        max_attempts: tries after which an event waits no more.
    """
    awaited = source.awaited(max_attempts)
    with Workspace.open(workspace_path, "write") as workspace:
        read = workspace.window(source.name)
        if awaited is None:
            workspace.forget_awaited(source.name)
        else:
            workspace.set_awaited(source.name, *awaited)
    stretch = plan(source.name, read, since, source.opened_at, overlap_s)
    ledger = answers = offered = 0
    for entries in batches(source.ledger(stretch.start), lambda _: 0):
        with Workspace.open(workspace_path, "write") as workspace:
            ledger += workspace.add_ledger(entries)
    for lot in batches(source.answers(stretch.start), lambda answer: len(answer.response or "")):
        offered += len(lot)
        with Workspace.open(workspace_path, "write") as workspace:
            answers += workspace.add_answers(lot)
    report = pull(source.traces(stretch.start), workspace_path, stretch=stretch)
    return replace(
        report,
        new_answers=report.new_answers + answers,
        seen=report.seen + offered - answers,
        ledger=ledger,
        warnings=source.warnings,
    )


def _plus(report: PullReport, read: int, added: Added, bad: tuple[BadRow, ...]) -> PullReport:
    return replace(
        report,
        read=report.read + read,
        new_traces=report.new_traces + added.new_traces,
        new_answers=report.new_answers + added.new_answers,
        seen=report.seen + added.seen,
        changed=report.changed + added.changed,
        bad=report.bad + len(bad),
        first_bad=(report.first_bad + bad)[:_SHOWN_BAD],
    )


def _weight(row: Row | BadRow) -> int:
    return 0 if isinstance(row, BadRow) else weight(row)
