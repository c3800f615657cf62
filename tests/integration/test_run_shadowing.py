"""In shadow the student is asked beside the teacher, and holds nothing up."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_rig import stage
from shadowing import stand_in


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["never=1", "slow=1"])
def test_a_student_that_hangs_holds_no_event_up_and_leaves_no_answer(database: str, tmp_path: Path, fault: str) -> None:
    other = tmp_path / "student"
    other.mkdir()
    with stage(database, tmp_path, 300) as live, stand_in(other, "--faults", fault) as hung:
        live.configure("[live]\nbatch = 10\n")
        done = live.run("--once", "--log", "json", env={"STUDENT_ENDPOINT": hung.url})
        assert done.data["ends"] == {"written_by_teacher": 300}
        assert live.value("SELECT count(*) FROM cascade_student_answers") == 0
        assert live.rows("SELECT escalated, count(*) FROM event_distillations GROUP BY 1") == [(None, 300)]
        # At eight a minute, which is what a time-out of a minute let through, all of them would take half an hour.
        assert done.err.count('"student": "late"') == 300
