"""What ``cascade doctor`` says about a real server: each state broken on purpose, each cure tried."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rig import Rig
from shadowing import stand_in

from cascade_cli import app
from cascade_cli.config import SETTINGS, load_settings
from cascade_cli.diagnosis import Finding, diagnose, failure_of
from cascade_cli.diagnosis.graph import LONG_PROVENANCE
from cascade_cli.postgres import ColumnMapping, apply_migrations
from cascade_cli.postgres.granting import grants
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.inspection import inspect_graph, inspect_work

NOWHERE = "http://127.0.0.1:9/v1"


def examined(dsn: str | None, folder: Path, toml: str = "", **environment: str) -> dict[str, Finding]:
    """The findings by their subjects."""
    (folder / "cascade.toml").write_text(toml, encoding="utf-8")
    settings = load_settings({}, {**({"DATABASE_URL": dsn} if dsn else {}), **environment}, folder)
    return {finding.subject: finding for finding in diagnose(settings)}


def exit_code(found: Mapping[str, Finding]) -> int:
    failure = failure_of(list(found.values()))
    return 0 if failure is None else failure.exit_code


def failing(found: Mapping[str, Finding]) -> set[str]:
    return {subject for subject, finding in found.items() if finding.verdict == "fail"}


# What is pulled from


def test_a_database_without_our_tables_is_a_mistake_of_configuration(empty_database: str, tmp_path: Path) -> None:
    found = examined(empty_database, tmp_path)
    assert failing(found) == {"tables to pull"}
    assert "distillation_traces" in found["tables to pull"].detail
    assert "postgres.traces" in found["tables to pull"].cure
    assert exit_code(found) == 2


def test_a_server_with_empty_tables_works_and_says_that_they_are_empty(database: str, tmp_path: Path) -> None:
    found = examined(database, tmp_path)
    assert found["PostgreSQL"].detail.startswith("version ")
    assert (found["table distillation_traces"].verdict, found["table events"].verdict) == ("warn", "warn")
    assert found["table event_distillations"].verdict == "ok"
    assert exit_code(found) == 0


def test_a_column_that_is_called_otherwise_is_named(database: str, tmp_path: Path) -> None:
    found = examined(database, tmp_path, '[postgres.events]\nid = "event_no"\n')
    assert '"event_no"' in found["tables to pull"].detail
    assert found["entities"].verdict == "ok"


def test_a_server_that_does_not_answer_is_a_dependency_that_fails_and_told_once(tmp_path: Path) -> None:
    found = examined("postgresql://127.0.0.1:1/mail", tmp_path)
    assert failing(found) == {"PostgreSQL"}
    assert exit_code(found) == 4


# The graph


def test_a_graph_table_without_its_unique_index_fails_until_the_cure_is_run(rig: Rig, tmp_path: Path) -> None:
    rig.execute("ALTER TABLE entities DROP CONSTRAINT entities_arena_type_name_key")
    found = examined(rig.dsn, tmp_path)
    assert failing(found) == {"entities"}
    assert "unique index over exactly (arena, type, name)" in found["entities"].detail
    assert exit_code(found) == 2
    rig.execute(found["entities"].cure.partition(", or ")[0])
    assert failing(examined(rig.dsn, tmp_path)) == set()


def test_an_index_that_was_left_half_made_is_none(rig: Rig, tmp_path: Path) -> None:
    key = "'facts_arena_category_statement_key'::regclass"
    rig.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {key}")
    assert failing(examined(rig.dsn, tmp_path)) == {"facts"}


def test_other_conflict_columns_need_an_index_of_their_own(rig: Rig, tmp_path: Path) -> None:
    toml = '[postgres.entities]\nkey = "arena, name"\n'
    assert failing(examined(rig.dsn, tmp_path, toml)) == {"entities"}
    rig.execute("CREATE UNIQUE INDEX ON entities (name, arena)")
    assert failing(examined(rig.dsn, tmp_path, toml)) == set()


def test_row_level_security_is_a_warning_that_says_whom_it_concerns(rig: Rig, tmp_path: Path, worker: str) -> None:
    rig.execute("ALTER TABLE facts ENABLE ROW LEVEL SECURITY")
    ours, theirs = (examined(dsn, tmp_path)["facts row-level security"] for dsn in (rig.dsn, worker))
    assert (ours.verdict, theirs.verdict) == ("warn", "warn")
    assert "not for this user" in ours.detail
    assert "hides rows from this user" in theirs.detail
    assert examined(rig.dsn, tmp_path)["entities row-level security"].verdict == "ok"


@pytest.mark.parametrize(("ids", "verdict"), [(LONG_PROVENANCE - 1, "ok"), (LONG_PROVENANCE, "warn")])
def test_the_longest_provenance_is_told_and_warned_of_from_a_bound_on(
    rig: Rig, tmp_path: Path, ids: int, verdict: str
) -> None:
    columns = "(arena, participant_set, disclosure_class, type, name, provenance_event_ids)"
    given = "'sales', '{}', 'private', 'person', 'Alice', array_agg(number::text) FROM generate_series(1, %s) AS number"
    rig.execute(f"INSERT INTO entities {columns} SELECT {given}", ids)
    found = examined(rig.dsn, tmp_path)["entities provenance"]
    assert (found.verdict, f"{ids:,} events" in found.detail) == (verdict, True)
    if verdict == "warn":
        look = found.cure.partition("at all: ")[2]
        assert rig.execute(look)[0][1] == ids


def test_a_look_that_takes_too_long_says_so_and_ends(rig: Rig) -> None:
    rig.execute(
        "CREATE VIEW slow AS SELECT id, arena, participant_set, disclosure_class, type, name, aliases, email,"
        " ARRAY[pg_sleep(10)::text] AS provenance_event_ids FROM generate_series(1, 9) AS number, entities"
    )
    rig.execute(
        "INSERT INTO entities (arena, participant_set, disclosure_class, type, name)"
        " VALUES ('sales', '{}', 'private', 'person', 'Alice')"
    )
    slow = GraphMapping.of("public", {"table": "slow"}, {}, {})
    entities, facts, _ = inspect_graph(rig.dsn, slow, longest_look_s=0.1)
    assert (entities.longest_provenance, facts.longest_provenance) == (None, 0)


@pytest.mark.parametrize("table", ["entities", "facts", "relationships", "queue"])
def test_storage_advice_is_a_statement_that_works_and_is_not_given_twice(rig: Rig, tmp_path: Path, table: str) -> None:
    found = examined(rig.dsn, tmp_path)[f"{table} storage"]
    assert (found.verdict, found.detail) == ("ok", "as by default")
    rig.execute(found.cure.partition(": ")[2])
    again = examined(rig.dsn, tmp_path)[f"{table} storage"]
    assert (again.verdict, again.cure) == ("ok", "")
    assert "autovacuum_vacuum_scale_factor = 0.0" in again.detail


def test_what_somebody_has_set_is_left_as_it_is(rig: Rig, tmp_path: Path) -> None:
    rig.execute("ALTER TABLE facts SET (fillfactor = 50)")
    found = examined(rig.dsn, tmp_path)["facts storage"]
    assert found.detail == "fillfactor = 50"
    assert "fillfactor" not in found.cure


# The worker


@pytest.fixture
def roles(database: str) -> Iterator[dict[str, str]]:
    """Connection strings of a reader and a worker, with what is granted to them."""
    names = {"reader": "doctors_reader", "worker": "doctors_worker"}
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL(grants(ColumnMapping(), GraphMapping(), "doctors_")))
        for name in names.values():
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(name)))
        yield {role: make_conninfo(database, user=name) for role, name in names.items()}
        for name in (*names.values(), "doctors_mop_up", "doctors_admin"):
            connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.fixture
def worker(roles: dict[str, str]) -> str:
    return roles["worker"]


def test_what_migrate_grants_is_what_a_worker_needs(tmp_path: Path, worker: str) -> None:
    found = examined(worker, tmp_path)
    assert failing(found) == set()
    assert {found[each].verdict for each in ("privileges", "migrations", "indexes", "switch control row")} == {"ok"}


@pytest.mark.parametrize(
    ("privilege", "table"),
    [
        ("UPDATE", "distillation_queue"),
        ("SELECT", "events"),
        ("INSERT", "distillation_traces"),
        ("INSERT", "entities"),
        ("UPDATE", "relationships"),
        ("UPDATE", "event_distillations"),
        ("DELETE", "cascade_escalations"),
        ("INSERT", "cascade_touched_rows"),
        ("INSERT", "cascade_switches"),
        ("SELECT", "cascade_migrations"),
        ("UPDATE (flip_allowed)", "cascade_control"),
    ],
)
def test_a_missing_privilege_fails_with_the_grant_that_cures_it(
    rig: Rig, tmp_path: Path, worker: str, privilege: str, table: str
) -> None:
    rig.execute(f"REVOKE {privilege} ON {table} FROM doctors_worker")
    found = examined(worker, tmp_path)
    finding = found[f'privileges on "public"."{table}"']
    assert (finding.verdict, finding.cure) == (
        "fail",
        f'GRANT {privilege} ON "public"."{table}" TO "doctors_worker";',
    )
    assert exit_code(found) == 4
    rig.execute(finding.cure)
    assert failing(examined(worker, tmp_path)) == set()


def test_who_only_reads_needs_no_more_unless_a_worker_is_configured(tmp_path: Path, roles: dict[str, str]) -> None:
    found = examined(roles["reader"], tmp_path)
    assert failing(found) == set()
    assert "cascade migrate --grants" in found["privileges"].cure
    teacher = {"LLM_ENDPOINT": NOWHERE, "LLM_MODEL": "m", "TEACHER_SYSTEM_PROMPT_FILE": str(tmp_path / "prompt.txt")}
    assert "no such file" in examined(roles["reader"], tmp_path, **teacher)["teacher"].detail
    (tmp_path / "prompt.txt").touch()
    found = examined(roles["reader"], tmp_path, **teacher)
    assert 'privileges on "public"."entities"' in failing(found)
    assert exit_code(found) == 4


def test_migrations_that_are_not_applied_and_indexes_that_are_missing_are_named(rig: Rig, tmp_path: Path) -> None:
    rig.execute("DELETE FROM cascade_migrations WHERE name = '012_worker'")
    rig.execute("DROP INDEX idx_distillation_queue_pending")
    rig.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_event_distillations_reason'::regclass")
    found = examined(rig.dsn, tmp_path)
    assert (found["migrations"].verdict, found["migrations"].detail) == ("fail", "not applied: 012_worker")
    assert found["indexes"].verdict == "warn"
    for name in ("idx_distillation_queue_pending", "idx_event_distillations_reason"):
        assert name in found["indexes"].detail
    apply_migrations(rig.dsn)
    found = examined(rig.dsn, tmp_path)
    assert (found["migrations"].verdict, found["indexes"].verdict) == ("ok", "ok")
    rig.execute("ALTER TABLE distillation_queue RENAME TO elsewhere")
    assert "indexes" not in examined(rig.dsn, tmp_path)


def test_a_team_that_has_no_queue_and_no_graph_yet_is_told_that_only_a_worker_needs_them(
    rig: Rig, tmp_path: Path, roles: dict[str, str]
) -> None:
    rig.execute("DROP TABLE distillation_queue, entities, facts, relationships")
    found = examined(roles["reader"], tmp_path)
    assert {found[each].verdict for each in ("queue", "entities", "facts", "relationships")} == {"ok"}
    assert failing(examined(roles["worker"], tmp_path)) == {"queue", "entities", "facts", "relationships"}


def test_a_transaction_that_holds_our_tables_for_long_is_named_and_readers_are_not(rig: Rig, tmp_path: Path) -> None:
    with psycopg.connect(rig.dsn) as holding, psycopg.connect(rig.dsn) as reading:
        holding.execute("LOCK TABLE facts IN EXCLUSIVE MODE")
        reading.execute("SELECT FROM entities")
        (lock,) = inspect_work(rig.dsn, ColumnMapping(), GraphMapping(), old_s=0.0).long_locks
        assert (lock.pid, list(lock.tables)) == (holding.info.backend_pid, ["facts"])
        assert examined(rig.dsn, tmp_path)["locks"].verdict == "ok"
    assert inspect_work(rig.dsn, ColumnMapping(), GraphMapping(), old_s=0.0).long_locks == ()


# Switches


@pytest.mark.parametrize(
    ("act", "switch", "told", "cure"),
    [
        (lambda control: control.kill(who="ann", reason="a test"), "control row", "a test", "cascade kill off"),
        (lambda control: control.unflip(who="w", reason="bad"), "flip", "taken away", "--allow-flip"),
        (lambda control: control.approve(who="ann", policy_fingerprint="x"), "approved policy", "only x", "--policy"),
        (lambda control: control.approve(who="ann", oldest_worker_version="99"), "worker version", "99", "newer"),
    ],
)
def test_a_switch_that_holds_the_student_off_is_a_warning_with_the_way_back(
    rig: Rig, tmp_path: Path, act: Callable[[object], object], switch: str, told: str, cure: str
) -> None:
    act(rig.control)
    found = examined(rig.dsn, tmp_path)
    finding = found[f"switch {switch}"]
    assert (finding.verdict, told in finding.detail, cure in finding.cure) == ("warn", True, True)
    assert exit_code(found) == 0


def test_a_kill_file_and_a_control_row_that_is_gone_are_told(rig: Rig, tmp_path: Path) -> None:
    rig.execute("DELETE FROM cascade_control")
    kill = tmp_path / "kill"
    kill.touch()
    found = examined(rig.dsn, tmp_path, CASCADE_KILL_FILE=str(kill))
    assert (found["switch kill file"].verdict, found["switch control row"].verdict) == ("warn", "warn")
    assert "cascade migrate" in found["switch control row"].cure
    assert examined(None, tmp_path, CASCADE_KILL_FILE=str(kill))["switch kill file"].verdict == "warn"


# Endpoints


def test_endpoints_are_found_answering_with_their_models_and_keys_are_tried(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Distil.")
    with stand_in(tmp_path, "--api-key", "right", "--model", "student-4b", "--model", "teacher-27b") as endpoint:
        ready = {
            "STUDENT_ENDPOINT": endpoint.url,
            "STUDENT_API_KEY": "right",
            "STUDENT_MODEL": "student-4b",
            "LLM_ENDPOINT": endpoint.url,
            "LLM_API_KEY": "right",
            "LLM_MODEL": "teacher-27b",
            "TEACHER_SYSTEM_PROMPT_FILE": str(tmp_path / "prompt.txt"),
        }
        found = examined(None, tmp_path, **ready)
        assert {found[each].verdict for each in ("student", "teacher", "teacher prompt")} == {"ok"}
        assert examined(None, tmp_path, **{**ready, "STUDENT_MODEL": "student-5b"})["student"].verdict == "warn"
        for key, subject in (("STUDENT_API_KEY", "student"), ("LLM_API_KEY", "teacher")):
            found = examined(None, tmp_path, **{**ready, key: "wrong"})
            assert (failing(found), exit_code(found)) == ({subject}, 4)
            assert "wrong" not in str(found)
        assert endpoint.asked() == []


def test_who_has_configured_nothing_is_told_what_to_set(tmp_path: Path) -> None:
    found = examined(None, tmp_path)
    assert ("DATABASE_URL" in found["PostgreSQL"].cure, "STUDENT_ENDPOINT" in found["student"].cure) == (True, True)
    assert exit_code(found) == 0


def test_a_student_that_is_away_fails_and_a_teacher_that_is_away_may_be_at_zero(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Distil.")
    prompt = {"TEACHER_SYSTEM_PROMPT_FILE": str(tmp_path / "prompt.txt")}
    found = examined(None, tmp_path, STUDENT_ENDPOINT=NOWHERE, LLM_ENDPOINT=NOWHERE, LLM_MODEL="m", **prompt)
    assert (found["student"].verdict, found["teacher"].verdict, exit_code(found)) == ("fail", "warn", 4)
    found = examined(None, tmp_path, LLM_ENDPOINT=NOWHERE, LLM_MODEL="m")
    assert (failing(found), exit_code(found)) == ({"teacher"}, 2)


def test_the_command_says_all_of_it(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rig.execute("ALTER TABLE entities DROP CONSTRAINT entities_arena_type_name_key")
    for setting in SETTINGS:
        if setting.env:
            monkeypatch.delenv(setting.env, raising=False)
    monkeypatch.setenv("DATABASE_URL", rig.dsn)
    monkeypatch.chdir(tmp_path)
    assert app.run(["doctor", "--json"]) == 2
    checks = {each["subject"]: each for each in json.loads(capsys.readouterr().out)["data"]["checks"]}
    assert checks["entities"]["verdict"] == "fail"
    assert "ALTER TABLE" in checks["facts storage"]["cure"]
