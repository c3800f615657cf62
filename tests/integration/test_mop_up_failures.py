"""Mopping up that cannot be done: what the student wrote stands, and can be ordered again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rig import RULES, Rig, standing, taught_after_escalation

from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed, Lane
from cascade_cli.postgres.superseding import MopUp


def mopping_up(rig: Rig) -> Claimed:
    """An event of the student's that the teacher is to write again, claimed."""
    with rig.pool.lent() as connection, connection.transaction():
        assert MopUp(rig.mapping).order(connection, ["e1"], reason="a complaint", ordered_by="ann")
    (claim,) = rig.queue().claim(Lane.TEACHER, 10)
    return claim


def lose_the_worker(rig: Rig) -> None:
    rig.expire("e1")
    rig.queue(rules=replace(RULES, quarantine_at=1)).reap()


@pytest.mark.parametrize("how", ["failed", "refused", "killed"])
def test_a_mopping_up_that_fails_leaves_the_students_write_and_can_be_ordered_again(rig: Rig, how: str) -> None:
    (claim,) = rig.claimed("e1")
    rig.writer(rig.queue()).write([standing(claim)], Mode.FLIP)
    for _ in range(2):
        again = mopping_up(rig)
        if how == "failed":
            rig.queue(rules=replace(RULES, max_attempts=1)).fail(again, "garbage")
        elif how == "killed":
            lose_the_worker(rig)
        else:
            rig.execute("DELETE FROM entities")
            (charged,) = rig.writer(rig.queue()).write([taught_after_escalation(again)], Mode.FLIP).charged
            assert charged.failure is not None
            assert charged.failure.final, "another try would be refused again, and cost the teacher another answer"
        assert rig.statuses() == {"e1": "done"}
        assert rig.execute("SELECT event_id FROM cascade_escalations") == []
        assert rig.value("SELECT finished_at IS NOT NULL AND last_error <> '' FROM cascade_mop_up_orders")
    assert rig.execute("SELECT producer FROM event_distillations") == [("student",)]
