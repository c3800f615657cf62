"""Ending a batch on a real PostgreSQL: what stands, what is refused, what is charged, what survives a fault."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from cutting import Cutter
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rig import Rig, answer_of, escalated, standing, taught, taught_after_escalation

from cascade_cli.errors import DependencyError
from cascade_cli.policy import Policy
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Lane
from cascade_cli.postgres.superseding import MopUp
from cascade_cli.postgres.writing import Outcome, Refused, WriteReport

if TYPE_CHECKING:
    from cascade_cli.postgres.writing import Writer

LEDGER = "SELECT event_id, producer, llm_model, escalated, escalate_reason FROM event_distillations ORDER BY 1, 2"


def write(rig: Rig, outcomes: list[Outcome], mode: Mode = Mode.FLIP) -> WriteReport:
    return rig.writer(rig.queue()).write(outcomes, mode)


def test_each_end_leaves_what_the_contract_says(rig: Rig) -> None:
    student, teacher, doubtful = rig.claimed("e1", "e2", "e3")
    report = write(rig, [standing(student), taught(teacher), escalated(doubtful)])
    assert (len(report.written), report.mode, report.lost_audits) == (3, Mode.FLIP, ())
    assert rig.statuses() == {"e1": "done", "e2": "done", "e3": "pending"}
    assert rig.execute(LEDGER) == [
        ("e1", "student", "student-4b", False, None),
        ("e2", "teacher", "teacher-27b", None, None),
    ]
    assert rig.execute("SELECT event_id, created FROM cascade_touched_rows") == [("e1", True)]
    assert rig.execute("SELECT event_id FROM distillation_traces") == [("e2",)]
    assert rig.execute("SELECT event_id, reason FROM cascade_escalations") == [("e3", "high_value_class")]
    assert rig.value("SELECT attempts FROM distillation_queue WHERE event_id = 'e3'") == 0
    answers = "SELECT event_id, parsed, fired, sampled, u, rate, pi, student_ms, policy_fingerprint"
    (first, third) = rig.execute(f"{answers} FROM cascade_student_answers ORDER BY 1")
    decision = answer_of(student).decision
    assert decision is not None
    assert first[:5] == ("e1", True, list(decision.fired), decision.sampled, decision.unit)
    assert first[5:6] + first[7:] == (decision.rate, 9.5, Policy().fingerprint)
    assert float(str(first[6])) == decision.inclusion_probability
    assert third[0] == "e3"


def test_an_escalated_event_goes_to_the_teacher_with_its_first_reason(rig: Rig) -> None:
    (claim,) = rig.claimed("e1")
    write(rig, [escalated(claim)])
    queue = rig.queue()
    assert queue.claim(Lane.STUDENT, 10) == ()
    (again,) = queue.claim(Lane.TEACHER, 10)
    assert again.escalation is not None
    assert again.escalation.reason == "high_value_class"
    queue.release([again])
    (third,) = queue.claim(Lane.TEACHER, 10)
    write(rig, [taught_after_escalation(third)])
    assert rig.execute(LEDGER) == [("e1", "teacher", "teacher-27b", True, "high_value_class")]
    assert rig.execute("SELECT FROM cascade_escalations") == []


@pytest.mark.parametrize("switched_off", ["by the caller", "killed", "no row", "no table"])
def test_switched_off_only_the_teacher_writes_and_nothing_of_ours_is_left(rig: Rig, switched_off: str) -> None:
    student, teacher, doubtful = rig.claimed("e1", "e2", "e3")
    switches: dict[str, Callable[[], object]] = {
        "by the caller": lambda: None,
        "killed": lambda: rig.control.kill(who="ann"),
        "no row": lambda: rig.execute("DELETE FROM cascade_control"),
        "no table": lambda: rig.execute("DROP TABLE cascade_control"),
    }
    switches[switched_off]()
    mode = Mode.OFF if switched_off == "by the caller" else Mode.FLIP
    report = write(
        rig, [standing(student), replace(taught(teacher), answer=answer_of(teacher)), escalated(doubtful)], mode
    )
    assert [outcome.claim.event_id for outcome in report.written] == ["e2"]
    assert [refused.outcome.claim.event_id for refused in report.refused] == ["e1", "e3"]
    assert report.mode is Mode.OFF
    assert rig.statuses() == {"e1": "claimed", "e2": "done", "e3": "claimed"}
    for table in ("event_distillations", "cascade_touched_rows", "cascade_escalations", "cascade_student_answers"):
        assert rig.execute(f"SELECT FROM {table}") == []
    assert rig.execute("SELECT event_id FROM distillation_traces") == [("e2",)]


@pytest.mark.parametrize("approval", [{"policy_fingerprint": "another"}, {"oldest_worker_version": "1.0.1"}])
def test_a_worker_that_is_not_admitted_writes_as_the_teacher_alone_with_its_ledger_rows(
    rig: Rig, approval: dict[str, str]
) -> None:
    student, teacher, doubtful = rig.claimed("e1", "e2", "e3")
    rig.control.approve(who="ann", **approval)
    report = write(rig, [standing(student), taught(teacher), escalated(doubtful)])
    assert [outcome.claim.event_id for outcome in report.written] == ["e2"]
    assert {refused.why for refused in report.refused} == {rig.control.read().refusal(Policy().fingerprint, "1.0")}
    assert report.mode is Mode.TEACHER
    assert rig.statuses() == {"e1": "claimed", "e2": "done", "e3": "claimed"}
    assert rig.execute(LEDGER) == [("e2", "teacher", "teacher-27b", None, None)]
    for table in ("cascade_touched_rows", "cascade_escalations", "cascade_student_answers"):
        assert rig.execute(f"SELECT FROM {table}") == []


def test_unflipped_the_student_may_not_write_but_is_recorded(rig: Rig) -> None:
    student, teacher = rig.claimed("e1", "e2")
    rig.control.unflip(who="breaker", reason="made-up addresses")
    report = write(rig, [standing(student), replace(taught(teacher), answer=answer_of(teacher))])
    assert report.refused == (Refused(standing(student), "students may not write"),)
    assert rig.execute("SELECT event_id FROM cascade_student_answers") == [("e2",)]
    assert rig.execute(LEDGER) == [("e2", "teacher", "teacher-27b", None, None)]


@pytest.mark.parametrize(
    ("act", "kept"),
    [
        (lambda _: None, 1),
        (lambda rig: rig.control.unflip(who="breaker", reason="bad"), 1),
        (lambda rig: rig.control.kill(who="ann"), 0),
        (lambda rig: rig.control.approve(who="ann", policy_fingerprint="another"), 0),
        (lambda rig: rig.execute("DELETE FROM cascade_control"), 0),
    ],
)
def test_what_the_student_said_of_an_event_that_goes_back_is_kept_only_where_it_may_be_asked(
    rig: Rig, act: Callable[[Rig], object], kept: int
) -> None:
    (claim,) = rig.claimed("e1")
    act(rig)
    writer = rig.writer(rig.queue())
    assert writer.keep_answers([answer_of(claim)], Mode.TEACHER) == ()
    assert rig.value("SELECT count(*) FROM cascade_student_answers") == 0
    assert writer.keep_answers([answer_of(claim)], Mode.SHADOW) == ()
    assert rig.value("SELECT count(*) FROM cascade_student_answers") == kept


def test_an_answer_that_cannot_be_kept_is_told_and_stops_nothing(rig: Rig) -> None:
    (claim,) = rig.claimed("e1")
    rig.execute("DROP TABLE cascade_student_answers")
    (lost,) = rig.writer(rig.queue()).keep_answers([answer_of(claim)], Mode.SHADOW)
    assert (lost.event_id, lost.record) == ("e1", "answer")
    assert rig.statuses() == {"e1": "claimed"}


def test_a_spent_fence_writes_nothing(rig: Rig) -> None:
    (stale,) = rig.claimed("e1")
    rig.expire("e1")
    assert write(rig, [standing(stale)]).lost == (standing(stale),)
    rig.queue().reap()
    (current,) = rig.queue("other").claim(Lane.STUDENT, 1)
    for end in (standing, taught, escalated):
        assert write(rig, [end(stale)]).lost == (end(stale),)
    assert rig.execute("SELECT FROM entities") == []
    assert write(rig, [standing(current)]).written == (standing(current),)


def test_only_the_event_that_cannot_be_written_is_charged(rig: Rig) -> None:
    rig.execute("ALTER TABLE entities ADD CHECK (name NOT LIKE 'e13 %%')")
    claims = rig.claimed(*(f"e{number}" for number in range(20)))
    report = write(rig, [taught(claim) for claim in claims])
    assert len(report.written) == 19
    (charged,) = report.charged
    assert (charged.outcome.claim.event_id, charged.failure is not None) == ("e13", True)
    assert rig.execute("SELECT event_id, attempts FROM distillation_queue WHERE status <> 'done'") == [("e13", 1)]


def test_what_the_student_said_and_nobody_can_write_goes_to_the_teacher_uncharged(rig: Rig) -> None:
    rig.execute("ALTER TABLE entities ADD CHECK (name NOT LIKE 'e1 %%')")
    claims = rig.claimed("e0", "e1", "e2")
    report = write(rig, [standing(claim) for claim in claims])
    assert [refused.outcome.claim.event_id for refused in report.refused] == ["e1"]
    assert len(report.written) == 2
    assert rig.value("SELECT sum(attempts) FROM distillation_queue") == 0


def test_an_event_that_is_gone_is_charged(rig: Rig) -> None:
    rig.enqueue("e1")
    rig.execute("DELETE FROM events")
    (claim,) = rig.queue().claim(Lane.STUDENT, 1)
    assert (claim.event, claim.problem) == (None, "the event is not in the table of events")
    report = write(rig, [taught(claim)])
    assert report.charged[0].error.endswith("the event is not in the table of events")


@pytest.mark.parametrize("broken", ["cascade_touched_rows", "event_distillations", "cascade_student_answers"])
def test_a_student_whose_write_could_not_be_found_again_does_not_write(rig: Rig, broken: str) -> None:
    student, teacher, doubtful = rig.claimed("e1", "e2", "e3")
    rig.execute(f"DROP TABLE {broken}")
    report = write(rig, [standing(student), taught(teacher), escalated(doubtful)])
    assert [refused.outcome.claim.event_id for refused in report.refused] == ["e1", "e3"]
    assert report.unrecordable is not None
    assert rig.statuses() == {"e1": "claimed", "e2": "done", "e3": "claimed"}
    assert rig.execute("SELECT provenance_event_ids FROM entities") == [(["e2"],)]


def test_the_teachers_write_depends_on_no_audit(rig: Rig) -> None:
    claims = rig.claimed("e1", "e2", "e3")
    rig.execute(
        "ALTER TABLE distillation_traces ADD CHECK (event_id <> 'e2')",
    )
    rig.execute("DROP TABLE cascade_student_answers")
    report = write(rig, [replace(taught(claim), answer=answer_of(claim)) for claim in claims])
    assert len(report.written) == 3
    assert {(lost.event_id, lost.record) for lost in report.lost_audits} == {
        ("e1", "answer"),
        ("e2", "answer"),
        ("e3", "answer"),
        ("e2", "trace"),
    }
    assert rig.execute("SELECT event_id FROM distillation_traces ORDER BY 1") == [("e1",), ("e3",)]
    assert len(rig.execute(LEDGER)) == 3


def test_hostile_texts_are_written_with_replacements(rig: Rig) -> None:
    student, teacher = rig.claimed("e1", "e2")
    said = answer_of(student, "nul \0 and \ud800")
    hostile = {"entities": [{"name": "a\0b \ud800", "type": "x\0"}], "facts": ["\0", "f\ud800"]}
    trace = taught(teacher).trace
    assert trace is not None
    outcomes: list[Outcome] = [
        replace(standing(student), extraction=hostile, answer=said),
        replace(taught(teacher), extraction=hostile, trace=replace(trace, raw_response="\0\ud800"), reason=None),
    ]
    report = write(rig, outcomes)
    assert (len(report.written), report.lost_audits) == (2, ())
    assert rig.value("SELECT response FROM cascade_student_answers") == "nul \ufffd and \ufffd"
    assert rig.value("SELECT raw_response FROM distillation_traces") == "\ufffd\ufffd"


def test_a_reply_to_commit_that_is_lost_is_found_out_about_by_the_fence(rig: Rig) -> None:
    """Through a proxy that hangs up instead of passing the reply on; what was committed is not written again."""
    claims = rig.claimed(*(f"e{number}" for number in range(9)))
    ends = [standing, taught, escalated]
    with Cutter(rig.dsn) as cutter, Pool(cutter.dsn) as pool:
        writer = rig.writer(rig.queue(pool=pool), pool=pool)
        cutter.cut_after_commits(1)
        report = writer.write([ends[number % 3](claim) for number, claim in enumerate(claims)], Mode.FLIP)
        assert cutter.cuts == 1
    assert (len(report.written), report.lost, report.charged) == (9, (), ())
    assert rig.value("SELECT count(*) FROM entities") == 6
    assert rig.value("SELECT count(*) FROM distillation_traces") == 3
    assert rig.value("SELECT sum(attempts) FROM distillation_queue") == 0


def test_a_deadlock_is_tried_again_and_charged_to_nobody(rig: Rig) -> None:
    claims = rig.claimed("e1", "e2")
    with psycopg.connect(rig.dsn) as other:
        other.execute("SET deadlock_timeout = '10s'")
        other.execute(
            "INSERT INTO entities (arena, participant_set, disclosure_class, type, name) "
            "VALUES ('sales', '{}', 'p', 'fence', %s)",
            (f"e1 {claims[0].fence}",),
        )
        reports: list[WriteReport] = []
        thread = threading.Thread(target=lambda: reports.append(write(rig, [taught(claim) for claim in claims])))
        thread.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while rig.value(waiting) == 0:
            thread.join(0.02)
        other.execute("SELECT FROM distillation_queue FOR UPDATE")
        other.rollback()
        thread.join()
    assert len(reports[0].written) == 2
    assert rig.value("SELECT sum(attempts) FROM distillation_queue") == 0


def test_a_server_that_is_away_is_reported_and_nothing_is_charged(rig: Rig) -> None:
    (claim,) = rig.claimed("e1")
    with Pool(rig.dsn) as pool:
        writer: Writer = rig.writer(rig.queue(pool=pool), pool=pool)
        pool.close()
        pool.dsn = make_conninfo(rig.dsn, host="/nowhere")
        with pytest.raises(DependencyError):
            writer.write([taught(claim)], Mode.FLIP)
    assert write(rig, [taught(claim)]).written == (taught(claim),)


def test_a_table_that_is_missing_charges_nobody(rig: Rig) -> None:
    claims = rig.claimed("e1", "e2")
    rig.execute("ALTER TABLE entities RENAME TO hidden")
    writer = rig.writer(rig.queue())
    report = writer.write([taught(claim) for claim in claims], Mode.FLIP)
    assert {each.code for each in report.spared} == {"42P01"}
    assert rig.value("SELECT sum(attempts) FROM distillation_queue") == 0
    rig.execute("ALTER TABLE hidden RENAME TO entities")
    assert len(writer.write([each.outcome for each in report.spared], Mode.FLIP).written) == 2


def refuse_by_trigger(rig: Rig, condition: str) -> None:
    rig.execute(
        "CREATE FUNCTION refusing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
        f" IF {condition} THEN RAISE EXCEPTION ''not allowed here''; END IF; RETURN NEW; END'"
    )
    rig.execute("CREATE TRIGGER refusing BEFORE INSERT ON entities FOR EACH ROW EXECUTE FUNCTION refusing()")


def test_a_row_that_a_trigger_refuses_is_charged_where_others_were_written(rig: Rig) -> None:
    refuse_by_trigger(rig, "NEW.name LIKE ''e13 %%''")
    claims = rig.claimed(*(f"e{number}" for number in range(20)))
    report = write(rig, [taught(claim) for claim in claims])
    assert ([each.outcome.claim.event_id for each in report.charged], len(report.written)) == (["e13"], 19)
    assert rig.execute("SELECT event_id, attempts FROM distillation_queue WHERE attempts > 0") == [("e13", 1)]


def test_a_row_that_row_level_security_refuses_is_charged_where_others_were_written(
    rig: Rig, ordinary_user: str
) -> None:
    rig.execute("ALTER TABLE entities ENABLE ROW LEVEL SECURITY")
    rig.execute("CREATE POLICY most ON entities USING (true) WITH CHECK (name NOT LIKE 'e3 %%')")
    claims = rig.claimed(*(f"e{number}" for number in range(6)))
    with Pool(ordinary_user) as pool:
        report = rig.writer(rig.queue(pool=pool), pool=pool).write([taught(claim) for claim in claims], Mode.FLIP)
    assert ([each.outcome.claim.event_id for each in report.charged], len(report.written)) == (["e3"], 5)
    assert "row-level security" in report.charged[0].error


def test_where_nothing_else_is_written_nobody_is_charged(rig: Rig) -> None:
    refuse_by_trigger(rig, "true")
    claims = rig.claimed(*(f"e{number}" for number in range(40)))
    report = write(rig, [taught(claim) for claim in claims])
    assert (len(report.spared), {each.code for each in report.spared}) == (40, {"P0001"})
    assert rig.execute("SELECT status, attempts, count(*) FROM distillation_queue GROUP BY 1, 2") == [
        ("claimed", 0, 40)
    ]


def test_what_has_no_rows_for_a_table_proves_nothing_of_it(rig: Rig) -> None:
    refuse_by_trigger(rig, "true")
    first, second = rig.claimed("e1", "e2")
    report = write(rig, [taught(first), replace(taught(second), extraction={})])
    assert [each.claim.event_id for each in report.written] == ["e2"]
    assert [each.outcome.claim.event_id for each in report.spared] == ["e1"]


def test_a_guilty_event_that_comes_alone_is_charged_after_others_and_spared_before_them(rig: Rig) -> None:
    refuse_by_trigger(rig, "NEW.name LIKE ''e1 %%''")
    first, second = rig.claimed("e1", "e2")
    writer = rig.writer(rig.queue())
    assert len(writer.write([taught(first)], Mode.FLIP).spared) == 1
    assert len(writer.write([taught(second)], Mode.FLIP).written) == 1
    assert len(writer.write([taught(first)], Mode.FLIP).charged) == 1


def test_a_queue_row_that_does_not_become_done_is_charged_alone(rig: Rig) -> None:
    rig.execute(
        "CREATE FUNCTION staying() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
        " IF NEW.status = ''done'' AND NEW.event_id = ''e1'' THEN RETURN NULL; END IF; RETURN NEW; END'"
    )
    rig.execute("CREATE TRIGGER staying BEFORE UPDATE ON distillation_queue FOR EACH ROW EXECUTE FUNCTION staying()")
    report = write(rig, [taught(claim) for claim in rig.claimed("e0", "e1", "e2")])
    assert ([each.outcome.claim.event_id for each in report.charged], len(report.written)) == (["e1"], 2)


def test_what_is_mopped_up_replaces_the_students_write(rig: Rig) -> None:
    first, second = rig.claimed("e1", "e2")
    write(rig, [standing(first), standing(second)])
    with rig.pool.lent() as connection, connection.transaction():
        MopUp(rig.mapping).order(connection, ["e1"], reason="a complaint", ordered_by="ann")
    (again,) = rig.queue().claim(Lane.TEACHER, 10)
    report = write(rig, [taught_after_escalation(again)], Mode.OFF)
    assert [superseded.event_id for superseded in report.superseded] == ["e1"]
    assert rig.execute("SELECT escalated, escalate_reason FROM event_distillations WHERE producer = 'teacher'") == [
        (True, "mop_up")
    ]
    assert rig.execute("SELECT name FROM entities WHERE provenance_event_ids @> '{e1}'") == [(f"e1 {again.fence}",)]
    assert rig.statuses() == {"e1": "done", "e2": "done"}


def test_killed_the_statements_are_those_of_a_teacher_alone_but_for_reads_of_the_switch(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    execute = psycopg.Cursor.execute

    def noted(self: psycopg.Cursor[object], query: object, *arguments: object, **options: object) -> object:
        sent.append(query)
        return execute(self, query, *arguments, **options)  # type: ignore[call-overload]

    queue = rig.queue()
    writer = rig.writer(queue)
    rig.control.kill(who="ann")
    rig.enqueue("e1", "e2")
    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    for mode in (Mode.OFF, Mode.FLIP):
        (claim,) = queue.claim(Lane.STUDENT, 1)
        assert len(writer.write([replace(taught(claim), answer=answer_of(claim))], mode).written) == 1
        sent.append(mode)
    switch = {query.as_bytes(None) for query in rig.control._queries.values()}
    reads = [query for query in sent if isinstance(query, sql.Composed) and query.as_bytes(None) in switch]
    others = [query for query in sent if query not in reads]
    half = others.index(Mode.OFF)
    assert half > 5
    assert others[:half] == others[half + 1 : -1]
    assert len(reads) == 2
