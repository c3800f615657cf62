"""What the student wrote for an event, replaced by what the teacher says; and the way back."""

from cascade_cli.postgres.superseding.ordering import Candidate, MopUp, Selection
from cascade_cli.postgres.superseding.records import RefusedError, RowName, Superseded, Undone
from cascade_cli.postgres.superseding.superseding import Superseding
from cascade_cli.postgres.superseding.undoing import Undoing

__all__ = [
    "Candidate",
    "MopUp",
    "RefusedError",
    "RowName",
    "Selection",
    "Superseded",
    "Superseding",
    "Undoing",
    "Undone",
]
