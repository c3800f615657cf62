"""A PostgreSQL that the system's packages installed, started in a temporary folder for the tests alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

INSTALLED = Path("/usr/lib/postgresql")
OWNER = "postgres"
"""The packages' own user: as root the server refuses to run."""


def newest_binaries() -> Path | None:
    """The folder of the newest installed server's programs; None without any."""
    found = [path.parent for path in INSTALLED.glob("*/bin/pg_ctl")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


@contextmanager
def system_postgres(binaries: Path) -> Iterator[str]:
    """The connection string of such a server, through a socket; it ends with the body, and its folder goes.

    Args:
        binaries: the folder of ``initdb`` and ``pg_ctl``.
    """
    folder = Path(tempfile.mkdtemp(prefix="cascade-system-")).resolve()
    data = folder / "data"
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER, OWNER)
        _run(binaries / "initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--pgdata", data)
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
        _run(binaries / "pg_ctl", "-w", "-D", data, "-l", folder / "log", "-o", options, "start")
        try:
            yield make_conninfo(host=str(folder), user="postgres", dbname="postgres")
        finally:
            _run(binaries / "pg_ctl", "-w", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _run(*command: object) -> None:
    owner = pwd.getpwnam(OWNER) if os.geteuid() == 0 else None
    subprocess.run(
        [str(part) for part in command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
    )
