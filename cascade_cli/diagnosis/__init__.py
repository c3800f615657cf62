"""What ``cascade doctor`` looks at: each check tells what it found and, where something is wrong, the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_cli.diagnosis.database import database
from cascade_cli.diagnosis.endpoints import student, teacher
from cascade_cli.diagnosis.findings import Finding, advice, failure_of, guarded
from cascade_cli.diagnosis.local import libraries, workspace
from cascade_cli.diagnosis.switches import switches

if TYPE_CHECKING:
    from cascade_cli.config import Settings

__all__ = ["Finding", "advice", "diagnose", "failure_of"]


def diagnose(settings: Settings) -> list[Finding]:
    """Look at everything that the commands depend on; a check that fails does not keep the others from running."""
    return [
        *libraries(),
        *guarded("workspace", workspace, settings),
        *guarded("PostgreSQL", database, settings),
        *guarded("switches", switches, settings),
        *guarded("student", student, settings),
        *guarded("teacher", teacher, settings),
    ]
