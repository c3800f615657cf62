"""What is in force at this moment: kill file and control row, looked at again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cascade_cli.event_loop import in_background
from cascade_cli.live.killing import is_there
from cascade_cli.live.measures import Measures
from cascade_cli.live.modes import Environment, InForce, in_force
from cascade_cli.postgres.control import UNREADABLE, Mode, Switch

ROW_KEPT_S: Final = 0.5
"""So long a control row counts after it was read. Whoever writes rereads it anyway, within the transaction."""


class Switchboard:
    """Says how far the worker may go now.

    Args:
        environment: as it was at the start.
        kill_file: None where none is configured.
        read: the control row; blocks, and never raises.
        clock: monotonic seconds.
        measures: told of every change.
        note: told of every change, in a sentence.
    """

    def __init__(
        self,
        environment: Environment,
        kill_file: Path | None,
        read: Callable[[], Switch],
        clock: Callable[[], float],
        measures: Measures,
        note: Callable[[str], None],
    ) -> None:
        self.environment = environment
        self._kill_file = kill_file
        self._read = read
        self._clock = clock
        self._measures = measures
        self._note = note
        self._switch = UNREADABLE
        self._read_at: float | None = None
        self._one_at_a_time = asyncio.Lock()
        self._told: InForce | None = None

    async def now(self) -> InForce:
        """What is in force, by a control row that is half a second old at most."""
        # Where the environment says no, nothing can say yes: the row is left alone.
        if self.environment.enabled and self._is_stale():
            async with self._one_at_a_time:
                if self._is_stale():
                    self._switch = await in_background(self._read)
                    self._read_at = self._clock()
        found = self.glimpse()
        self._tell(found)
        return found

    def glimpse(self) -> InForce:
        """The same by the row as it was read last; from any thread."""
        return in_force(self.environment, self._switch, kill_file=self._is_killed_by_file())

    def for_writing(self) -> Mode:
        """How far a write may go at most; from any thread.

        Whoever writes rereads the row in the transaction. So where it could not be read here, that is left to the
        write: a database that was away for a moment would else leave the teacher's writes without their ledger rows.
        """
        if self._switch.changed_at is None and self.environment.enabled and not self._is_killed_by_file():
            return self.environment.wanted
        return self.glimpse().mode

    def forget(self) -> None:
        """Read the row again the next time: it was just changed."""
        self._read_at = None

    def _is_stale(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at >= ROW_KEPT_S

    def _is_killed_by_file(self) -> bool:
        return self._kill_file is not None and self.environment.enabled and is_there(self._kill_file)

    def _tell(self, found: InForce) -> None:
        if found == self._told:
            return
        self._told = found
        self._measures.in_mode(found.name, self._switch, kill_file=self._is_killed_by_file())
        self._note(f"Mode: {found.name}{f', for {found.reason}' if found.reason else ''}.")
