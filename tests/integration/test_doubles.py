"""What may come twice, a queue row or a write, leaves one record of each kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rig import Rig, escalated, standing, taught, taught_after_escalation

from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed, Lane
from cascade_cli.postgres.writing import Outcome, WriteReport

LEDGER = "SELECT event_id, producer FROM event_distillations ORDER BY 1, 2"
ENDS: dict[str, Callable[[Claimed], Outcome]] = {"e1": standing, "e2": escalated, "e3": taught}


def write(rig: Rig, outcomes: list[Outcome]) -> WriteReport:
    return rig.writer(rig.queue()).write(outcomes, Mode.FLIP)


def test_an_event_that_is_queued_twice_has_two_ends(rig: Rig) -> None:
    """The contract does not say that a queue has one row an event; of each kind of record there is one all the same."""
    rig.execute("ALTER TABLE distillation_queue DROP CONSTRAINT distillation_queue_event_id_key")
    rig.enqueue("e1", "e2", "e3")
    rig.execute("INSERT INTO distillation_queue (event_id) VALUES ('e1'), ('e2'), ('e3')")
    report = write(rig, [ENDS[claim.event_id](claim) for claim in rig.queue().claim(Lane.STUDENT, 10)])
    assert (len(report.written), report.refused, report.unrecordable, report.lost_audits) == (6, (), None, ())
    assert rig.value("SELECT count(*) FROM cascade_student_answers") == 2
    first, second = rig.queue().claim(Lane.TEACHER, 10)
    assert (first.event_id, second.event_id) == ("e2", "e2")
    write(rig, [taught_after_escalation(first)])
    assert rig.execute("SELECT queue_id FROM cascade_escalations") == [(second.queue_id,)]
    assert write(rig, [taught_after_escalation(second)]).lost_audits == ()
    assert rig.value("SELECT count(*) FROM cascade_escalations") == 0
    assert rig.execute(LEDGER) == [("e1", "student"), ("e2", "teacher"), ("e3", "teacher")]


def test_with_a_row_that_is_done_go_decisions_about_rows_of_its_event_that_are_gone(rig: Rig) -> None:
    (claim,) = rig.claimed("e1")
    rig.execute("INSERT INTO cascade_escalations VALUES ('e1', '999', 'verifier'), ('e2', '998', 'verifier')")
    write(rig, [taught(claim)])
    assert rig.execute("SELECT event_id FROM cascade_escalations") == [("e2",)]


@pytest.mark.parametrize("id_type", ["text", "bigint GENERATED ALWAYS AS IDENTITY"])
def test_a_batch_that_is_written_again_leaves_one_trace_an_event(rig: Rig, id_type: str) -> None:
    """Where the team's traces count themselves, ours cannot be told by their ids."""
    rig.execute(f"ALTER TABLE distillation_traces DROP id, ADD id {id_type} PRIMARY KEY")
    claims = rig.claimed("e1", "e2")
    for _ in range(2):
        report = write(rig, [taught(claim) for claim in claims])
        assert (len(report.written), report.lost_audits) == (2, ())
    assert rig.execute("SELECT event_id FROM distillation_traces ORDER BY 1") == [("e1",), ("e2",)]


def test_a_trace_that_was_lost_with_the_reply_to_its_commit_is_made_by_the_next_try(rig: Rig) -> None:
    rig.execute("ALTER TABLE distillation_traces DROP id, ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    outcomes: list[Outcome] = [taught(claim) for claim in rig.claimed("e1")]
    rig.execute("ALTER TABLE distillation_traces RENAME TO hidden")
    write(rig, outcomes)
    rig.execute("ALTER TABLE hidden RENAME TO distillation_traces")
    assert write(rig, outcomes).lost_audits == ()
    assert rig.execute("SELECT event_id FROM distillation_traces") == [("e1",)]
