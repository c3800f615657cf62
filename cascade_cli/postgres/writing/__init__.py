"""Ending the work on a batch of events in one transaction, with everything that is recorded of it."""

from cascade_cli.postgres.writing.records import (
    MOP_UP,
    Author,
    Charged,
    JudgedAnswer,
    LostAudit,
    Outcome,
    Refused,
    Spared,
    Standing,
    TeacherWritten,
    ToEscalate,
    WriteReport,
)
from cascade_cli.postgres.writing.writer import Writer

__all__ = [
    "MOP_UP",
    "Author",
    "Charged",
    "JudgedAnswer",
    "LostAudit",
    "Outcome",
    "Refused",
    "Spared",
    "Standing",
    "TeacherWritten",
    "ToEscalate",
    "WriteReport",
    "Writer",
]
