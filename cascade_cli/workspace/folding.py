"""From the spool into the database, a bounded number of rows at a time, whenever nobody else has it open."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cascade_cli.errors import DependencyError
from cascade_cli.workspace.database import LOCK_WAIT_S
from cascade_cli.workspace.spool import Spool
from cascade_cli.workspace.workspace import Workspace

FOLD_ROWS: Final = 4_000
"""So few that nobody waits for the database longer than a fraction of a second."""


def fold(folder: Path, spool: Spool, *, wait_s: float = 0.0, rows: int = FOLD_ROWS) -> int:
    """Move the oldest outcomes; they are in the database before they leave the spool, so a kill loses none.

    Args:
        folder: of the workspace.
        spool: open for writing.
        wait_s: how long to wait for whoever has the database open.
        rows: at most so many.

    Returns:
        How many were moved; 0 where the database is taken: it will be free another time.
    """
    if not len(spool):
        return 0
    try:
        # Read and forgotten while nobody else can fold: what another has folded meanwhile does not come again.
        with Workspace.open(folder, "write", wait_s=wait_s) as workspace:
            taken = spool.first(rows)
            workspace.add_outcomes(spool.identity, taken)
            spool.forget([each.seq for each in taken])
    except DependencyError:
        if wait_s:
            raise
        return 0
    return len(taken)


def fold_all(folder: Path, spool: Spool, *, wait_s: float = LOCK_WAIT_S) -> int:
    """Move everything, waiting for whoever has the database open.

    Raises:
        DependencyError: it is not let go in time.
    """
    moved = 0
    while now := fold(folder, spool, wait_s=wait_s):
        moved += now
    spool.truncate()
    return moved
