"""What was pulled, answered, scored and run, in one DuckDB file that many short commands share."""

from cascade_cli.workspace.batching import batches
from cascade_cli.workspace.records import Added, Counts, PairFilter, Run, Window
from cascade_cli.workspace.workspace import Workspace, stream_pairs, weight

__all__ = [
    "Added",
    "Counts",
    "PairFilter",
    "Run",
    "Window",
    "Workspace",
    "batches",
    "stream_pairs",
    "weight",
]
