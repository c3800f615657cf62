"""One shadow at a time in a workspace: two would ask the same questions."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cascade_cli.errors import DependencyError, UsageError

LOCK_NAME = "shadow.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a workspace folder; the system takes it back from a process that is killed.

    Raises:
        UsageError: another process holds it.
        DependencyError: the folder cannot be written.
    """
    try:
        handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DependencyError(f"Cannot write in {folder}: {error.strerror}.") from error
    try:
        _take(handle, folder)
        yield
    finally:
        os.close(handle)


def _take(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise UsageError(
            f"Process {holder} is asking the student for {folder} already; two would ask the same questions.",
            hint="Wait for it to finish or end it, or give another --workspace.",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
