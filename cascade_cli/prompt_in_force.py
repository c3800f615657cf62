"""Which teacher prompt is in force, and whether two hashes speak of the same one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cascade_cli.config import TEACHER_SYSTEM_PROMPT_FILE, WORKSPACE_PATH
from cascade_cli.errors import UsageError

if TYPE_CHECKING:
    from cascade_cli.config import Settings

SHORTEST_HASH: Final = 6
"""Digits; a hash that is cut shorter could well be that of another prompt."""


@dataclass(frozen=True, slots=True)
class PromptInForce:
    """The prompt under which the teacher works now.

    Attributes:
        hash: of it: all 64 digits where its file is known, else as the newest trace has it.
        file: where it stands; None where only traces tell.
    """

    hash: str
    file: Path | None

    def is_that_of(self, stored: str | None) -> bool:
        """Whether a stored hash, which may be cut, speaks of this prompt."""
        if stored is None:
            return False
        return stored == self.hash or (
            min(len(stored), len(self.hash)) >= SHORTEST_HASH
            and (self.hash.startswith(stored) or stored.startswith(self.hash))
        )


def prompt_in_force(settings: Settings) -> PromptInForce:
    """The prompt of ``TEACHER_SYSTEM_PROMPT_FILE``; without one that of the newest trace in the workspace.

    Raises:
        UsageError: the file cannot be read, there is no workspace, or no trace has a hash and a date.
        DependencyError: the workspace cannot be opened.
    """
    if (file := settings[TEACHER_SYSTEM_PROMPT_FILE]) is not None:
        from cascade_cli.endpoints import read_system_prompt

        return PromptInForce(read_system_prompt(settings).hash, file)
    from cascade_cli.workspace import Workspace

    with Workspace.open(settings[WORKSPACE_PATH]) as workspace:
        newest = workspace.newest_prompt_hash()
    if newest is None:
        raise UsageError(
            "Nobody says which teacher prompt is in force: no trace has a prompt hash and a date.",
            hint="Name the prompt's file: TEACHER_SYSTEM_PROMPT_FILE=prompt.txt",
        )
    return PromptInForce(newest, None)
