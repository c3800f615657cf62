"""The way into the workspace for pages: one at a time, with a pause behind each, in which writers get in.

Who has it open for reading keeps every writer out, and a hundred pages that overlap would do so for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

from cascade_cli.errors import DependencyError
from cascade_cli.workspace import Workspace

PAUSE_S = 0.1
"""A writer who waits tries again every 40 ms at the latest."""
_PATIENCE_S = 3.0
"""So long a page waits for other pages, and for a writer to let the workspace go."""


class Door:
    """Opens the workspace of one folder for reading."""

    def __init__(
        self, path: Path, *, now: Callable[[], float] = monotonic, rest: Callable[[float], None] = sleep
    ) -> None:
        """Stand before a workspace.

        Args:
            path: of its folder.
            now: a clock that never goes back.
            rest: waits so many seconds.
        """
        self._path, self._now, self._rest = path, now, rest
        self._lock = Lock()
        self._free_at = 0.0

    @property
    def leads_somewhere(self) -> bool:
        """Whether there is a workspace."""
        return Workspace.exists(self._path)

    @contextmanager
    def opened(self) -> Iterator[Workspace]:
        """The workspace, for bounded work.

        Raises:
            CascadeError: it is not there, is held by a writer, or cannot be read.
        """
        give_up_at = self._now() + _PATIENCE_S
        if not self._lock.acquire(timeout=_PATIENCE_S):
            raise DependencyError("Other pages wait for the workspace, too.", hint="Ask again in a moment.")
        try:
            self._rest(max(0.0, self._free_at - self._now()))
            with Workspace.open(self._path, wait_s=max(0.0, give_up_at - self._now())) as workspace:
                yield workspace
        finally:
            self._free_at = self._now() + PAUSE_S
            self._lock.release()
