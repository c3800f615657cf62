"""Switched off while it writes, the student has written each event wholly or not at all, and nothing after that."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import check_nothing_is_half_written, kill_under_load, tracked_stage


@pytest.mark.slow
@pytest.mark.parametrize("by", ["row", "row and file"])
def test_once_the_command_has_returned_nothing_of_the_students_is_committed_and_nothing_is_half_written(
    tmp_path: Path, by: str
) -> None:
    switches = {} if by == "row" else {"CASCADE_KILL_FILE": str(tmp_path / "kill")}
    with tracked_stage(tmp_path, 4_000) as live:
        killed = kill_under_load(live, switches, after=300)
        assert killed.written_at < killed.ended_at
        assert killed.decided_at < killed.ended_at
        # The workers were in the midst of it.
        assert int(str(live.value("SELECT count(*) FROM distillation_traces"))) > 1_000
        check_nothing_is_half_written(live, 4_000)
