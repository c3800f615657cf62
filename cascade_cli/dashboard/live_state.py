"""What the worker does, as ``cascade status`` tells it; asked for no more often than every two seconds."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from cascade_cli.config import Settings
from cascade_cli.console import Result
from cascade_cli.live.status_run import run_status
from cascade_cli.policy_in_force import policy_in_force

_FRESH_S = 2.0


class LiveState:
    """The last answer, and when it was given."""

    def __init__(self, settings: Settings, *, now: Callable[[], float] = monotonic) -> None:
        """Ask nothing yet.

        Args:
            settings: say where the database is.
            now: a clock that never goes back.
        """
        self._settings, self._now = settings, now
        self._lock = Lock()
        self._asked_at: float | None = None
        self._result = Result(None)

    def result(self) -> Result:
        """As ``cascade status``; a database that is away is part of the answer.

        Raises:
            UsageError: the settings name tables or columns that cannot be.
        """
        with self._lock:
            if self._asked_at is None or self._now() - self._asked_at > _FRESH_S:
                self._result = run_status(self._settings, policy_in_force(self._settings).fingerprint)
                self._asked_at = self._now()
            return self._result
