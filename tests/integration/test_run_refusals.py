"""What a worker does where PostgreSQL refuses what is to be written: who is charged, who is not, and what is said."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.request import urlopen

import pytest
from live_rig import Stage, stage
from shadowing import Ended, cascade, ended
from test_run import eventually

OFF = {"CASCADE_ENABLED": ""}
LAST_TRY = {**OFF, "MAX_ATTEMPTS": "1"}
STATES = "SELECT status, attempts, count(*) FROM distillation_queue GROUP BY 1, 2 ORDER BY 1, 2"
REFUSING = (
    "CREATE FUNCTION refusing() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN IF NEW.provenance_event_ids[1] = (SELECT event_id FROM distillation_queue ORDER BY id {order} LIMIT 1)"
    " THEN RAISE EXCEPTION ''not allowed here''; END IF; RETURN NEW; END'"
)


def finished(live: Stage, *words: str, env: Mapping[str, str] | None = None) -> Ended:
    """A run in a process of its own, which ends by itself or fails the test."""
    process = live.start(*words, env=env)
    try:
        return ended(process, 30)
    finally:
        process.kill()


def refuse_one(live: Stage, order: str = "ASC") -> None:
    live.rows(REFUSING.replace("{order}", order))
    live.rows("CREATE TRIGGER refusing BEFORE INSERT ON entities FOR EACH ROW EXECUTE FUNCTION refusing()")


def refuse_all(live: Stage) -> None:
    for table in ("entities", "facts", "relationships"):
        live.rows(f"ALTER TABLE {table} ADD CONSTRAINT nothing CHECK (false) NOT VALID")


@pytest.mark.parametrize("calls", ["10", "1"])
def test_one_row_that_a_trigger_refuses_is_charged_to_its_event_alone(
    database: str, tmp_path: Path, calls: str
) -> None:
    with stage(database, tmp_path, 30) as live:
        refuse_one(live)
        done = finished(live, "--once", "--log", "json", env={**LAST_TRY, "EVENTS_PER_LLM_CALL": calls})
        assert live.rows(STATES) == [("done", 0, 29), ("failed", 1, 1)]
        ((error,),) = live.rows("SELECT last_error FROM distillation_queue WHERE status = 'failed'")
        assert "not allowed here" in str(error)
        assert done.data["ends"] == {"failed": 1, "written_by_teacher": 29}


def test_a_guilty_event_that_comes_alone_is_charged_after_others_were_written(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 12) as live:
        refuse_one(live, "DESC")
        live.configure("[live]\nbatch = 1\n")
        finished(live, "--once", env={**LAST_TRY, "EVENTS_PER_LLM_CALL": "1", "CONCURRENT_LLM_CALLS": "1"})
        assert live.rows(STATES) == [("done", 0, 11), ("failed", 1, 1)]


def test_a_queue_row_that_does_not_become_done_charges_nobody_else(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 30) as live:
        live.rows(
            "CREATE FUNCTION staying() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
            " IF NEW.status = ''done'' AND NEW.event_id = (SELECT min(id) FROM events) THEN RETURN NULL; END IF;"
            " RETURN NEW; END'"
        )
        live.rows("CREATE TRIGGER staying BEFORE UPDATE ON distillation_queue FOR EACH ROW EXECUTE FUNCTION staying()")
        finished(live, "--once", env=LAST_TRY)
        assert live.rows(STATES) == [("done", 0, 29), ("failed", 1, 1)]


@pytest.mark.parametrize("flip", [False, True])
def test_a_table_that_takes_nobodys_rows_charges_nobody_and_ends_a_run_that_should_end(
    database: str, tmp_path: Path, flip: bool
) -> None:
    with stage(database, tmp_path, 40) as live:
        refuse_all(live)
        done = finished(live, "--once", *["--flip"] * flip, env={} if flip else OFF)
        assert done.code == 4
        assert {(status, attempts) for status, attempts, _ in live.rows(STATES)} <= {("pending", 0), ("done", 0)}
        assert live.value("SELECT count(*) FROM distillation_queue WHERE status = 'pending'") > 30
        assert live.value("SELECT count(*) FROM cascade_queue_marks") == 0
        assert done.err.count("The database refuses") == 1
        assert "23514" in done.err
        assert "is back" not in done.err
        assert "is away" not in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refusing", "mended"),
    [
        ("ALTER TABLE entities ADD tenant text NOT NULL", "ALTER TABLE entities DROP tenant"),
        ("ALTER TABLE facts RENAME TO hidden", "ALTER TABLE hidden RENAME TO facts"),
        ("REVOKE INSERT ON entities FROM refused_worker", "GRANT INSERT ON entities TO refused_worker"),
    ],
)
def test_a_worker_claims_nothing_while_everything_is_refused_and_goes_on_once_that_is_mended(
    database: str, tmp_path: Path, ordinary_user: str, refusing: str, mended: str
) -> None:
    done_rows = "SELECT count(*) FROM distillation_queue WHERE status = 'done'"
    with stage(database, tmp_path, 80, "--latency-ms", 200) as live:
        live.configure("[live]\nbatch = 20\n[teacher]\nconcurrent_calls = 1\n")
        live.rows("UPDATE distillation_queue SET status = 'failed' WHERE id > 1")
        process = live.start(env={**OFF, "DATABASE_URL": ordinary_user, "EVENTS_PER_LLM_CALL": "10"})
        eventually(lambda: live.value(done_rows) == 1, 60)
        live.rows("TRUNCATE entities, facts, relationships")
        live.rows(refusing)
        live.rows("UPDATE distillation_queue SET status = 'pending' WHERE id > 1")
        eventually(lambda: len(live.requests()) >= 2, 60)
        time.sleep(2.0)
        assert len(live.requests()) < 9
        assert live.value("SELECT sum(attempts) FROM distillation_queue") == 0
        live.rows(mended)
        eventually(lambda: live.value(done_rows) == 80, 60)
        process.send_signal(signal.SIGTERM)
        done = ended(process)
        assert done.err.count("The database refuses") == 1
        assert done.err.count("The database takes events again.") == 1
        assert live.rows(STATES) == [("done", 0, 80)]


def test_a_worker_that_is_to_stop_gives_back_at_once_what_is_refused(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 10) as live:
        refuse_all(live)
        process = live.start(env=OFF)
        eventually(lambda: live.value("SELECT count(*) FROM distillation_queue WHERE status = 'claimed'") == 10, 60)
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        done = ended(process, 10)
        assert done.code == 143
        assert live.value("SELECT count(*) FROM distillation_queue WHERE status = 'claimed'") == 0
        assert live.value("SELECT sum(attempts) FROM distillation_queue") == 0


def test_a_worker_that_may_not_delete_leaves_what_is_to_be_mopped_up_to_one_that_may(
    database: str, tmp_path: Path, ordinary_user: str
) -> None:
    with stage(database, tmp_path, 40) as live:
        assert finished(live, "--once", "--flip").code == 0
        assert cascade(tmp_path, None, "mop-up", "--limit", "2", env=live.environment()).code == 0
        live.enqueue_copies(60, "x-")
        done = finished(live, "--once", "--flip", env={"DATABASE_URL": ordinary_user})
        assert done.code == 0, done.err
        assert live.rows(STATES) == [("done", 0, 98), ("pending", 0, 2)]
        assert finished(live, "--once", "--flip").data["ends"] == {"written_by_teacher": 2}


def test_what_is_charged_where_it_is_written_is_counted_and_told_as_every_charge(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 30) as live:
        refuse_one(live)
        live.configure(f"[live]\nmetrics_port = {(port := free_port())}\n")
        process = live.start("--log", "json", env={**OFF, "MAX_ATTEMPTS": "2"})
        eventually(lambda: live.rows(STATES) == [("done", 0, 29), ("failed", 2, 1)], 60)
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            figures = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        done = ended(process)
    assert "cascade_attempts_charged_total 2\n" in figures
    assert "cascade_failed_events_total 1\n" in figures
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert Counter(line["end"] for line in lines) == {"written": 29, "retry": 1, "failed": 1}
    assert done.data["ends"] == {"failed": 1, "retry": 1, "written_by_teacher": 29}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
