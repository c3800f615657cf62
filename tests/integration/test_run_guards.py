"""What may not begin, what takes the flip away and gives it back, and what a run of failures ends with."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from live_rig import Stage, stage
from shadowing import cascade, stand_in

from cascade_cli.config import load_settings
from cascade_cli.console import Output
from cascade_cli.live import crew
from cascade_cli.live.run import Live
from cascade_cli.policy import Policy


def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


STATUSES = "SELECT status, count(*) FROM distillation_queue GROUP BY 1"


def _kill_by_file(live: Stage) -> dict[str, str]:
    (live.folder / "kill").touch()
    return {"CASCADE_KILL_FILE": str(live.folder / "kill")}


def _kill_by_looping_file(live: Stage) -> dict[str, str]:
    (live.folder / "kill").symlink_to(live.folder / "kill")
    return {"CASCADE_KILL_FILE": str(live.folder / "kill")}


def _kill_by_row(live: Stage) -> dict[str, str]:
    assert cascade(live.folder, None, "kill", "on", "--reason", "fire", env=live.environment()).code == 0
    return {}


def _kill_by_no_row(live: Stage) -> dict[str, str]:
    live.rows("DELETE FROM cascade_control")
    return {}


@pytest.mark.parametrize("kill", [_kill_by_file, _kill_by_looping_file, _kill_by_row, _kill_by_no_row])
def test_a_flip_under_a_kill_is_refused_and_without_it_the_teacher_goes_on(
    database: str, tmp_path: Path, kill: Callable[[Stage], dict[str, str]]
) -> None:
    with stage(database, tmp_path, 5) as live:
        env = kill(live)
        refused = live.run("--flip", "--once", env=env)
        assert refused.code == 2
        assert "--flip is refused" in refused.err
        assert live.rows("SELECT status, max(claimed_at) FROM distillation_queue GROUP BY 1") == [("pending", None)]
        assert live.rows("SELECT count(*) FROM cascade_switches WHERE action LIKE '%%flip'") == [(0,)]
        done = live.run("--once", env=env)
        assert done.data["ends"] == {"written_by_teacher": 5}
        assert "Mode: off" in done.err


@pytest.mark.parametrize("lost", ["event_distillations", "cascade_touched_rows"])
def test_where_the_students_writes_leave_no_record_the_flip_is_taken_away(
    database: str, tmp_path: Path, lost: str
) -> None:
    with stage(database, tmp_path, 60) as live:
        live.rows(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no more'; END $$"
        )
        live.rows(f"CREATE TRIGGER refuse BEFORE INSERT ON {lost} FOR EACH ROW EXECUTE FUNCTION refuse()")
        done = live.run("--flip", "--once")
        assert done.code == 0
        assert live.rows(STATUSES) == [("done", 60)]
        assert live.rows("SELECT flip_allowed FROM cascade_control") == [(False,)]
        assert live.rows("SELECT count(*) FROM event_distillations WHERE producer = 'student'") == [(0,)]
        assert live.rows("SELECT count(*) FROM cascade_touched_rows") == [(0,)]
        assert done.err.count("The flip is taken away: what the student writes cannot be recorded") == 1


@pytest.mark.parametrize(("ceiling", "workers"), [("2", "4"), ("0", "1")])
def test_a_ceiling_that_leaves_nothing_to_a_worker_is_refused(
    database: str, tmp_path: Path, ceiling: str, workers: str
) -> None:
    with stage(database, tmp_path, 5) as live:
        env = {"MAX_ESCALATIONS_PER_MIN": ceiling}
        refused = live.run("--flip", "--once", "--workers", workers, env=env)
        assert refused.code == 2
        assert "escalations a minute" in refused.err
        assert live.rows(STATUSES) == [("pending", 5)]


@pytest.mark.parametrize("version", ["9" * 5_000, "1." * 5_000 + "1", "9" * 10, "\u0661"])
def test_a_version_that_nobody_could_compare_is_refused(database: str, tmp_path: Path, version: str) -> None:
    with stage(database, tmp_path, 3) as live:
        approved = cascade(tmp_path, None, "kill", "approve", "--oldest-version", version, env=live.environment())
        assert approved.code == 2
        live.rows("UPDATE cascade_control SET oldest_worker_version = %s", version)
        assert cascade(tmp_path, live.endpoint.url, "kill", "--json", env=live.environment()).code == 0
        done = live.run("--once")
        assert done.code == 0
        assert "Mode: teacher, for the oldest version that is admitted" in done.err
        assert {each["kind"] for each in live.requests()} == {"teacher"}


def test_events_that_are_too_long_for_the_student_take_the_flip_from_nobody(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 40) as live:
        live.rows("UPDATE events SET content = content || repeat(' and so on', 400)")
        live.configure("[student]\nmax_prompt_chars = 3000\n")
        done = live.run("--flip", "--once")
        assert done.data["ends"] == {"escalated": 40, "written_by_teacher": 40}
        assert live.endpoint.asked() == []
        assert live.value("SELECT flip_allowed FROM cascade_control")


def test_a_flip_that_is_given_back_is_not_lost_again_for_answers_of_before(database: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    with stage(database, tmp_path, 400, "--latency-ms", 20) as live, stand_in(bad, "--faults", "garbage=1") as student:
        live.configure("[student]\ntries = 1\nconcurrency = 2\n[live]\nbatch = 10\n")
        trips = "SELECT count(*) FROM cascade_switches WHERE action = 'unflip'"
        judged = (
            "SELECT (SELECT count(*) FROM event_distillations WHERE escalated)"
            " + (SELECT count(*) FROM cascade_escalations)"
        )
        with live.start("--flip", env={"STUDENT_ENDPOINT": student.url}) as process:
            try:
                eventually(lambda: live.value(trips) == 1)
                time.sleep(1)
                before = live.value(judged)
                assert cascade(tmp_path, None, "kill", "off", "--allow-flip", env=live.environment()).code == 0
                # So many that the teacher is not done with them before the worker has seen that the flip is back.
                live.enqueue_copies(4_000, "more-")
                eventually(lambda: live.value(trips) == 2)
                # At most ten of twenty are in hand.
                assert live.value(judged) - before >= 5
            finally:
                process.kill()


def test_a_run_in_which_too_many_events_fail_says_so_by_its_exit_code(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 20, "--faults", "500=1") as live:
        live.configure("[teacher]\ntries = 1\n")
        done = live.run("--once", env={"CASCADE_ENABLED": "", "MAX_ATTEMPTS": "1"})
        assert (done.code, done.data["ends"]) == (6, {"failed": 20})
        assert "20 of 20 events failed for good" in done.err
        live.enqueue_again()
        borne = live.run("--once", "--max-error-rate", "1", env={"CASCADE_ENABLED": "", "MAX_ATTEMPTS": "1"})
        assert borne.code == 0


def test_words_that_no_database_can_hold_are_cleansed(database: str, tmp_path: Path) -> None:
    def said(*words: str) -> int:
        return cascade(tmp_path, live.endpoint.url, *words, env=live.environment()).code

    with stage(database, tmp_path, 5) as live:
        assert live.run("--once", "--worker-name", "w\udcff").code == 0
        assert said("kill", "approve", "--stage", "\udcff") == 0
        assert said("kill", "approve", "--policy", "\udcff") == 0
        assert said("mop-up", "--event", "\udcff") == 5
        assert said("mop-up", "--prompt-hash", "\udcff") == 5
        assert said("mop-up", "--limit", "9" * 30) == 2
        live.enqueue_again()
        assert live.run("--once", "--workers", "2", "--worker-name", "w\udcff").code == 0


def test_a_mistake_in_one_process_of_several_is_told_as_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(crew, "plan_of", fail)
    monkeypatch.setattr(os, "setpgrp", lambda: None)
    here, there = multiprocessing.Pipe(duplex=False)
    crew._work_as_member(Live(Policy()), load_settings(environment={}), Output(), 1, os.getpid(), there)
    worked = here.recv()
    assert worked.failure.exit_code == 1
    assert worked.failure.message == "Internal error in worker 1: ZeroDivisionError."
