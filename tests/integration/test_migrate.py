"""``cascade migrate`` on an empty database, on one that the team uses already, and beside traffic."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rig import Rig, taught
from saying import Saying

from cascade_cli.app import run
from cascade_cli.postgres import ColumnMapping, apply_migrations, planned_sql
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.granting import ROLES, grants
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.queue import Lane
from cascade_cli.postgres.scripts import migration_scripts

OURS = [script.name for script in migration_scripts(with_team_tables=False)]
QUEUE_INDEXES = ["idx_distillation_queue_pending", "idx_distillation_queue_leases"]
# As the contract has it: no created_at, and a column that we know nothing of.
TEAMS_QUEUE = (
    "CREATE TABLE distillation_queue (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), event_id text NOT NULL,"
    " status text NOT NULL DEFAULT 'pending', attempts integer NOT NULL DEFAULT 0, claimed_by text,"
    " claimed_at timestamptz, claim_expires_at timestamptz, last_error text, tenant text NOT NULL DEFAULT 't')"
)
TEAMS_LEDGER = (
    "CREATE TABLE event_distillations (event_id text NOT NULL, producer text NOT NULL, llm_model text NOT NULL,"
    " system_prompt_hash text, escalated boolean, escalate_reason text,"
    " distilled_at timestamptz NOT NULL DEFAULT now(), note text, PRIMARY KEY (event_id, producer))"
)


def indexes(dsn: str) -> dict[str, bool]:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relnamespace = 'public'::regnamespace"
        )
        return {str(name): bool(valid) for name, valid in found}


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement))


def test_the_command_applies_once_and_then_finds_nothing_missing(
    empty_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty_database)
    assert run(["migrate"]) == 0
    assert capsys.readouterr().out.split() == ["Applied:", *(", ".join(OURS)).split()]
    assert run(["migrate"]) == 0
    assert capsys.readouterr().out == "Nothing was missing.\n"


def test_a_dry_run_changes_nothing_and_prints_what_would_be_run(empty_database: str) -> None:
    script = planned_sql(empty_database, with_team_tables=True)
    assert indexes(empty_database) == {}
    execute(empty_database, script)
    assert planned_sql(empty_database, with_team_tables=True) == ""
    assert apply_migrations(empty_database, with_team_tables=True) == []


def test_tables_that_the_team_has_already_keep_their_columns_and_get_their_indexes(empty_database: str) -> None:
    execute(empty_database, TEAMS_QUEUE, TEAMS_LEDGER, "CREATE TABLE events (id text PRIMARY KEY, content text)")
    execute(empty_database, "INSERT INTO distillation_queue (event_id) VALUES ('e1')")
    applied = apply_migrations(empty_database)
    ledger_indexes = ["idx_event_distillations_producer_time", "idx_event_distillations_reason"]
    assert applied == [OURS[0], *ledger_indexes, *OURS[1:], *QUEUE_INDEXES]
    assert apply_migrations(empty_database) == []
    assert all(indexes(empty_database).values())
    mapping = ColumnMapping.of(
        "public",
        {},
        dict.fromkeys(["arena", "attributes", "participant_set", "source_kind", "emitted_at"], "")
        | {"disclosure_class": ""},
    )
    with Rig(empty_database, mapping) as rig:
        (claim,) = rig.queue().claim(Lane.STUDENT, 10)
        assert claim.event_id == "e1"
        assert claim.event is None
        assert rig.queue().lanes()[Lane.STUDENT].claimed == 1
        assert rig.queue().lanes()[Lane.STUDENT].oldest_age_s is None


def test_the_teams_tables_may_be_called_otherwise(empty_database: str) -> None:
    execute(empty_database, TEAMS_QUEUE.replace("distillation_queue", "jobs").replace("status", "state"))
    mapping = ColumnMapping.of("public", {}, {}, {"table": "jobs", "status": "state"})
    assert apply_migrations(empty_database, mapping=mapping) == [*OURS, *QUEUE_INDEXES]


@pytest.mark.parametrize(
    ("made", "advice"),
    [
        (
            TEAMS_QUEUE.replace("PRIMARY KEY", "").removesuffix(")") + ") PARTITION BY LIST (tenant)",
            'CREATE INDEX IF NOT EXISTS "idx_distillation_queue_pending" ON "public"."distillation_queue"',
        ),
        (
            TEAMS_QUEUE.replace("distillation_queue", "jobs")
            + "; CREATE VIEW distillation_queue AS SELECT * FROM jobs",
            "the table behind it",
        ),
    ],
)
def test_a_queue_that_cannot_be_indexed_beside_traffic_keeps_nobody_from_the_rest(
    empty_database: str, say: Saying, made: str, advice: str
) -> None:
    execute(empty_database, made)
    for applied in (OURS, []):
        status, data, said = say("migrate", DATABASE_URL=empty_database)
        assert (status, data["applied"], data["left_out"]) == (0, applied, QUEUE_INDEXES)
        assert advice in said
    with psycopg.connect(empty_database) as connection:
        assert planned_sql(empty_database) == ""
        connection.execute("SELECT FROM cascade_control")


def test_indexes_that_somebody_made_on_a_partitioned_queue_are_enough(empty_database: str, say: Saying) -> None:
    execute(empty_database, TEAMS_QUEUE.replace("PRIMARY KEY", "").removesuffix(")") + ") PARTITION BY LIST (tenant)")
    advised = say("migrate", DATABASE_URL=empty_database)[2]
    script = "\n".join(line[line.index("CREATE INDEX") :] for line in advised.splitlines() if "CREATE INDEX" in line)
    execute(empty_database, script)
    _, data, said = say("migrate", DATABASE_URL=empty_database)
    assert (data["left_out"], said) == ([], "")


def test_an_index_that_was_left_half_made_is_made_again(database: str) -> None:
    name = "idx_event_distillations_reason"
    execute(database, f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass")
    assert apply_migrations(database) == [name]
    assert indexes(database)[name]


def test_an_index_on_a_table_in_use_keeps_nobody_from_writing(empty_database: str) -> None:
    """It waits for the transactions that are writing, and meanwhile others write on."""
    execute(empty_database, TEAMS_LEDGER)
    insert = "INSERT INTO event_distillations (event_id, producer, llm_model) VALUES (%s, 'teacher', 'm')"
    with psycopg.connect(empty_database) as writing:
        writing.execute(insert, ("e1",))
        migrating = threading.Thread(target=apply_migrations, args=(empty_database,))
        migrating.start()
        with psycopg.connect(empty_database, autocommit=True) as watching:
            waiting = "query LIKE 'CREATE INDEX CONC%' AND wait_event_type = 'Lock'"
            while watching.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}").fetchone() == (0,):
                migrating.join(0.02)
        with psycopg.connect(empty_database) as other:
            other.execute("SET lock_timeout = '1s'")
            other.execute(insert, ("e2",))
        writing.commit()
    migrating.join()
    assert indexes(empty_database)["idx_event_distillations_producer_time"]


@pytest.fixture
def roles(database: str) -> Iterator[dict[str, str]]:
    """A connection string for a member of each role."""
    prefix = "trial_"
    execute(database, grants(ColumnMapping(), GraphMapping(), prefix))
    names = [f"{prefix}{role}" for role in ROLES]
    execute(database, *(f"ALTER ROLE {name} LOGIN" for name in names))
    yield {role: make_conninfo(database, user=f"{prefix}{role}") for role in ROLES}
    execute(database, *(f"DROP OWNED BY {name}" for name in names), *(f"DROP ROLE {name}" for name in names))


def test_a_worker_can_work_with_what_is_granted_and_deletes_nothing_from_the_graph(
    rig: Rig, roles: dict[str, str]
) -> None:
    rig.enqueue("e1", "e2")
    with Rig(roles["worker"]) as worker:
        queue = worker.queue()
        claims = queue.claim(Lane.STUDENT, 10)
        report = worker.writer(queue).write([taught(claim) for claim in claims], Mode.FLIP)
        assert (len(report.written), report.lost_audits) == (2, ())
        queue.reap()
        worker.control.unflip(who="breaker", reason="made-up addresses")
        for forbidden in ("DELETE FROM entities", "UPDATE cascade_control SET killed = false", "DELETE FROM events"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                worker.execute(forbidden)
    with Rig(roles["mop_up"]) as mopping:
        mopping.execute("DELETE FROM entities")
    with Rig(roles["admin"]) as admin:
        admin.control.kill(who="ann")
    rig.execute("DROP TABLE cascade_receipts")
    rig.execute("DELETE FROM cascade_migrations WHERE name = %s", OURS[-1])
    assert apply_migrations(roles["admin"]) == [OURS[-1]]
    with Rig(roles["reader"]) as reader:
        assert reader.control.read().killed
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("UPDATE distillation_queue SET attempts = 0")
