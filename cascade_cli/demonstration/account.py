"""What the demo tells: a line a step on its way, and everything that the commands showed at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cascade_cli.console import Console, Result, Table
from cascade_cli.errors import CascadeError

# Any: each command has figures of its own.
Figures = dict[str, Any]


@dataclass(slots=True)
class Account:
    """Gathers what the steps come to.

    Attributes:
        console: told of each step at once.
        data: what each command answered, by the name of the step.
        blocks: the same for people, each headed by the command that shows it.
        steps: how many were told.
    """

    console: Console
    data: Figures = field(default_factory=dict)
    blocks: list[Table | str] = field(default_factory=list)
    steps: int = 0

    def step(self, told: str) -> None:
        """Say what was done, in one line or two."""
        self.steps += 1
        self.console.note(f"{self.steps:2}. " + told.replace("\n", "\n    "))

    def keep(self, name: str, command: str, result: Result, borne: type[CascadeError] | None = None) -> Figures:
        """Keep what a command answered.

        Args:
            name: of the step in the document.
            command: as a person would type it.
            result: with its figures and tables.
            borne: a verdict that is part of the story and ends nothing; None for none.

        Returns:
            The figures.

        Raises:
            CascadeError: the command failed, or was interrupted.
        """
        if result.failure is not None and not (borne and isinstance(result.failure, borne)):
            raise result.failure
        assert isinstance(result.data, dict)  # noqa: S101 - no command returns anything else
        self.data[name] = result.data
        if result.blocks:
            self.blocks += [f"$ cascade {command}", *result.blocks]
        return result.data
