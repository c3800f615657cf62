"""``cascade run`` over a real PostgreSQL and real endpoints: modes, decisions, failures, signals."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest
from live_rig import PAIRS, TEACHER, stage
from psycopg.pq import TransactionStatus
from shadowing import cascade, ended, stand_in

from cascade_cli.live.plan import Worked
from cascade_cli.live.run import tell

LEDGER = "SELECT producer, llm_model, escalated, escalate_reason, count(*) FROM event_distillations GROUP BY 1, 2, 3, 4"
STUDENT = "nuextract-2.0-4b-ft"


def eventually(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


# Modes


def test_off_is_the_teacher_alone_without_a_ledger_row_or_a_student_call(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 30) as live:
        done = live.run("--once", env={"CASCADE_ENABLED": ""})
        assert (done.code, done.data["ends"]) == (0, {"written_by_teacher": 30})
        assert live.rows(LEDGER) == []
        assert {each["kind"] for each in live.requests()} == {"teacher"}
        assert live.value("SELECT count(*) FROM distillation_traces") == 30
        assert live.value("SELECT count(*) FROM cascade_student_answers") == 0


def test_enabled_without_a_student_keeps_a_ledger_of_the_teacher(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 30) as live:
        assert live.run("--once", env={"STUDENT_ENDPOINT": ""}).code == 0
        assert live.rows(LEDGER) == [("teacher", TEACHER, None, None, 30)]
        assert {each["kind"] for each in live.requests()} == {"teacher"}


def test_in_shadow_the_teacher_writes_and_the_students_answers_are_kept_with_their_decisions(
    database: str, tmp_path: Path
) -> None:
    with stage(database, tmp_path, 60) as live:
        assert live.run("--once").code == 0
        assert live.rows(LEDGER) == [("teacher", TEACHER, None, None, 60)]
        assert live.value("SELECT count(*) FROM cascade_student_answers WHERE rate = 0.05 AND u IS NOT NULL") == 60
        assert live.value("SELECT count(*) FROM cascade_touched_rows") == 0
        assert Counter(each["kind"] for each in live.requests())["student"] == 60


def test_flipped_each_event_is_the_students_or_the_teachers(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 60) as live:
        done = live.run("--once", "--flip")
        assert done.code == 0
        assert done.data["ends"] == {"escalated": 11, "written_by_student": 49, "written_by_teacher": 11}
        live.check_each_written_once(60)
        ledger = Counter((producer, model, escalated) for producer, model, escalated, _, _ in live.rows(LEDGER))
        assert set(ledger) == {("student", STUDENT, False), ("teacher", TEACHER, True)}


def test_what_a_flipped_run_decides_is_what_simulate_decides(database: str, tmp_path: Path) -> None:
    flags = ("--sample-rate", "0.1", "--vip-arena", "board", "--high-value", "decision", "--salt", "other")
    with stage(database, tmp_path, 500) as live:
        assert live.run("--once", "--flip", *flags).code == 0
        pairs = tmp_path / "pairs.jsonl"
        with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
            pairs.write_text("".join(islice(lines, 500)), encoding="utf-8")
        simulated = cascade(tmp_path, None, "simulate", str(pairs), *flags, "--decisions", "decisions.jsonl")
        assert (simulated.code, "wrote decisions.jsonl" in simulated.err) == (0, True), simulated.err
        said = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
        written = dict(live.rows("SELECT event_id, escalate_reason FROM event_distillations"))
        assert written == {each["event_id"]: each["reason"] for each in said}
        fired = {
            event_id: (tuple(gates), sampled)
            for event_id, gates, sampled in live.rows("SELECT event_id, fired, sampled FROM cascade_student_answers")
        }
        expected = {each["event_id"]: (tuple(each["fired"]), each["sampled"]) for each in said}
        unasked = set(expected) - set(fired)
        assert fired == {event_id: expected[event_id] for event_id in fired}
        assert unasked
        assert {expected[event_id] for event_id in unasked} == {(("vip_arena",), False)}


def test_a_stage_of_a_rollout_is_the_policy_that_simulate_plans_and_is_told_of_with_every_decision(
    database: str, tmp_path: Path
) -> None:
    with stage(database, tmp_path, 120) as live:
        flags = ("--sample-rate", "0.1", "--high-value", "decision")
        assert live.run("--once", "--flip", *flags, "--rollout-stage", "9").code == 2
        assert live.run("--once", "--flip", *flags, "--rollout-stage", "2").code == 0
        live.check_each_written_once(120)
        pairs = tmp_path / "pairs.jsonl"
        with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
            pairs.write_text("".join(islice(lines, 120)), encoding="utf-8")
        plan = ("--rollout", "--target-residual", "0.1", "--json")
        planned = cascade(tmp_path, None, "simulate", str(pairs), *flags, *plan).data["rollout"][1]
        assert planned["stage"] == 2
        told = live.rows("SELECT DISTINCT policy_fingerprint, rate::text FROM cascade_student_answers")
        assert told == [(planned["fingerprint"], "0.25")]
        escalated = live.value("SELECT count(*) FROM event_distillations WHERE escalated")
        assert escalated / 120 == planned["escalation"]
        ((reason,),) = live.rows("SELECT reason FROM cascade_switches WHERE action = 'force_flip'")
        assert reason.startswith("rollout stage 2; ")


def test_the_student_is_never_asked_about_what_it_may_not_see(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 40) as live:
        live.rows("UPDATE events SET disclosure_class = 'secret' WHERE id IN (SELECT id FROM events LIMIT 3)")
        live.configure('[live]\nnever_student_classes = ["secret"]\nnever_student_arenas = ["board"]\n')
        assert live.run("--once", "--flip").code == 0
        spared = {
            row[0] for row in live.rows("SELECT id FROM events WHERE disclosure_class = 'secret' OR arena = 'board'")
        }
        asked = {each["event_id"] for each in live.requests() if each["kind"] == "student"}
        assert spared
        assert not spared & asked
        reasons = live.rows("SELECT event_id FROM event_distillations WHERE escalate_reason = 'never_student'")
        assert {row[0] for row in reasons} == spared
        live.enqueue_again()
        assert live.run("--once").code == 0
        asked = {each["event_id"] for each in live.requests() if each["kind"] == "student"}
        assert not spared & asked
        live.check_each_written_once(40)


def test_in_shadow_a_student_that_is_away_is_told(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 20) as live:
        done = live.run("--once", env={"STUDENT_ENDPOINT": "http://127.0.0.1:9/v1"})
        assert (done.code, done.data["ends"]) == (0, {"written_by_teacher": 20})
        assert sum(done.data["unanswered"].values()) == 20
        assert done.data["unanswered"].keys() <= {"outage", "late"}
        told = tell([Worked(20, {"written_by_teacher": 20}, None, None, {"outage": 18, "late": 2})], 0.0)
    assert told.blocks[1] == (
        "In shadow 20 of them are without the student's answer: 2 for it came long after the teacher's,"
        " 18 for nobody answered at its address."
    )


def test_a_teacher_that_does_not_answer_is_told_before_it_counts_as_away(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 5) as live:
        process = live.start("--once", env={"LLM_ENDPOINT": "http://127.0.0.1:9/v1"})
        assert process.stderr is not None
        while "does not answer" not in (line := process.stderr.readline()):
            assert line
        assert line.startswith("The teacher does not answer: ")
        process.send_signal(signal.SIGTERM)
        assert ended(process, 20).code == 143


# The switch


@pytest.mark.parametrize("by", ["row", "file"])
def test_killed_is_as_if_there_were_no_cascade(database: str, tmp_path: Path, by: str) -> None:
    with stage(database, tmp_path, 20) as live:
        (tmp_path / "kill").touch() if by == "file" else None
        live.rows("UPDATE cascade_control SET killed = true") if by == "row" else None
        done = live.run("--once", env={"CASCADE_KILL_FILE": str(tmp_path / "kill")} if by == "file" else {})
        assert done.data["ends"] == {"written_by_teacher": 20}
        assert live.rows(LEDGER) == []
        assert {each["kind"] for each in live.requests()} == {"teacher"}
        assert "Mode: off" in done.err


@pytest.mark.parametrize("approved", [("--policy", "another"), ("--oldest-version", "99")])
def test_a_worker_that_is_not_admitted_keeps_a_ledger_of_the_teacher_and_says_why(
    database: str, tmp_path: Path, approved: tuple[str, str]
) -> None:
    with stage(database, tmp_path, 20) as live:
        assert cascade(tmp_path, None, "kill", "approve", *approved, env=live.environment()).code == 0
        done = live.run("--once", "--flip")
        assert done.data["ends"] == {"written_by_teacher": 20}
        assert live.rows(LEDGER) == [("teacher", TEACHER, None, None, 20)]
        assert {each["kind"] for each in live.requests()} == {"teacher"}
        assert "Mode: teacher, for " in done.err
        status = cascade(tmp_path, live.endpoint.url, "status", "--json", env=live.environment()).data["switch"]
        assert (status["mode"], approved[1] in status["reason"]) == ("teacher", True)


def test_a_kill_while_the_student_answers_leaves_its_answers_to_the_teacher(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 200, "--latency-ms", 150) as live:
        process = live.start("--once", "--flip")
        eventually(lambda: live.value("SELECT count(*) FROM event_distillations") >= 8)
        assert cascade(tmp_path, None, "kill", "on", env=live.environment()).code == 0
        by_student = live.value("SELECT count(*) FROM event_distillations WHERE producer = 'student'")
        answered = len(live.endpoint.asked())
        done = ended(process)
        assert done.code == 0, done.err
        assert live.value("SELECT count(*) FROM event_distillations WHERE producer = 'student'") == by_student
        # Eight are under way, and for half a second more the row counts as it was read before.
        assert len(live.endpoint.asked()) - answered <= 8 * (1 + 0.5 / 0.15 + 1)
        assert live.rows("SELECT status, count(*) FROM distillation_queue GROUP BY 1") == [("done", 200)]


def test_a_flood_of_bad_answers_takes_the_flip_away(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 60, "--faults", "garbage=1", "--faults-stick", "--latency-ms", 5) as student:
        student.configure("[student]\ntries = 1\nconcurrency = 2\n[live]\nbatch = 10\n")
        teachers = tmp_path / "teacher"
        teachers.mkdir()
        with stand_in(teachers) as teacher:
            done = student.run("--once", "--flip", env={"LLM_ENDPOINT": teacher.url})
        assert done.code == 0
        ((allowed, reason),) = student.rows("SELECT flip_allowed, reason FROM cascade_control")
        assert not allowed
        assert str(reason).startswith("student_parse_fail for 2")
        assert student.value("SELECT count(*) FROM event_distillations WHERE escalated IS NULL") > 0
        assert student.rows("SELECT status, count(*) FROM distillation_queue GROUP BY 1") == [("done", 60)]


def test_a_flip_wants_a_gate_that_was_passed_or_a_reason_and_a_confirmation(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 5) as live:
        refused = cascade(tmp_path, live.endpoint.url, "run", "--flip", "--yes", "--once", env=live.environment())
        assert refused.code == 2
        assert "--flip is refused" in refused.err
        unconfirmed = ("run", "--flip", "--force", "first day", "--once")
        assert cascade(tmp_path, live.endpoint.url, *unconfirmed, env=live.environment()).code == 2
        assert live.value("SELECT count(*) FROM distillation_queue WHERE status = 'pending'") == 5
        assert live.run("--once", "--flip", "--force", "first day", "--yes").code == 0
        assert live.rows("SELECT action FROM cascade_switches") == [("force_flip",)]


def test_a_flip_is_refused_where_a_graph_table_has_no_index_over_what_conflicts(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 5) as live:
        live.rows("ALTER TABLE facts DROP CONSTRAINT facts_arena_category_statement_key")
        live.rows("CREATE UNIQUE INDEX ON facts (arena, category, statement) WHERE category <> 'x'")
        refused = live.run("--once", "--flip")
        assert refused.code == 2
        assert "no valid unique index over exactly (arena, category, statement)" in refused.err
        assert "CREATE UNIQUE INDEX CONCURRENTLY" in refused.err
        assert live.rows("SELECT FROM cascade_switches") == []
        assert live.rows("SELECT status, max(claimed_at) FROM distillation_queue GROUP BY 1") == [("pending", None)]
        live.rows("CREATE UNIQUE INDEX ON facts (arena, category, statement)")
        assert live.run("--once", "--flip").code == 0
        live.check_each_written_once(5)


# What is missing


def test_without_a_teacher_nothing_is_claimed(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 5) as live:
        for missing in ("LLM_ENDPOINT", "LLM_MODEL", "TEACHER_SYSTEM_PROMPT_FILE", "DATABASE_URL"):
            assert live.run("--once", env={missing: ""}).code == 2
        assert live.run("--once", "--flip", env={"CASCADE_ENABLED": ""}).code == 2
        assert live.run("--once", "--flip", env={"STUDENT_ENDPOINT": ""}).code == 2
        assert live.rows("SELECT status, max(claimed_at) FROM distillation_queue GROUP BY 1") == [("pending", None)]


def test_an_event_that_is_missing_or_unreadable_fails_by_itself(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 10) as live:
        live.rows("INSERT INTO distillation_queue (event_id) VALUES ('nobody knows')")
        done = live.run("--once", "--flip", env={"MAX_ATTEMPTS": "1"})
        assert done.data["ends"]["failed"] == 1
        assert live.rows("SELECT event_id, attempts, last_error FROM distillation_queue WHERE status = 'failed'") == [
            ("nobody knows", 1, "the event is not in the table of events")
        ]
        assert live.value("SELECT count(*) FROM distillation_queue WHERE status = 'done'") == 10


def test_a_key_that_is_refused_ends_a_run_that_should_end_and_charges_nobody(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 10, "--api-key", "right") as live:
        done = live.run("--once", env={"LLM_API_KEY": "wrong", "CASCADE_ENABLED": ""})
        assert done.code == 4
        assert "refuses" in done.err
        assert live.rows("SELECT status, max(attempts) FROM distillation_queue GROUP BY 1") == [("pending", 0)]


def test_a_worker_shows_its_figures_and_its_health(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 10) as live, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.close()
        live.configure(f"[live]\nmetrics_port = {port}\n")
        process = live.start("--flip")
        eventually(lambda: live.value("SELECT count(*) FROM distillation_queue WHERE status = 'done'") == 10)
        with urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert json.load(answer) == {"status": "ok"}
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            figures = answer.read().decode()
        assert 'cascade_mode{mode="flip"} 1' in figures
        assert 'cascade_events_total{producer="student",mode="flip"}' in figures
        process.send_signal(signal.SIGTERM)
        assert ended(process).code == 143


# Failures


def test_a_poison_event_burns_its_own_attempts_and_no_others(database: str, tmp_path: Path) -> None:
    poison = "evt-01503"  # whose recorded teacher gives entities that are no list
    with stage(database, tmp_path, 1_503) as live:
        live.rows("DELETE FROM distillation_queue WHERE event_id <> %s AND id > 19", poison)
        done = live.run("--once", env={"CASCADE_ENABLED": "", "MAX_ATTEMPTS": "2"})
        left = "SELECT event_id, status, attempts FROM distillation_queue WHERE status <> 'done' OR attempts > 0"
        assert live.rows(left) == [(poison, "failed", 2)]
        assert done.data["ends"] == {"failed": 1, "retry": 1, "written_by_teacher": 19}


def test_events_of_a_failed_call_are_tried_one_by_one_and_charged_one_by_one(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 20, "--faults", "500=0.5", "--faults-stick", "--seed", 3) as live:
        live.configure("[teacher]\ntries = 1\n")
        live.run("--once", env={"CASCADE_ENABLED": "", "MAX_ATTEMPTS": "2", "EVENTS_PER_LLM_CALL": "4"})
        alone = {each["event_id"] for each in live.requests() if each["event_id"] and each["outcome"] == "500"}
        charged = live.rows("SELECT event_id, status, attempts FROM distillation_queue WHERE attempts > 0")
        assert charged
        assert {event_id for event_id, *_ in charged} <= alone
        assert all((status == "failed") == (attempts == 2) for _, status, attempts in charged)
        assert live.value("SELECT count(*) FROM distillation_queue WHERE status NOT IN ('done', 'failed')") == 0


def test_a_failed_student_call_goes_to_the_teacher(database: str, tmp_path: Path) -> None:
    teachers = tmp_path / "teacher"
    teachers.mkdir()
    with (
        stage(database, tmp_path, 60, "--faults", "500=0.1,garbage=0.1", "--faults-stick") as live,
        stand_in(teachers) as teacher,
    ):
        live.configure("[student]\ntries = 1\n[live]\nmost_parse_failures = 1\n")
        assert live.run("--once", "--flip", env={"LLM_ENDPOINT": teacher.url}).code == 0
        live.check_each_written_once(60)
        failed = {each["event_id"] for each in live.endpoint.asked() if each["outcome"] in {"500", "garbage"}}
        written = live.rows("SELECT event_id FROM event_distillations WHERE escalate_reason = 'student_parse_fail'")
        assert failed
        assert failed <= {row[0] for row in written}
        assert live.value("SELECT max(attempts) FROM distillation_queue") == 0


# Ending


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_finishes_what_is_in_hand_and_gives_back_the_rest(
    database: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with stage(database, tmp_path, 120, "--latency-ms", 100) as live:
        process = live.start("--flip")
        eventually(lambda: live.value("SELECT count(*) FROM event_distillations") > 10)
        process.send_signal(number)
        done = ended(process)
        assert done.code == code, done.err
        assert json.loads(done.out)["partial"]
        assert live.value("SELECT count(*) FROM distillation_queue WHERE status = 'claimed'") == 0
        assert live.value("SELECT max(attempts) FROM distillation_queue") == 0
        assert live.value("SELECT count(*) FROM cascade_queue_marks") == 0
        assert live.run("--once", "--flip").code == 0
        live.check_each_written_once(120)


def test_answers_that_are_too_slow_for_the_end_are_not_waited_for(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 20, "--latency-ms", 20_000) as live:
        live.configure("[live]\nstop_s = 0.2\n")
        process = live.start()
        eventually(lambda: live.value("SELECT count(*) FROM distillation_queue WHERE status = 'claimed'") == 20)
        process.send_signal(signal.SIGTERM)
        done = ended(process, 10)
        assert done.code == 143
        assert live.rows("SELECT status, attempts, count(*) FROM distillation_queue GROUP BY 1, 2") == [
            ("pending", 0, 20)
        ]
        assert live.value("SELECT count(*) FROM cascade_queue_marks") == 0


def test_a_lease_is_renewed_for_as_long_as_an_answer_takes(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 10, "--latency-ms", 2_000) as live:
        live.configure("[live]\nlease_s = 0.6\n")
        done = live.run("--once", env={"CASCADE_ENABLED": ""})
        assert done.data["ends"] == {"written_by_teacher": 10}
        assert len(live.requests()) == 1


def test_several_workers_share_the_queue_and_pass_signals_on(database: str, tmp_path: Path) -> None:
    who = "SELECT DISTINCT split_part(claimed_by, '/', 1) FROM distillation_queue WHERE claimed_by <> ''"
    with stage(database, tmp_path, 240, "--latency-ms", 40) as live:
        process = live.start("--flip", "--workers", "2", "--worker-name", "crew")
        eventually(lambda: {name for (name,) in live.rows(who)} == {"crew-0", "crew-1"})
        eventually(lambda: live.value("SELECT count(*) FROM event_distillations") > 20)
        process.send_signal(signal.SIGTERM)
        done = ended(process)
        assert done.code == 143, done.err
        assert done.data["workers"] == 2
        assert live.value("SELECT count(*) FROM distillation_queue WHERE status = 'claimed'") == 0
        assert live.run("--once", "--flip", "--max-events", "5").data["claimed"] == 5
        assert live.run("--once", "--flip").code == 0
        live.check_each_written_once(240)


def test_a_line_of_json_tells_of_each_event_and_nothing_of_its_content(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 30) as live:
        done = live.run("--once", "--flip", "--log", "json")
        lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
        assert len([line for line in lines if line["producer"] is not None]) == 30
        one = next(line for line in lines if line["producer"] == "student")
        assert {"event_id", "queue_id", "worker", "entities", "facts", "relationships", "student_ms"} <= set(one)
        for content in live.rows("SELECT split_part(content, ' ', 5) FROM events"):
            assert len(str(content[0])) < 6 or str(content[0]) not in done.err


# What waits for the teacher


@pytest.mark.slow
def test_the_student_gets_no_more_while_too_many_wait_for_the_teacher(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 120, "--latency-ms", 150) as live:
        live.configure("[live]\nbatch = 10\nlease_s = 1.5\n[teacher]\ntries = 1\n")
        # Nobody listens at the discard port.
        env = {"LLM_ENDPOINT": "http://127.0.0.1:9/v1", "MAX_ESCALATION_BACKLOG": "5", "HIGH_VALUE_CATEGORIES": ""}
        process = live.start("--flip", "--sample-rate", "0.5", env=env)
        eventually(lambda: live.value("SELECT count(*) FROM cascade_escalations") >= 5)
        time.sleep(1.5)
        waiting = live.value("SELECT count(*) FROM cascade_escalations")
        time.sleep(1.0)
        assert live.value("SELECT count(*) FROM cascade_escalations") == waiting
        assert len(live.endpoint.asked()) < 100
        process.send_signal(signal.SIGTERM)
        assert ended(process).code == 143
        assert live.value("SELECT max(attempts) FROM distillation_queue") == 0
        asked = len(live.endpoint.asked())
        assert live.run("--once", "--flip", "--sample-rate", "0.5", env={"HIGH_VALUE_CATEGORIES": ""}).code == 0
        live.check_each_written_once(120)
        # What was decided before was not asked about again.
        assert asked > 5
        assert len(live.endpoint.asked()) == 120


def test_in_shadow_the_student_is_asked_once_however_long_the_teacher_is_away(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 20) as live:
        live.configure("[teacher]\ntries = 1\n")
        process = live.start(env={"LLM_ENDPOINT": "http://127.0.0.1:9/v1"})
        kept = "SELECT count(*) FROM cascade_student_answers WHERE fired IS NOT NULL AND u IS NOT NULL"
        eventually(lambda: live.value(kept) == 20)
        # The teacher is tried again and again meanwhile, with events that the student has answered.
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        assert ended(process).code == 143
        assert live.value("SELECT count(*) FROM distillation_queue WHERE status = 'pending' AND attempts = 0") == 20
        done = live.run("--once")
        assert done.data["ends"] == {"written_by_teacher": 20}
        assert live.rows(LEDGER) == [("teacher", TEACHER, None, None, 20)]
        assert set(Counter(each["event_id"] for each in live.endpoint.asked()).values()) == {1}
        # Put into the queue anew, it is another task.
        live.rows("DELETE FROM distillation_queue")
        live.rows("INSERT INTO distillation_queue (event_id) SELECT id FROM events")
        assert live.run("--once").code == 0
        assert set(Counter(each["event_id"] for each in live.endpoint.asked()).values()) == {2}


def test_what_is_mopped_up_is_taught_and_superseded_by_the_next_run(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 40) as live:
        assert live.run("--once", "--flip").code == 0
        by_student = live.value("SELECT count(*) FROM event_distillations WHERE producer = 'student'")
        assert cascade(tmp_path, None, "mop-up", "--limit", "5", env=live.environment()).code == 0
        asked = len(live.endpoint.asked())
        done = live.run("--once", "--flip")
        assert done.data["ends"] == {"written_by_teacher": 5}
        assert len(live.endpoint.asked()) == asked
        mopped = "SELECT count(*) FROM event_distillations WHERE producer = 'teacher' AND escalate_reason = 'mop_up'"
        assert live.value(f"{mopped} AND escalated") == 5
        assert live.value("SELECT count(*) FROM cascade_receipts") == 5
        assert live.value("SELECT count(*) FROM event_distillations WHERE producer = 'student'") == by_student


# Dying


def test_an_event_with_which_workers_died_runs_alone(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 30, "--latency-ms", 10) as live:
        live.rows(
            "INSERT INTO cascade_queue_marks (queue_id, interruptions) SELECT id::text, 2 FROM distillation_queue"
            " WHERE mod(id, 10) = 1"
        )
        done = live.run("--once", "--flip", "--log", "json")
        assert done.code == 0
        live.check_each_written_once(30)
        suspects = {row[0] for row in live.rows("SELECT event_id FROM distillation_queue WHERE mod(id, 10) = 1")}
        crowds = {each["event_id"]: each["in_flight"] for each in live.endpoint.asked()}
        assert {crowds[event_id] for event_id in suspects} == {1}
        assert max(crowds.values()) > 1


def test_workers_end_when_whoever_started_them_is_gone(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 10) as live:
        process = live.start("--workers", "2", "--worker-name", "orphan")
        eventually(lambda: live.value("SELECT count(*) FROM distillation_queue WHERE status = 'done'") == 10)
        process.kill()
        # The pipe's other end is the workers': it closes with the last of them.
        _, err = process.communicate(timeout=20)
        assert "Mode: shadow" in err


def test_a_database_that_is_away_is_said_once_and_waited_for(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 10) as live:
        assert live.run("--once", env={"DATABASE_URL": f"{database} port=1"}).code == 4
        process = live.start(env={"DATABASE_URL": f"{database} port=1"})
        assert process.stderr is not None
        assert "Nothing is claimed until it is back." in process.stderr.readline()
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        done = ended(process)
        assert done.code == 143
        assert "Nothing is claimed until it is back." not in done.err


def test_statements_that_recur_are_planned_once_where_that_is_set_and_never_by_default(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = Counter[str]()
    close = psycopg.Connection.close

    def look_and_close(connection: psycopg.Connection) -> None:
        if connection.info.transaction_status is TransactionStatus.IDLE:
            prepared.update(name for (name,) in connection.execute("SELECT name FROM pg_prepared_statements"))
        close(connection)

    monkeypatch.setattr(psycopg.Connection, "close", look_and_close)
    with stage(database, tmp_path, 40) as live:
        live.configure("[live]\nbatch = 10\n")
        assert live.run("--once", "--flip").code == 0
        assert not prepared
        live.enqueue_again()
        live.configure("[live]\nbatch = 10\n[postgres]\nprepare = true\n")
        assert live.run("--once", "--flip").code == 0
        assert prepared
        live.check_each_written_once(40)
