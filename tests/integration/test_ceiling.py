"""The ceiling of escalations that nobody configured: twice what a simulation of the same policy found."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import pytest
from live_rig import PAIRS, stage
from saying import Saying
from shadowing import cascade

from cascade_cli.config import LIVE_MAX_ESCALATIONS_PER_MIN, WORKSPACE_PATH, load_settings
from cascade_cli.live.simulated import LEAST_PER_MIN, with_ceiling
from cascade_cli.policy import Policy, stages_of
from cascade_cli.workspace import Workspace

KEY = LIVE_MAX_ESCALATIONS_PER_MIN.key
BUSY = 60 * 1_200


def recorded(folder: Path, events: int) -> str:
    """A file of shipped pairs."""
    with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
        (folder / "pairs.jsonl").write_text("".join(islice(lines, events)), encoding="utf-8")
    return "pairs.jsonl"


def shown(say: Saying) -> dict[str, object]:
    """The ceiling as ``cascade config show`` has it."""
    status, data, _ = say("config", "show", "--origin")
    assert status == 0
    (found,) = (each for each in data["settings"] if each["key"] == KEY)
    return found  # type: ignore[no-any-return]


def test_a_simulation_over_the_workspace_keeps_what_each_policy_escalates_and_how_much_comes(
    say: Saying, tmp_path: Path
) -> None:
    assert say("pull", recorded(tmp_path, 400))[0] == 0
    status, data, _ = say("simulate", "--sample-rate", "0.05", "--sample-rate", "0.2")
    assert status == 0
    with Workspace.open(tmp_path / ".cascade") as workspace:
        for swept in data["sweep"]:
            found = workspace.simulated_rate(swept["policy"]["fingerprint"])
            assert found is not None
            assert (found.escalation, found.events) == (swept["escalation"]["rate"], 400)
            hours: dict[str, int] = {}
            for row in workspace.pairs():
                hour = f"{row.trace.created_at:%Y-%m-%d %H}"
                hours[hour] = hours.get(hour, 0) + 1
            assert found.events_per_min == max(hours.values()) / 60
        assert workspace.simulated_rate(stages_of(Policy())[0].fingerprint) is None
    assert say("simulate", "--rollout", "--target-residual", "0.1")[0] == 0
    with Workspace.open(tmp_path / ".cascade") as workspace:
        assert workspace.simulated_rate(stages_of(Policy())[0].fingerprint) is not None


def test_what_is_replayed_from_a_file_or_looks_like_a_log_is_no_source(say: Saying, tmp_path: Path) -> None:
    assert say("simulate", recorded(tmp_path, 400))[0] == 0
    assert not (tmp_path / ".cascade").exists()
    assert say("pull", "pairs.jsonl")[0] == 0
    assert say("simulate", "--since", "2020-01-01", "--logged-rate", "1")[0] == 0
    with Workspace.open(tmp_path / ".cascade") as workspace:
        assert workspace.simulated_rate(Policy().fingerprint) is None


def test_the_ceiling_is_shown_with_its_reason_and_a_configured_one_stands(say: Saying, tmp_path: Path) -> None:
    nothing = shown(say)
    assert nothing["value"] is None
    assert f"until cascade simulate has replayed policy {Policy().fingerprint}" in str(nothing["origin"])
    assert say("pull", recorded(tmp_path, 200))[0] == 0
    assert say("simulate")[0] == 0
    least = shown(say)
    assert least["value"] == LEAST_PER_MIN
    assert f"{LEAST_PER_MIN} at least" in str(least["origin"])
    other = shown_with(say, STUDENT_SAMPLE_RATE="0.3")
    assert other["value"] is None
    assert shown_with(say, MAX_ESCALATIONS_PER_MIN="7") == {
        "key": KEY,
        "value": 7,
        "origin": "environment MAX_ESCALATIONS_PER_MIN",
    }


def shown_with(say: Saying, **environment: str) -> dict[str, object]:
    status, data, _ = say("config", "show", "--origin", **environment)
    assert status == 0
    return next(each for each in data["settings"] if each["key"] == KEY)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_it_is_twice_the_share_of_the_busiest_hour(say: Saying, tmp_path: Path) -> None:
    line = (
        '{"event_id": "e%d", "system_prompt_hash": "f1e0ff", "created_at": "2026-06-18T%s:00:00Z",'
        ' "raw_response": {"entities": ["Ann"]}, "student_response": %s}\n'
    )
    empty, good = "{}", '{"entities": ["Ann"]}'
    busy = (line % (number, "09", empty if number % 4 == 0 else good) for number in range(BUSY))
    quiet = (line % (BUSY + number, "03", good) for number in range(10))
    (tmp_path / "many.jsonl").write_text("".join([*busy, *quiet]))
    assert say("pull", "many.jsonl")[0] == 0
    assert say("simulate", "--sample-rate", "0")[0] == 0
    settings = load_settings({WORKSPACE_PATH: tmp_path / ".cascade"}, {}, tmp_path)
    found = with_ceiling(settings, Policy(sample_rate=0).fingerprint)
    escalated = BUSY / 4 / (BUSY + 10)
    assert found[LIVE_MAX_ESCALATIONS_PER_MIN] == pytest.approx(2 * escalated * 1_200, abs=1)
    assert with_ceiling(settings, Policy().fingerprint)[LIVE_MAX_ESCALATIONS_PER_MIN] is None


def test_a_flipped_worker_takes_it_and_says_so(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 20) as live:
        assert "No ceiling of escalations a minute" in live.run("--once", "--flip").err
        assert cascade(tmp_path, None, "pull", recorded(tmp_path, 200)).code == 0
        assert cascade(tmp_path, None, "simulate", "--sample-rate", "0.2").code == 0
        live.enqueue_again()
        done = live.run("--once", "--flip", "--sample-rate", "0.2")
        assert done.code == 0
        assert f"At most {LEAST_PER_MIN} escalations a minute (default: twice " in done.err
        assert "ceiling" not in live.run("--once").err
        assert (
            "At most 9 escalations a minute (environment"
            in live.run("--once", "--flip", env={"MAX_ESCALATIONS_PER_MIN": "9"}).err
        )
