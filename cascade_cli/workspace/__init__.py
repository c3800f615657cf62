"""What was pulled, answered, scored and run, in one DuckDB file that many short commands share."""

from cascade_cli.workspace.batching import batches
from cascade_cli.workspace.folding import fold, fold_all
from cascade_cli.workspace.pairs import Bookmark
from cascade_cli.workspace.questions import Ahead, OpenPage
from cascade_cli.workspace.records import (
    Added,
    Awaited,
    Counts,
    Experience,
    Failure,
    FlipGate,
    OpenEvent,
    Outcome,
    PairFilter,
    Questions,
    Run,
    SimulatedRate,
    Spooled,
    Totals,
    Window,
)
from cascade_cli.workspace.spool import Spool
from cascade_cli.workspace.workspace import Workspace, read_scores, stream_pairs, weight

__all__ = [
    "Added",
    "Ahead",
    "Awaited",
    "Bookmark",
    "Counts",
    "Experience",
    "Failure",
    "FlipGate",
    "OpenEvent",
    "OpenPage",
    "Outcome",
    "PairFilter",
    "Questions",
    "Run",
    "SimulatedRate",
    "Spool",
    "Spooled",
    "Totals",
    "Window",
    "Workspace",
    "batches",
    "fold",
    "fold_all",
    "read_scores",
    "stream_pairs",
    "weight",
]
