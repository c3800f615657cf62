"""A database that goes away and comes back, or refuses: said once each, waited for with ever longer pauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cascade_cli.errors import CascadeError
from cascade_cli.postgres.connection import is_passing

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 10.0
_MOST_SAID: Final = 100


class DatabaseWatch:
    """Whether the database answers, as whoever needs it finds out; from any thread.

    Args:
        note: told once that it is away, once that it is back, and once of each thing that it refuses.
        contacted: called whenever it has answered.
    """

    def __init__(self, note: Callable[[str], None], contacted: Callable[[], None]) -> None:
        self._note = note
        self._contacted = contacted
        self._pause_s = 0.0
        self._is_away = False
        self._said: set[str] = set()

    @property
    def is_away(self) -> bool:
        """Whether the last call found nobody."""
        return self._is_away

    def lost(self, error: CascadeError) -> float:
        """A call failed; returns seconds after which it may be tried again."""
        if not is_passing(error):
            self._refused(error)
        elif not self._is_away:
            self._is_away = True
            self._note(f"{error.message} Nothing is claimed until it is back.")
        self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        return self._pause_s

    def answered(self) -> None:
        """A call was answered."""
        if self._is_away:
            self._is_away = False
            self._note("The database is back.")
        self._pause_s = 0.0
        self._contacted()

    def _refused(self, error: CascadeError) -> None:
        """Whoever refuses is there; what it refuses it may go on refusing while it takes all else."""
        if error.message not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(error.message)
            self._note(f"{error.message} {error.hint or ''}".rstrip())
