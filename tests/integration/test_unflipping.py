"""``cascade monitor --unflip``: an alarm under the prompt in force takes the flip from every worker, no other does."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig import Rig
from saying import Saying
from shadowing import FIXTURES

PAIRS = str(FIXTURES / "pairs.jsonl.gz")
WATCH = ("monitor", "--sample-rate", "1", "--baseline", "f1e0ff", "--unflip")
"""Under ``c40d9e``, the newest prompt of the examples, agreement was made to fall."""


def test_where_agreement_under_the_prompt_in_force_has_fallen_the_flip_is_taken_away(say: Saying, rig: Rig) -> None:
    say("pull", PAIRS)
    status, data, said = say(*WATCH, DATABASE_URL=rig.dsn)
    assert status == 3
    assert data["unflipped"] == "c40d9e"
    assert "--allow-flip" in said
    assert not rig.control.read().flip_allowed
    assert not rig.control.read().killed
    assert rig.control.switches(5)[0].reason == "agreement under prompt c40d9e has fallen, by cascade monitor"
    assert say(*WATCH, DATABASE_URL=rig.dsn)[0] == 3
    assert len(rig.control.switches(5)) == 1


def test_an_alarm_under_another_prompt_leaves_the_flip(say: Saying, rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("another prompt")
    status, data, said = say(*WATCH, PAIRS, DATABASE_URL=rig.dsn, TEACHER_SYSTEM_PROMPT_FILE="prompt.txt")
    assert status == 3
    assert data["unflipped"] is None
    assert "The flip stays" in said
    assert rig.control.read().flip_allowed


@pytest.mark.parametrize(
    "asked", [("--floor", "0.5"), ("--baseline", "f1e0ff", "--since", "2026-12-31", "--allow-empty")]
)
def test_without_an_alarm_nothing_is_switched(say: Saying, rig: Rig, asked: tuple[str, ...]) -> None:
    say("pull", PAIRS)
    say("monitor", "--sample-rate", "0.02", "--unflip", *asked, DATABASE_URL=rig.dsn)
    assert rig.control.switches(5) == ()


def test_a_database_that_is_away_is_the_failure_and_the_figures_are_shown_all_the_same(say: Saying, rig: Rig) -> None:
    say("pull", PAIRS)
    status, data, _ = say(*WATCH, DATABASE_URL=f"{rig.dsn} port=1")
    assert status == 4
    assert data["hashes"]
    assert data["unflipped"] is None


def test_without_a_database_nothing_is_scored(say: Saying) -> None:
    assert say(*WATCH, PAIRS)[0] == 2
