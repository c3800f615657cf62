"""What a worker looks at before it claims anything: what it could not end is not begun."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from live_rig import stage
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cascade_cli.postgres import ColumnMapping
from cascade_cli.postgres.granting import ROLES, grants
from cascade_cli.postgres.graph import GraphMapping


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE facts DROP CONSTRAINT facts_arena_category_statement_key", "CREATE UNIQUE INDEX CONCURRENTLY"),
        ("ALTER TABLE entities ALTER aliases DROP DEFAULT, ALTER aliases TYPE jsonb USING '[]'", "aliases as text[]"),
        ("ALTER TABLE entities RENAME TO kept; CREATE VIEW entities AS SELECT * FROM kept", "[postgres.entities]"),
        ("ALTER TABLE entities ADD tenant text NOT NULL", 'ALTER "tenant" SET DEFAULT'),
        ("ALTER TABLE events RENAME content TO body", "[postgres.events] content"),
        ("ALTER TABLE events ALTER id TYPE uuid USING gen_random_uuid()", "[postgres.queue]"),
    ],
)
def test_what_cannot_be_ended_is_not_begun(database: str, tmp_path: Path, change: str, told: str) -> None:
    with stage(database, tmp_path, 3) as live:
        live.rows(change)
        refused = live.run("--once", env={"CASCADE_ENABLED": ""})
        assert (refused.code, told in refused.err) == (2, True), refused.err
        assert live.rows("SELECT status, attempts, max(claimed_at) FROM distillation_queue GROUP BY 1, 2") == [
            ("pending", 0, None)
        ]
        assert live.requests() == []


@pytest.fixture
def as_worker(database: str) -> Iterator[str]:
    """A connection string of a member of the role ``worker``."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL(grants(ColumnMapping(), GraphMapping(), "looking_")))
        connection.execute("ALTER ROLE looking_worker LOGIN")
        yield make_conninfo(database, user="looking_worker")
        for role in ROLES:
            connection.execute(sql.SQL(f"DROP OWNED BY looking_{role}; DROP ROLE looking_{role}"))


def test_the_role_of_a_worker_is_enough_to_look_and_to_work(database: str, as_worker: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 3) as live:
        ended = live.run("--once", "--flip", env={"DATABASE_URL": as_worker})
        assert ended.code == 0, ended.err
        live.check_each_written_once(3)
