"""What ``cascade doctor`` says about a real server."""

from __future__ import annotations

from pathlib import Path

from cascade_cli.config import POSTGRES_EVENTS, POSTGRES_TRACES, POSTGRES_URL, load_settings
from cascade_cli.diagnosis import Finding, diagnose, failure_of
from cascade_cli.postgres import apply_migrations


def findings(dsn: str, folder: Path, **tables: str) -> dict[str, Finding]:
    flags = {
        POSTGRES_URL: dsn,
        POSTGRES_TRACES: {"table": tables["traces"]} if "traces" in tables else None,
        POSTGRES_EVENTS: {"id": tables["event_id"]} if "event_id" in tables else None,
    }
    found = diagnose(load_settings(flags, {}, folder))
    return {finding.subject: finding for finding in found}


def test_a_database_without_our_tables_is_a_mistake_of_configuration(empty_database: str, tmp_path: Path) -> None:
    found = findings(empty_database, tmp_path)
    assert found["PostgreSQL"].verdict == "fail"
    assert "distillation_traces" in found["PostgreSQL"].detail
    assert "postgres.traces" in found["PostgreSQL"].cure
    failure = failure_of(list(found.values()))
    assert failure is not None
    assert failure.exit_code == 2


def test_a_server_with_empty_tables_works_and_says_that_they_are_empty(empty_database: str, tmp_path: Path) -> None:
    apply_migrations(empty_database, with_team_tables=True)
    found = findings(empty_database, tmp_path)
    assert found["PostgreSQL"].detail.startswith("version ")
    assert (found["table distillation_traces"].verdict, found["table events"].verdict) == ("warn", "warn")
    assert found["table event_distillations"].verdict == "ok"
    assert failure_of(list(found.values())) is None


def test_a_column_that_is_called_otherwise_is_named(empty_database: str, tmp_path: Path) -> None:
    apply_migrations(empty_database, with_team_tables=True)
    found = findings(empty_database, tmp_path, event_id="event_no")
    assert '"event_no"' in found["PostgreSQL"].detail


def test_a_server_that_does_not_answer_is_a_dependency_that_fails(tmp_path: Path) -> None:
    found = findings("postgresql://127.0.0.1:1/mail", tmp_path)
    failure = failure_of(list(found.values()))
    assert failure is not None
    assert failure.exit_code == 4
