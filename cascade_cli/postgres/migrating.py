"""Making our tables where they are missing; nothing that exists is altered."""

from __future__ import annotations

import random
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from psycopg import errors, sql

from cascade_cli.errors import DependencyError
from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import connect, explained, redacted

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

_HERE: Final = files("cascade_cli.postgres")
_STEPS: Final = read_named_sql(_HERE / "migrating.sql")
_TRIES: Final = 5
_PAUSE_S: Final = (0.2, 1.0)


def apply_migrations(dsn: str, *, with_team_tables: bool = False, schema: str = "public") -> list[str]:
    """Bring a database to the newest schema; twice does nothing more, and two at once take turns.

    Each script is one transaction that waits two seconds at most for a lock, so that nothing queues up behind it.

    Args:
        dsn: of a user who may create tables.
        with_team_tables: create the team's own tables too (embedded server, tests).
        schema: where the tables are to stand; it must exist.

    Returns:
        The names of the scripts that were applied now.

    Raises:
        DependencyError: no connection, no privilege, or locked by others for too long.
    """
    applied = []
    with connect(dsn) as connection, explained(dsn):
        for name, script in _scripts(with_team_tables=with_team_tables):
            if _apply_patiently(connection, dsn, schema, name, script):
                applied.append(name)
    return applied


def _scripts(*, with_team_tables: bool) -> list[tuple[str, str]]:
    ours = sorted((_HERE / "migrations").iterdir(), key=lambda script: script.name)
    scripts = [_HERE / "team_tables.sql", *ours] if with_team_tables else ours
    return [(script.name.removesuffix(".sql"), script.read_text(encoding="utf-8")) for script in scripts]


def _apply_patiently(connection: Connection, dsn: str, schema: str, name: str, script: str) -> bool:
    for _ in range(_TRIES):
        try:
            return _apply(connection, schema, name, script)
        except errors.LockNotAvailable:
            time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - spreads retries, guards nothing
    raise DependencyError(
        f"{redacted(dsn)}: migration {name} got no lock in {_TRIES} tries.",
        hint="Run it again when fewer transactions are open; what was applied stays.",
    )


def _apply(connection: Connection, schema: str, name: str, script: str) -> bool:
    with connection.transaction():
        connection.execute(_STEPS["settings"], {"schema": sql.Identifier(schema).as_string(connection)})
        connection.execute(_STEPS["one_migrator"])
        connection.execute(_STEPS["create_register"])
        if connection.execute(_STEPS["register"], {"name": name}).rowcount == 0:
            return False
        connection.execute(sql.SQL(script))
    return True
