"""Reading a real PostgreSQL: everything once, in bounded pages, with clear words for what is wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cascade_cli.errors import CascadeError, DependencyError, UsageError
from cascade_cli.ledger import LedgerEntry
from cascade_cli.postgres import ColumnMapping, PostgresSource, apply_migrations, load_rows, migrating, redacted
from cascade_cli.postgres import source as source_module
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.tables import QUERIES
from cascade_cli.pulling import PullReport, pull_postgres
from cascade_cli.records import BadRow, Event, Row, StudentAnswer, Trace
from cascade_cli.workspace import Workspace

NOON = datetime(2026, 6, 18, 12, tzinfo=UTC)


def _row(number: int) -> Row:
    event = Event(f"e{number}", "sales", "tëxt", {"to_emails": ["a@b.c"]}, ("sales", "ops"), "private", "mail", NOON)
    created_at = NOON + timedelta(seconds=number // 3)
    trace = Trace(f"e{number}", "{}", f"t{number:05d}", "f1e0ff", "qwen", "block", 840.5, created_at, event)
    return Row(trace, StudentAnswer(f"e{number}", "{}", "m", student_ms=9.5))


def _decided(row: Row) -> StudentAnswer:
    """The answer of a loaded row as a worker's: decided about when the trace was made."""
    assert row.answer is not None
    return replace(row.answer, decided_at=row.trace.created_at)


def _traces(dsn: str, start: datetime | None = None, mapping: ColumnMapping | None = None) -> list[Row | BadRow]:
    with PostgresSource.open(dsn, mapping) as source:
        return list(source.traces(start))


def _execute(dsn: str, statement: str, *parameters: object) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL(statement), parameters)


def _pull(dsn: str, folder: Path, since: datetime | None = None) -> PullReport:
    with PostgresSource.open(dsn) as source:
        return pull_postgres(source, folder, since=since)


def test_loaded_rows_come_back_as_they_went_in(database: str) -> None:
    rows = [_row(number) for number in range(10)]
    assert load_rows(database, rows) == 10
    assert _traces(database) == [Row(row.trace) for row in rows]
    with PostgresSource.open(database) as source:
        assert list(source.answers(None)) == [_decided(row) for row in rows]


def test_signals_come_back_and_bad_ones_are_told_with_their_event(database: str) -> None:
    row = _row(1)
    answer = replace(row.answer, signals={"verifier": 0.25})
    load_rows(database, [Row(row.trace, answer)])
    with PostgresSource.open(database) as source:
        assert list(source.answers(None)) == [_decided(Row(row.trace, answer))]
    _execute(database, """UPDATE cascade_student_answers SET signals = '{"verifier": 7}'""")
    with PostgresSource.open(database) as source, pytest.raises(DependencyError, match="event e1: signals"):
        list(source.answers(None))


@pytest.mark.parametrize(("page_size", "page_bytes"), [(1, 10**9), (3, 10**9), (7, 10**9), (1_000, 1), (5, 40)])
def test_pages_of_any_size_hold_every_row_once_in_order(
    database: str, monkeypatch: pytest.MonkeyPatch, page_size: int, page_bytes: int
) -> None:
    rows = [_row(number) for number in range(20)]
    load_rows(database, rows)
    _execute(
        database,
        "INSERT INTO event_distillations SELECT id, p, 'm', NULL, NULL, NULL, emitted_at "
        "FROM events, unnest(ARRAY['student', 'teacher']) AS p",
    )
    monkeypatch.setattr(source_module, "PAGE_SIZE", page_size)
    monkeypatch.setattr(source_module, "PAGE_BYTES", page_bytes)
    with PostgresSource.open(database) as source:
        assert list(source.traces(None)) == [Row(row.trace) for row in rows]
        assert sorted(answer.event_id for answer in source.answers(None)) == sorted(r.trace.event_id for r in rows)
        keys = [(entry.event_id, entry.producer) for entry in source.ledger(None)]
        assert len(set(keys)) == len(keys) == 40


def test_reading_from_a_moment_includes_that_moment(database: str) -> None:
    load_rows(database, [_row(number) for number in range(9)])
    found = _traces(database, NOON + timedelta(seconds=1))
    assert [row.trace.trace_id for row in found if isinstance(row, Row)] == [f"t{n:05d}" for n in range(3, 9)]


def test_a_trace_without_its_event_stands_alone(database: str) -> None:
    load_rows(database, [Row(replace(_row(1).trace, event=None))])
    (row,) = _traces(database)
    assert isinstance(row, Row)
    assert row.trace.event is None


def test_rows_that_cannot_be_read_are_named_with_their_cause(database: str) -> None:
    load_rows(database, [_row(number) for number in range(4)])
    _execute(database, "UPDATE distillation_traces SET raw_response = NULL WHERE id = 't00000'")
    deep = "[" * 20_000 + "]" * 20_000
    _execute(database, "ALTER TABLE events ALTER attributes TYPE text")
    _execute(database, "UPDATE events SET attributes = %s WHERE id = 'e1'", deep)
    _execute(database, "UPDATE events SET attributes = 'no json' WHERE id = 'e2'")
    _execute(database, "UPDATE distillation_traces SET created_at = 'infinity' WHERE id = 't00003'")
    assert _traces(database) == [
        BadRow("distillation_traces, id t00000", "raw_response is null"),
        BadRow("distillation_traces, id t00001", "attributes is not JSON, or too large or deeply nested"),
        BadRow("distillation_traces, id t00002", "attributes is not JSON, or too large or deeply nested"),
        BadRow("distillation_traces, id t00003", "created_at is not a moment between the years 1 and 9999"),
    ]


def test_rows_without_a_date_are_counted_and_not_lost_silently(database: str) -> None:
    load_rows(database, [_row(1), _row(2)])
    _execute(database, "ALTER TABLE distillation_traces ALTER created_at DROP NOT NULL")
    _execute(database, "UPDATE distillation_traces SET created_at = NULL WHERE id = 't00001'")
    bad, good = _traces(database)
    assert bad == BadRow("distillation_traces", "1 rows have no created_at and cannot be placed in time")
    assert isinstance(good, Row)


def test_text_that_postgres_cannot_hold_is_loaded_with_replacements(database: str) -> None:
    trace = Trace("e", "nul \0 and \ud800 lone", "t", created_at=NOON)
    load_rows(database, [Row(trace)])
    (row,) = _traces(database)
    assert isinstance(row, Row)
    assert row.trace.raw_response == "nul \ufffd and \ufffd lone"


def test_other_names_and_types_of_columns_are_mapped(empty_database: str) -> None:
    _execute(empty_database, 'CREATE SCHEMA "te""am"')
    _execute(
        empty_database,
        'CREATE TABLE "te""am"."Tra ces" (nr bigint, "event" uuid, answer jsonb, "when" timestamp, PRIMARY KEY (nr))',
    )
    _execute(empty_database, 'CREATE TABLE "te""am".mails (key uuid PRIMARY KEY, body text, who jsonb)')
    uuid = "6f1c9f3e-9a0b-4d6e-8f54-0d8f0a6b8f11"
    _execute(
        empty_database, f"""INSERT INTO "te""am"."Tra ces" VALUES (7, '{uuid}', '{{"a": 1}}', '2026-06-18 12:00')"""
    )
    _execute(empty_database, f"""INSERT INTO "te""am".mails VALUES ('{uuid}', 'hello', '["x", "y"]')""")
    absent = {"system_prompt_hash": "", "llm_model": "", "user_prompt": "", "llm_chunk_ms": ""}
    traces = {"table": "Tra ces", "id": "nr", "event_id": "event", "raw_response": "answer", "created_at": "when"}
    events = {"table": "mails", "id": "key", "content": "body", "participant_set": "who"}
    gone = dict.fromkeys(["arena", "attributes", "disclosure_class", "source_kind", "emitted_at"], "")
    mapping = ColumnMapping.of('te"am', {**traces, **absent}, {**events, **gone})
    assert _traces(empty_database, mapping=mapping) == [
        Row(
            Trace(
                event_id=uuid,
                raw_response='{"a": 1}',
                trace_id="7",
                created_at=NOON,
                event=Event(uuid, content="hello", participant_set=("x", "y")),
            )
        )
    ]


def test_a_row_that_is_committed_after_a_later_one_is_not_missed_by_the_next_pull(
    database: str, tmp_path: Path
) -> None:
    insert = "INSERT INTO distillation_traces (id, event_id, raw_response, created_at) VALUES (%s, %s, '{}', %s)"
    with psycopg.connect(database) as slow:
        slow.execute(insert, ("slow", "e1", NOON))
        _execute(database, insert, "quick", "e2", NOON + timedelta(minutes=5))
        assert _pull(database, tmp_path).new_traces == 1
        slow.commit()
    second = _pull(database, tmp_path)
    assert (second.read, second.new_traces) == (2, 1)
    assert _pull(database, tmp_path).new_traces == 0


def test_a_second_pull_reads_the_overlap_and_finds_nothing(database: str, tmp_path: Path) -> None:
    old = Row(replace(_row(1).trace, created_at=NOON - timedelta(days=1)))
    load_rows(database, [old, _row(2), _row(3)])
    first = _pull(database, tmp_path)
    assert (first.read, first.new_traces, first.new_answers) == (3, 3, 2)
    second = _pull(database, tmp_path)
    assert (second.read, second.new_traces, second.new_answers, second.seen) == (2, 0, 0, 4)


def test_asking_further_back_than_before_fetches_what_was_left_out(database: str, tmp_path: Path) -> None:
    load_rows(database, [Row(replace(_row(n).trace, created_at=NOON - timedelta(days=n))) for n in range(10)])
    assert _pull(database, tmp_path, NOON - timedelta(days=3)).new_traces == 4
    assert _pull(database, tmp_path, NOON - timedelta(days=7)).new_traces == 4
    assert _pull(database, tmp_path).new_traces == 2


def test_a_row_dated_in_the_future_does_not_hide_the_rows_of_the_present(database: str, tmp_path: Path) -> None:
    insert = "INSERT INTO distillation_traces (id, event_id, raw_response, created_at) VALUES (%s, %s, '{}', %s)"
    _execute(database, insert, "future", "e1", datetime.now(UTC) + timedelta(days=365))
    assert _pull(database, tmp_path).new_traces == 1
    _execute(database, insert, "present", "e2", datetime.now(UTC))
    assert _pull(database, tmp_path).new_traces == 1


def test_pulling_brings_the_ledger_of_both_producers(database: str, tmp_path: Path) -> None:
    insert = "INSERT INTO event_distillations VALUES ('e1', %s, 'qwen', NULL, NULL, NULL, %s)"
    _execute(database, insert, "teacher", NOON)
    _execute(database, insert, "student", NOON)
    assert _pull(database, tmp_path).ledger == 2
    with PostgresSource.open(database) as source:
        assert LedgerEntry("e1", "student", "qwen", None, None, None, NOON) in list(source.ledger(None))
        assert list(source.ledger(NOON + timedelta(seconds=1))) == []


def test_tables_of_ours_that_are_missing_are_no_matter(database: str, tmp_path: Path) -> None:
    load_rows(database, [_row(1)])
    _execute(database, "DROP TABLE event_distillations, cascade_student_answers")
    report = _pull(database, tmp_path)
    assert (report.new_traces, report.new_answers, report.warnings) == (1, 0, ())


@pytest.fixture
def reader(database: str) -> Iterator[str]:
    """A user who may read the team's tables and nothing of ours."""
    _execute(database, "CREATE ROLE reader LOGIN PASSWORD 'opensesame'")
    _execute(database, "GRANT SELECT ON events, distillation_traces TO reader")
    yield make_conninfo(f"{database} user=reader password=opensesame")
    _execute(database, "DROP OWNED BY reader")
    _execute(database, "DROP ROLE reader")


OURS = ("cascade_escalations", "event_distillations", "cascade_student_answers")


def test_tables_of_ours_that_may_not_be_read_give_a_warning(database: str, reader: str, tmp_path: Path) -> None:
    load_rows(database, [_row(1)])
    report = _pull(reader, tmp_path)
    assert report.new_traces == 1
    assert all(table in warning for table, warning in zip(OURS, report.warnings, strict=True))


def test_a_table_that_may_not_be_read_names_the_grant(database: str, reader: str) -> None:
    _execute(database, "REVOKE SELECT ON distillation_traces FROM reader")
    with pytest.raises(DependencyError, match="may not be read") as raised:
        _traces(reader)
    assert 'GRANT SELECT ON "public"."distillation_traces"' in str(raised.value.hint)


def test_nothing_can_be_written_while_reading(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writing = "INSERT INTO events (id) VALUES ('e') RETURNING 0"
    monkeypatch.setattr(source_module, "QUERIES", {**QUERIES, "undated_traces": writing})
    with pytest.raises(DependencyError, match="read-only transaction"):
        _traces(database)


@pytest.mark.parametrize(
    ("traces", "says", "advises"),
    [
        ({"table": "distillation_trace"}, 'did you mean "distillation_traces"?', '[postgres.traces] table = "…"'),
        ({"llm_chunk_ms": "chunk_ms"}, 'did you mean "llm_chunk_ms"?', '[postgres.traces] llm_chunk_ms = "…"'),
        ({"llm_model": "m", "user_prompt": "p"}, 'no column "m", no column "p"', 'llm_model = "…", user_prompt = "…"'),
        ({"created": "x"}, 'did you mean "created_at"?', "Known:"),
        ({"raw_response": ""}, "nothing can be read without it", None),
        ({"llm_chunk_ms": "raw_response"}, "a column holds what it should not", "Check [postgres.traces]"),
    ],
)
def test_a_wrong_mapping_names_the_setting(
    database: str, traces: dict[str, str], says: str, advises: str | None
) -> None:
    load_rows(database, [_row(1)])
    with pytest.raises(UsageError) as raised:
        _traces(database, mapping=ColumnMapping.of("public", traces, {}))
    assert says in raised.value.message
    assert (advises or "") in (raised.value.hint or "")


def test_a_hostile_name_is_only_a_name(database: str) -> None:
    mapping = ColumnMapping.of("public", {"llm_model": 'x" FROM events; DROP TABLE events; --'}, {})
    with pytest.raises(UsageError, match="has no column"):
        _traces(database, mapping=mapping)


def test_a_page_that_takes_too_long_is_stopped_and_explained(database: str) -> None:
    with psycopg.connect(database) as other, PostgresSource.open(database, statement_timeout_s=0.2) as source:
        other.execute("LOCK TABLE distillation_traces")
        with pytest.raises(DependencyError, match="took longer than allowed") as raised:
            list(source.traces(None))
    assert "statement_timeout_s" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("dsn", "error", "says"),
    [
        ("postgresql://ann:opensesame@127.0.0.1:1/crm", DependencyError, "ann:***@127.0.0.1:1/crm"),
        ("postgresql://ann:opensesame@no-such-host.invalid/crm", DependencyError, "ann:***@no-such-host.invalid/crm"),
        ("host=127.0.0.1 port=1 opensesame", UsageError, "cannot be read"),
        ("postgresql://ann:opense%ZZsame@host/crm", UsageError, "cannot be read"),
        ("postgresql://ann@127.0.0.1:1/crm?password=opensesame", DependencyError, "ann:***@127.0.0.1:1/crm"),
    ],
)
def test_no_message_holds_the_password(dsn: str, error: type[CascadeError], says: str) -> None:
    with pytest.raises(error) as raised:
        _traces(dsn)
    assert says in raised.value.message
    shown = f"{raised.value.message} {raised.value.hint} {raised.value.__cause__}"
    assert "same" not in shown


def test_a_wrong_password_is_called_so(database: str, reader: str) -> None:
    """The embedded server trusts everybody, so it is told to ask for this user's password."""
    with psycopg.connect(database, autocommit=True) as connection:
        (path,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        trusting = Path(path).read_text()
        Path(path).write_text(f"local all reader scram-sha-256\n{trusting}")
        try:
            connection.execute("SELECT pg_reload_conf()")
            with pytest.raises(DependencyError, match="password authentication failed") as raised:
                _wait_for_refusal(reader.replace("opensesame", "sesameopen"))
        finally:
            Path(path).write_text(trusting)
            connection.execute("SELECT pg_reload_conf()")
    assert "sesameopen" not in f"{raised.value.message} {raised.value.hint}"
    assert "DATABASE_URL" in str(raised.value.hint)


def _wait_for_refusal(dsn: str) -> None:
    for _ in range(100):
        _traces(dsn)


def test_a_database_that_is_not_there_is_a_mistake_of_the_user(database: str) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        _traces(make_conninfo(database, dbname="nowhere"))


def test_an_empty_table_gives_no_rows_and_an_empty_workspace(database: str, tmp_path: Path) -> None:
    assert _pull(database, tmp_path) == PullReport()
    with Workspace.open(tmp_path) as workspace:
        assert workspace.counts().traces == 0


def test_a_server_that_goes_away_is_explained(database: str) -> None:
    load_rows(database, [_row(number) for number in range(3)])
    with PostgresSource.open(database) as source:
        _execute(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        with pytest.raises(DependencyError):
            list(source.traces(None))


def test_migrations_can_run_twice_and_only_create(empty_database: str) -> None:
    names = ["team_tables", "010_event_distillations", "011_student_answers", "012_worker"]
    assert apply_migrations(empty_database, with_team_tables=True) == names
    load_rows(empty_database, [_row(1)])
    assert apply_migrations(empty_database, with_team_tables=True) == []
    assert len(_traces(empty_database)) == 1


def test_migrators_at_the_same_time_take_turns(empty_database: str) -> None:
    applied: list[str] = []
    threads = [threading.Thread(target=lambda: applied.extend(apply_migrations(empty_database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == ["010_event_distillations", "011_student_answers", "012_worker"]


def test_a_migration_that_gets_no_lock_gives_up_and_says_so(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "_TRIES", 1)
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE cascade_migrations")
        with pytest.raises(DependencyError, match="got no lock"):
            apply_migrations(database)


def test_the_ledger_is_exactly_the_one_that_was_given(database: str) -> None:
    with psycopg.connect(database) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns "
            "WHERE table_name = 'event_distillations' ORDER BY ordinal_position"
        ).fetchall()
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'event_distillations'"
        ).fetchall()
    assert columns == [
        ("event_id", "text", "NO", None),
        ("producer", "text", "NO", None),
        ("llm_model", "text", "NO", None),
        ("system_prompt_hash", "text", "YES", None),
        ("escalated", "boolean", "YES", None),
        ("escalate_reason", "text", "YES", None),
        ("distilled_at", "timestamp with time zone", "NO", "now()"),
    ]
    found = {name: definition.partition(" USING btree ")[2] for name, definition in indexes}
    assert found == {
        "event_distillations_pkey": "(event_id, producer)",
        "idx_event_distillations_producer_time": "(producer, distilled_at DESC)",
        "idx_event_distillations_reason": "(escalate_reason) WHERE (escalate_reason IS NOT NULL)",
    }


def test_every_query_can_be_explained(database: str) -> None:
    mapping = ColumnMapping()
    names = mapping.names()
    names |= {"ledger": mapping.table("event_distillations"), "answers": mapping.table("cascade_student_answers")}
    names["place"] = compose(QUERIES["after_trace"], names)
    values = {
        "after_at": NOON,
        "after_id": "",
        "after_event_id": "",
        "after_queue_id": "",
        "max_attempts": 3,
        "event_id": "",
        "student_model": "",
        "prompt_shape": "",
        "sample_index": 0,
        "producer": "teacher",
        "page_size": 10,
        "page_bytes": 10,
        "timeout_ms": "1000",
        "table": "events",
        "schema": "public",
    }
    of_queue = {
        **names,
        **mapping.queue_names(),
        "id_type": sql.SQL("bigint"),
        "escalations": mapping.table("cascade_escalations"),
    }
    with psycopg.connect(database) as connection:
        for name in QUERIES.keys() - {"from_moment", "after_trace"}:
            known = of_queue if name == "page_of_awaited" else names
            connection.execute(sql.SQL("EXPLAIN ") + compose(QUERIES[name], known), values)


def test_a_page_of_traces_is_found_by_index_alone(database: str) -> None:
    """Else every page would sort the whole table."""
    load_rows(database, [Row(_row(number).trace) for number in range(2_000)])
    # Among few events reading them all would be the better plan.
    _execute(
        database,
        "INSERT INTO events (id, arena, content) SELECT 'more-' || n, 'sales', 'text' FROM generate_series(1, 50000) n",
    )
    _execute(database, "ANALYZE")
    names = ColumnMapping().names()
    names["place"] = compose(QUERIES["after_trace"], names)
    values = {"after_at": NOON, "after_id": "", "page_size": 10, "page_bytes": 10**9}
    explained = sql.SQL("EXPLAIN (FORMAT JSON) ") + compose(QUERIES["page_of_traces"], names)
    with psycopg.connect(database) as connection:
        ((plan,),) = connection.execute(explained, values).fetchall()
    shown = json.dumps(plan)
    assert "idx_distillation_traces_time" in shown
    assert '"Seq Scan"' not in shown


def test_connection_strings_are_shown_without_their_secrets() -> None:
    assert redacted("postgresql://ann:secret@db:5433/crm") == "postgresql://ann:***@db:5433/crm"
    assert redacted("host=db user=ann password=secret dbname=crm") == "postgresql://ann:***@db/crm"
    assert redacted("postgresql://db/crm") == "postgresql://db/crm"
