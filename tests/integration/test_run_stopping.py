"""A worker that is to stop does so in time, whatever it is waiting for, and says so by its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cutting import Cutter
from live_rig import stage
from shadowing import Ended, ended

from cascade_cli.postgres.connection import connect
from cascade_cli.postgres.queue import Queue

# What must end within a moment is waited for far longer: the machine may be busy.
PATIENCE_S = 20.0


def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def told_to_stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> Ended:
    """Stop a worker; one that does not is killed, and fails the test."""
    process.send_signal(number)
    try:
        return ended(process, PATIENCE_S)
    finally:
        process.kill()


CLAIMED = "SELECT count(*) FROM distillation_queue WHERE status = 'claimed'"


def test_an_event_that_runs_alone_is_given_back_at_the_end_as_any_other(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 3, "--faults", "never=1") as live:
        live.rows("INSERT INTO cascade_queue_marks SELECT id::text, 2, NULL FROM distillation_queue WHERE id = 1")
        live.configure("[live]\nstop_s = 0.5\n")
        process = live.start(env={"CASCADE_ENABLED": ""})
        eventually(lambda: live.value(CLAIMED) == 1)
        assert told_to_stop(process).code == 143
        assert live.rows("SELECT status, max(attempts), count(*) FROM distillation_queue GROUP BY 1") == [
            ("pending", 0, 3)
        ]


@pytest.mark.slow
@pytest.mark.parametrize("events", [0, 40])
def test_a_database_that_does_not_answer_any_more_keeps_no_worker_alive(
    database: str, tmp_path: Path, events: int
) -> None:
    with stage(database, tmp_path, 40, "--latency-ms", 50) as live, Cutter(database) as proxy:
        live.rows("DELETE FROM distillation_queue WHERE id > %s", events)
        live.configure("[live]\nstop_s = 0.5\nbatch = 4\n")
        process = live.start("--flip", env={"DATABASE_URL": proxy.dsn})
        eventually(lambda: not events or live.value(CLAIMED) > 0)
        # Where there is nothing to do it looks again and again.
        time.sleep(0 if events else 3)
        proxy.freeze()
        time.sleep(1)
        assert told_to_stop(process).code == 143


def test_a_database_that_never_answers_at_the_start_keeps_no_worker_alive(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 1) as live, Cutter(database) as proxy:
        proxy.freeze()
        process = live.start(env={"DATABASE_URL": proxy.dsn})
        eventually(lambda: proxy.connections > 0)
        assert told_to_stop(process).code == 143


def test_a_chore_that_fails_unforeseen_ends_the_worker_and_gives_back_what_it_held(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Queue, "renew", fail)
    with stage(database, tmp_path, 10, "--latency-ms", 20_000) as live:
        live.configure("[live]\nlease_s = 1.5\n")
        done = live.run("--once", env={"CASCADE_ENABLED": ""})
        assert done.code == 1
        assert "ZeroDivisionError" in done.err
        assert live.rows("SELECT status, max(attempts) FROM distillation_queue GROUP BY 1") == [("pending", 0)]


def test_a_connection_notices_a_machine_that_is_gone_unless_told_otherwise(database: str) -> None:
    wanted = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
    with connect(database) as connection:
        shown = connection.info.get_parameters()
        assert {name: shown[name] for name in wanted} == wanted
        assert shown["tcp_user_timeout"] == "60000"
    with connect(f"{database} keepalives_idle=7 tcp_user_timeout=0") as connection:
        shown = connection.info.get_parameters()
        assert (shown["keepalives_idle"], shown["tcp_user_timeout"]) == ("7", "0")


@pytest.mark.slow
@pytest.mark.parametrize("pause_s", [0.4, 0.8, 1.2, 1.6, 2.2])
def test_workers_that_are_only_starting_end_on_a_signal_as_they_should(
    database: str, tmp_path: Path, pause_s: float
) -> None:
    with stage(database, tmp_path, 6, "--latency-ms", 5_000) as live:
        live.configure("[live]\nstop_s = 0.5\n")
        process = live.start("--workers", "3")
        time.sleep(pause_s)
        done = told_to_stop(process)
        # Before it has begun to work, the interpreter alone is there to be ended.
        assert done.code in ({143} if "Mode" in done.err or done.out else {143, -signal.SIGTERM}), done.err
        assert "died" not in done.err


def test_workers_that_can_never_get_an_event_are_not_started(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 12) as live:
        process = live.start("--workers", "3", "--max-events", "2")
        try:
            done = ended(process, PATIENCE_S)
        finally:
            process.kill()
        assert (done.code, done.data["workers"], done.data["claimed"]) == (0, 2, 2)


@pytest.mark.parametrize("words", [(), ("--log", "json")])
@pytest.mark.parametrize("sink", ["full", "gone"])
def test_work_goes_on_where_nothing_can_be_said_about_it(
    database: str, tmp_path: Path, words: tuple[str, ...], sink: str
) -> None:
    with stage(database, tmp_path, 40) as live:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") if sink == "gone" else Path("/dev/full").open("wb") as stderr:
            process = live.start("--once", *words, stderr=stderr)
        try:
            out, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        assert process.returncode == 0
        assert json.loads(out)["data"]["ends"] == {"written_by_teacher": 40}
