"""A database that goes away and comes back: said once each, waited for with ever longer pauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cascade_cli.errors import CascadeError

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 10.0


class DatabaseWatch:
    """Whether the database answers, as whoever needs it finds out; from any thread.

    Args:
        note: told once that it is away, and once that it is back.
        contacted: called whenever it has answered.
    """

    def __init__(self, note: Callable[[str], None], contacted: Callable[[], None]) -> None:
        self._note = note
        self._contacted = contacted
        self._pause_s = 0.0

    @property
    def is_away(self) -> bool:
        """Whether the last call failed."""
        return self._pause_s > 0

    def lost(self, error: CascadeError) -> float:
        """A call failed; returns seconds after which it may be tried again."""
        if not self.is_away:
            self._note(f"{error.message} Nothing is claimed until it is back.")
        self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        return self._pause_s

    def answered(self) -> None:
        """A call was answered."""
        if self.is_away:
            self._note("The database is back.")
        self._pause_s = 0.0
        self._contacted()
