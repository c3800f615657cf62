"""One real PostgreSQL for the session, one empty database per test.

The embedded one, or with CASCADE_TEST_POSTGRES=system the newest that the system's packages installed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rig import Rig
from saying import Saying

from cascade_cli.postgres import ColumnMapping, apply_migrations, embedded_postgres
from cascade_cli.postgres.granting import grants
from cascade_cli.postgres.graph import GraphMapping


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The connection string of a server that ends with the session."""
    with embedded_postgres(_programs()) as server:
        yield server.dsn


def _programs() -> Path | None:
    if os.environ.get("CASCADE_TEST_POSTGRES") != "system":
        return None
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    assert found, "No PostgreSQL of the system is installed."
    return max(found, key=lambda path: int(path.parent.name))


@pytest.fixture
def empty_database(postgres_server: str) -> Iterator[str]:
    """The connection string of a database of this test alone, without any table."""
    name = sql.Identifier(f"test_{uuid.uuid4().hex}")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield make_conninfo(postgres_server, dbname=name._obj[0])
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def database(empty_database: str) -> str:
    """A database with the team's tables and ours, all empty."""
    apply_migrations(empty_database, with_team_tables=True)
    return empty_database


@pytest.fixture
def rig(database: str) -> Iterator[Rig]:
    """Queues and writers over that database."""
    with Rig(database) as opened:
        yield opened


@pytest.fixture
def ordinary_user(database: str) -> Iterator[str]:
    """The connection string of a login that may what the role ``worker`` may, and no more."""
    roles = sql.SQL("refused_login, refused_reader, refused_worker, refused_mop_up, refused_admin")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL(grants(ColumnMapping(), GraphMapping(), "refused_")))
        connection.execute("CREATE ROLE refused_login LOGIN; GRANT refused_worker TO refused_login")
        yield make_conninfo(database, user="refused_login")
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(roles))


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Saying:
    """Run commands in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Saying(monkeypatch, capsys)
