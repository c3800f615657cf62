"""The workspace's folder and its DuckDB file: made, opened with patience, migrated, refusals explained."""

from __future__ import annotations

import fcntl
import os
import random
import re
import time
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal

import duckdb

from cascade_cli.errors import CascadeError, DependencyError, UsageError
from cascade_cli.named_sql import read_named_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Mode = Literal["read", "write"]

DATABASE_NAME: Final = "workspace.duckdb"
LOCK_WAIT_S: Final = 10.0
# Beside it runs a polars frame of one batch: a command must stay under half a gigabyte.
# Columns of objects are text or null; guessing their type from the first thousand would be wrong where those are null.
_SETTINGS: Final = {"memory_limit": "256MB", "threads": "2", "pandas_analyze_sample": "0"}
# For what does not fit: very long texts that lie close together, or are still to be brought from the log into the file.
_ROOMY: Final = {**_SETTINGS, "memory_limit": "4GB", "threads": "1"}
# Waiting processes try again after a random pause, so that they do not meet in step.
_PAUSE_S: Final = (0.005, 0.04)
# Another process has it open, or another thread of this one in the other mode.
_TAKEN: Final = ("Could not set lock", "different configuration")

# On average of a batch; 2,048 such rows, which DuckDB reads at a time, have some 32 MB.
_LONG_CHARACTERS: Final = 16_000
_TOO_NARROW: Final = ("Out of Memory", "failed to pin block", "could not allocate block")
# At this size DuckDB brings it into the file.
_MOST_IN_LOG_BYTES: Final = 16 * 2**20

_HERE: Final = files("cascade_cli.workspace")
QUERIES: Final = read_named_sql(_HERE / "queries.sql")
_HOLDER: Final = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")


@contextmanager
def connect(folder: Path, mode: Mode, *, wait_s: float = LOCK_WAIT_S) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database of a workspace folder, made and migrated where need be, and close it in the end.

    Args:
        folder: the workspace; made in mode ``write`` where it is absent.
        mode: ``read`` lets other readers in; ``write`` lets nobody in.
        wait_s: how long to wait for another process to let go.

    Raises:
        UsageError: reading what does not exist, or what a newer cascade made.
        DependencyError: held by another process for too long, damaged, not writable, or the disk is full.
    """
    file = folder / DATABASE_NAME
    _prepare(file, mode)
    with _explained(file):
        connection = _open_patiently(file, read_only=mode == "read", wait_s=wait_s)
        try:
            if _is_outdated(connection, folder):
                connection = _migrated(connection, file, mode, wait_s)
            if mode == "write" and fetch(connection, "has_long_texts")[0][0]:
                connection.execute(QUERIES["leave_apart"])
            yield connection
        finally:
            connection.close()


def fetch(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None
) -> list[tuple[Any, ...]]:
    """All rows of a named query; one that needs more memory than is usual gets it."""
    bound = dict(parameters) if parameters else None
    try:
        return connection.execute(QUERIES[query], bound).fetchall()
    except duckdb.OutOfMemoryException:
        give_room(connection)
        return connection.execute(QUERIES[query], bound).fetchall()


def give_room(connection: duckdb.DuckDBPyConnection) -> None:
    """Allow as much memory as very long texts may need, until the connection is closed."""
    connection.execute(QUERIES["give_room"], {"memory": _ROOMY["memory_limit"]})


def change(connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None) -> int:
    """How many rows a named INSERT, UPDATE or DELETE changed."""
    return int(fetch(connection, query, parameters)[0][0])


def note_long_texts(connection: duckdb.DuckDBPyConnection, rows: int, characters: int) -> None:
    """Within the transaction that brings texts: remember if they are long; from now on rows are left apart."""
    if characters > _LONG_CHARACTERS * rows:
        connection.execute(QUERIES["remember_long_texts"])
        connection.execute(QUERIES["leave_apart"])


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Turn what DuckDB says into one clear message with its cure."""
    try:
        yield
    except duckdb.Error as error:
        raise _explanation(str(error), file) from error
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # DuckDB's way to say Ctrl-C
            raise KeyboardInterrupt from error
        raise


def _prepare(file: Path, mode: Mode) -> None:
    if mode == "read" and not file.exists():
        raise UsageError(
            f"There is no workspace at {file.parent}.",
            hint="Run `cascade pull` first to fill one, or name a file of recorded pairs.",
        )
    if mode == "read":
        return
    try:
        with _explained(file):
            _make_folder(file.parent)
            _make_database(file)
    except OSError as error:
        raise _explanation(str(error), file) from error


def _make_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a workspace folder.", hint="Give another --workspace.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# What is kept here is personal data.\n*\n", encoding="utf-8")


def _make_database(file: Path) -> None:
    """Make an empty database elsewhere and move it into place, so that a kill never leaves half of one."""
    if file.exists():
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if file.exists():
            return
        draft = file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with duckdb.connect(str(draft), config=dict(_SETTINGS)) as connection:
            _migrate(connection)
        draft.replace(file)
    finally:
        os.close(folder)


def _open_patiently(file: Path, *, read_only: bool, wait_s: float) -> duckdb.DuckDBPyConnection:
    give_up_at = time.monotonic() + wait_s
    settings = _ROOMY if _is_left_over(file) else _SETTINGS
    while True:
        try:
            return duckdb.connect(str(file), read_only=read_only, config=dict(settings))
        except duckdb.Error as error:
            if any(sign in str(error) for sign in _TOO_NARROW) and settings is not _ROOMY:
                settings = _ROOMY
            elif not any(sign in str(error) for sign in _TAKEN) or time.monotonic() >= give_up_at:
                raise
        time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - spreads retries, guards nothing


def _is_left_over(file: Path) -> bool:
    """Whether the log holds what should be in the file: it did not fit into memory, or somebody was killed."""
    log = file.with_name(f"{file.name}.wal")
    return log.exists() and log.stat().st_size > _MOST_IN_LOG_BYTES


@cache
def _migrations() -> list[tuple[int, str]]:
    scripts = sorted((_HERE / "migrations").iterdir(), key=lambda script: script.name)
    return [(int(each.name[:3]), each.read_text(encoding="utf-8")) for each in scripts if each.name.endswith(".sql")]


def _schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    if not fetch(connection, "schema_table_exists")[0][0]:
        return 0
    return int(fetch(connection, "schema_version")[0][0])


def _is_outdated(connection: duckdb.DuckDBPyConnection, folder: Path) -> bool:
    newest, _ = _migrations()[-1]
    version = _schema_version(connection)
    if version > newest:
        raise UsageError(
            f"The workspace {folder} was made by a newer cascade (schema {version}; known: {newest}).",
            hint="Run `pip install --upgrade cascade-cli`, or give another --workspace. Nothing was changed.",
        )
    return version < newest


def _migrated(
    connection: duckdb.DuckDBPyConnection, file: Path, mode: Mode, wait_s: float
) -> duckdb.DuckDBPyConnection:
    if mode == "write":
        _migrate(connection)
        return connection
    connection.close()
    writer = _open_patiently(file, read_only=False, wait_s=wait_s)
    _migrate(writer)
    writer.close()
    return _open_patiently(file, read_only=True, wait_s=wait_s)


def _migrate(connection: duckdb.DuckDBPyConnection) -> None:
    done = _schema_version(connection)
    connection.begin()
    connection.execute(QUERIES["create_schema_version"])
    for version, script in _migrations():
        if version > done:
            connection.execute(script)
            connection.execute(QUERIES["record_schema_version"], {"version": version})
    connection.commit()


def _explanation(text: str, file: Path) -> CascadeError:
    """Sort a refusal by its text: DuckDB gives the same class to nearly all of them."""
    if any(sign in text for sign in _TAKEN):
        return _held(text, file)
    if any(sign in text for sign in ("No space left", "File too large", "Disk quota exceeded")):
        return DependencyError(
            f"The disk under {file.parent} is full. What was committed before is safe.",
            hint="Free some space and run the same command again: it goes on where it stopped.",
        )
    if any(sign in text for sign in ("Permission denied", "Read-only file system", "read-only mode")):
        return DependencyError(
            f"The workspace {file.parent} cannot be written or read by this user.",
            hint="Change its owner or mode, or give another --workspace.",
        )
    if any(sign in text for sign in ("not a valid DuckDB", "Corrupt", "Could not read enough", "checksum")):
        return DependencyError(
            f"{file} is damaged, or not a workspace: {_first_line(text)}",
            hint=f"Move {file} away and run `cascade pull` again, or restore it from a backup.",
        )
    if "version number" in text:
        return UsageError(
            f"{file} was written by a newer DuckDB: {_first_line(text)}",
            hint="Upgrade with `pip install --upgrade duckdb`.",
        )
    return DependencyError(f"The workspace {file.parent} refuses: {_first_line(text)}")


def _held(text: str, file: Path) -> DependencyError:
    holder = _HOLDER.search(text)
    who = f"process {holder[2]} ({PurePath(holder[1]).name})" if holder else "another process"
    return DependencyError(
        f"The workspace {file.parent} is held by {who} and was not let go in time.",
        hint="Wait for it to finish, or end it, then run the same command again.",
    )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]
