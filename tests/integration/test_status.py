"""``cascade status`` on a real PostgreSQL: one look at everything, and what cannot be read leaves the rest."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rig import Rig, escalated, standing, taught_after_escalation
from saying import Saying

from cascade_cli.postgres import ColumnMapping
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.granting import ROLES, grants
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.overview import QUERIES
from cascade_cli.postgres.queue import Lane

FIGURES = {"lanes", "ledger", "backlog", "quarantined", "mop_up_orders", "receipts", "workers"}


@pytest.fixture
def busy(rig: Rig) -> Rig:
    """A database in which something of everything has happened."""
    claims = rig.claimed(*(f"e{number}" for number in range(8)))
    writer = rig.writer(rig.queue())
    writer.write([*map(standing, claims[:3]), *map(escalated, claims[3:6])], Mode.FLIP)
    queue = rig.queue("host/one")
    (first,) = queue.claim(Lane.TEACHER, 1)
    writer.write([taught_after_escalation(first)], Mode.FLIP)
    rig.queue("two").claim(Lane.TEACHER, 1)
    queue.fail(claims[6], "garbage")
    rig.execute("UPDATE distillation_queue SET status = 'failed' WHERE event_id = 'e7'")
    rig.execute("INSERT INTO cascade_queue_marks (queue_id, interruptions) VALUES (%s, 5)", claims[7].queue_id)
    rig.execute("UPDATE event_distillations SET distilled_at = now() - interval '2 hours' WHERE event_id = 'e0'")
    rig.execute("UPDATE event_distillations SET distilled_at = now() - interval '2 days' WHERE event_id = 'e1'")
    rig.execute(
        "INSERT INTO cascade_mop_up_orders (event_id, reason, ordered_by, finished_at, last_error) VALUES"
        " ('e0', 'x', 'ann', NULL, NULL), ('e1', 'x', 'ann', now(), 'garbage'), ('e2', 'x', 'ann', now(), NULL)"
    )
    rig.execute("INSERT INTO cascade_receipts (event_id, before, after, undone_at) VALUES ('e2', '{}', '{}', now())")
    rig.control.unflip(who="breaker", reason="parse failures")
    return rig


def test_one_look_shows_everything(say: Saying, busy: Rig) -> None:
    status, data, said = say("status", DATABASE_URL=busy.dsn)
    assert (status, said, data["unknown"]) == (0, "", [])
    lanes = data["lanes"]
    assert (lanes["student"]["depth"], lanes["student"]["delayed"], lanes["student"]["claimed"]) == (1, 1, 0)
    assert (lanes["teacher"]["depth"], lanes["teacher"]["waiting"], lanes["teacher"]["claimed"]) == (2, 1, 1)
    assert lanes["teacher"]["oldest_age_s"] >= 0
    assert [(each["producer"], each["reason"], each["last_hour"], each["last_day"]) for each in data["ledger"]] == [
        ("student", None, 1, 2),
        ("teacher", "high_value_class", 1, 1),
    ]
    assert [(each["reason"], each["events"]) for each in data["backlog"]] == [("high_value_class", 2)]
    assert data["quarantined"] == 1
    assert (data["mop_up_orders"]["open"], data["mop_up_orders"]["given_up"]) == (1, 1)
    assert (data["receipts"]["kept"], data["receipts"]["undone"]) == (1, 1)
    (receipt,) = data["receipts"]["latest"]
    assert (receipt["receipt_id"], receipt["event_id"], receipt["undone"]) == (1, "e2", True)
    assert [(each["worker"], each["held"], each["expired"]) for each in data["workers"]] == [("two", 1, 0)]
    assert data["switch"]["control_row"]["flip_allowed"] is False
    assert [each["action"] for each in data["switch"]["switches"]] == ["unflip"]


def test_a_decision_about_a_row_that_is_gone_or_ended_by_hand_is_no_backlog(say: Saying, busy: Rig) -> None:
    busy.execute("INSERT INTO cascade_escalations VALUES ('e9', '999', 'verifier')")
    busy.execute("UPDATE distillation_queue SET status = 'done' WHERE event_id = 'e5'")
    backlog = say("status", DATABASE_URL=busy.dsn)[1]["backlog"]
    assert [(each["reason"], each["events"]) for each in backlog] == [("high_value_class", 1)]


def test_a_worker_whose_leases_are_over_is_shown_as_such(say: Saying, busy: Rig) -> None:
    busy.expire("e4")
    assert busy.queue("host/one").claim(Lane.TEACHER, 1)
    workers = say("status", DATABASE_URL=busy.dsn)[1]["workers"]
    assert [(each["worker"], each["held"], each["expired"]) for each in workers] == [("host/one", 1, 0), ("two", 0, 1)]


def test_people_see_it_in_tables_and_nothing_of_events(say: Saying, busy: Rig) -> None:
    say("status", DATABASE_URL=busy.dsn)
    shown = say.table("status")
    titles = ("Lanes", "Written, by the ledger", "Waiting for the teacher", "Latest receipts")
    for text in (*titles, "two", "1 events in quarantine"):
        assert text in shown
    assert "e4" not in shown


def test_looking_changes_nothing(say: Saying, busy: Rig) -> None:
    tables = [str(name) for (name,) in busy.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    def everything() -> list[object]:
        return [busy.execute(f'SELECT row_to_json(t)::text FROM "{table}" t ORDER BY 1') for table in tables]

    before = everything()
    say("status", DATABASE_URL=busy.dsn)
    assert everything() == before


def test_without_our_tables_it_says_what_makes_them_and_shows_the_rest(say: Saying, empty_database: str) -> None:
    status, data, said = say("status", DATABASE_URL=empty_database)
    assert status == 0
    assert set(data["unknown"]) == FIGURES
    assert said.count("cascade migrate") == 1
    assert "a live worker's tables. Pulling" in said
    assert data["switch"]["mode"] == "off"


@pytest.mark.parametrize(
    ("table", "unknown"),
    [
        ("cascade_receipts", {"receipts"}),
        ("cascade_queue_marks", {"lanes", "quarantined"}),
        ("cascade_escalations", {"lanes", "backlog"}),
        ("event_distillations", {"ledger"}),
        ("distillation_queue", {"lanes", "backlog", "quarantined", "workers"}),
    ],
)
def test_a_table_that_is_missing_costs_only_what_stands_in_it(
    say: Saying, busy: Rig, table: str, unknown: set[str]
) -> None:
    busy.execute(f"DROP TABLE {table}")
    status, data, said = say("status", DATABASE_URL=busy.dsn)
    assert (status, set(data["unknown"])) == (0, unknown)
    assert "a live worker's tables. Pulling" not in said
    assert table in said


def test_a_table_that_may_not_be_read_costs_only_what_stands_in_it(say: Saying, busy: Rig) -> None:
    busy.execute("CREATE ROLE onlooker LOGIN")
    try:
        busy.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO onlooker")
        busy.execute("REVOKE SELECT ON cascade_receipts FROM onlooker")
        status, data, said = say("status", DATABASE_URL=make_conninfo(busy.dsn, user="onlooker"))
        assert (status, data["unknown"]) == (0, ["receipts"])
        assert "cascade_receipts" in said
    finally:
        busy.execute("DROP OWNED BY onlooker")
        busy.execute("DROP ROLE onlooker")


@pytest.fixture
def as_worker(database: str) -> Iterator[str]:
    """A connection string of a member of the role ``worker``."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL(grants(ColumnMapping(), GraphMapping(), "seeing_")))
        connection.execute("ALTER ROLE seeing_worker LOGIN")
        yield make_conninfo(database, user="seeing_worker")
        for role in ROLES:
            connection.execute(sql.SQL(f"DROP OWNED BY seeing_{role}; DROP ROLE seeing_{role}"))


def test_whoever_may_read_the_switch_sees_it_though_not_who_changed_it(say: Saying, busy: Rig, as_worker: str) -> None:
    say("kill", "on", "--reason", "a drill", DATABASE_URL=busy.dsn)
    status, data, _ = say("kill", DATABASE_URL=as_worker)
    assert (status, data["control_row"]["killed"], data["control_row"]["reason"]) == (0, True, "a drill")
    assert data["switches"] == []
    status, data, _ = say("status", DATABASE_URL=as_worker)
    assert (status, data["unknown"]) == (0, ["receipts"])
    assert data["switch"]["control_row"]["killed"]


def test_a_database_that_is_away_is_exit_4_and_the_switches_are_shown(say: Saying) -> None:
    status, data, said = say("status", DATABASE_URL="postgresql://ann:hunter22@127.0.0.1:1/mail")
    assert (status, set(data["unknown"]), data["switch"]["mode"]) == (4, FIGURES, "off")
    assert said.count("error: ") == 1
    assert "warning" not in said


def test_without_a_database_the_environment_is_shown(say: Saying) -> None:
    status, data, said = say("status", CASCADE_ENABLED="true")
    assert (status, set(data)) == (0, {"switch"})
    assert "DATABASE_URL" in said


def test_other_names_of_the_queue_are_followed(say: Saying, busy: Rig, request: pytest.FixtureRequest) -> None:
    busy.execute("ALTER TABLE distillation_queue RENAME TO jobs")
    busy.execute("ALTER TABLE jobs RENAME COLUMN claimed_by TO holder")
    (request.getfixturevalue("tmp_path") / "cascade.toml").write_text(
        '[postgres.queue]\ntable = "jobs"\nclaimed_by = "holder"\n'
    )
    status, data, _ = say("status", DATABASE_URL=busy.dsn)
    assert (status, data["unknown"], len(data["workers"]), data["quarantined"]) == (0, [], 1, 1)


def test_the_ledger_of_a_day_is_found_by_its_index(say: Saying, rig: Rig) -> None:
    rig.execute(
        "INSERT INTO event_distillations SELECT 'e' || n, 'student', 'm', null, false, null,"
        " now() - n * interval '1 min' FROM generate_series(1, 50000) AS n"
    )
    rig.execute("ANALYZE event_distillations")
    explained = sql.SQL("EXPLAIN " + QUERIES["ledger"]).format(ledger=sql.Identifier("event_distillations"))
    with psycopg.connect(rig.dsn) as connection:
        plan = "\n".join(line for (line,) in connection.execute(explained))
    assert "idx_event_distillations_producer_time" in plan
    assert say("status", DATABASE_URL=rig.dsn)[1]["ledger"][0]["last_day"] == 1_439
