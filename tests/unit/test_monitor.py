"""Which labels speak, and when the monitor alarms."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from cascade_cli.config import Settings, load_settings
from cascade_cli.console import Console
from cascade_cli.errors import GateFailed, NothingEvaluated, TooManyItemErrors, UsageError
from cascade_cli.monitor import Twice, Watch, notice_lines, read_rollout, run_monitor, watch_scored
from cascade_cli.policy import Policy, decide, sample_unit, stages_of, units_below
from cascade_cli.policy_in_force import at_stage
from cascade_cli.scoring import PairSource, Request, Scored, look_at_pairs, scoring_config
from cascade_cli.simulate import OBSERVER
from cascade_cli.stats.eprocess import FloorAlarm, level_of
from cascade_cli.workspace import Awaited

EVERY_LABEL = Policy(sample_rate=1)
GOOD, BAD = {"entities": ["Ann"]}, {"entities": ["Bob"]}


def rows(prompt_hash: str, agrees: list[bool], day: int = 1, **more: object) -> list[dict[str, object]]:
    return [
        {
            "event_id": f"{prompt_hash}-{number}",
            "system_prompt_hash": prompt_hash,
            "created_at": f"2026-06-{day + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}:00Z",
            "raw_response": GOOD,
            "student_response": GOOD if agree else BAD,
            **more,
        }
        for number, agree in enumerate(agrees)
    ]


def monitor(tmp_path: Path, found: list[dict[str, object]], **more: object) -> tuple[dict, object]:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    policy = more.pop("policy", EVERY_LABEL)
    result = run_monitor(Watch(PairSource(str(path)), policy, **more), load_settings(), Console())
    return result.data, result.failure


def scored_from(tmp_path: Path, found: list[dict[str, object]]) -> tuple[Scored, Twice, Request, Settings]:
    path, settings = tmp_path / "pairs.jsonl", load_settings()
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    request = Request(scoring_config("default", settings.scoring, ("decision",)), observer=OBSERVER)
    twice = Twice(0, "")
    return look_at_pairs(PairSource(str(path)), request, tmp_path, through=twice.watch), twice, request, settings


def test_a_hash_below_the_floor_alarms_at_the_label_that_proves_it(tmp_path: Path) -> None:
    data, failure = monitor(tmp_path, rows("new", [True, False] * 60), floor=0.9)
    (found,) = data["hashes"]
    alarm = FloorAlarm(0.9, level_of(1))
    for agrees in [True, False] * 60:
        alarm = alarm.after(agrees=agrees)
    assert found["floor_alarm"]["alarmed_at_label"] == alarm.alarmed_at
    assert found["floor_alarm"]["event_id"] == f"new-{alarm.alarmed_at - 1}"
    assert found["floor_alarm"]["e_bh"]
    assert isinstance(failure, GateFailed)


def test_a_good_hash_is_quiet(tmp_path: Path) -> None:
    data, failure = monitor(tmp_path, rows("good", [True] * 19 + [False] + [True] * 100), floor=0.9)
    assert failure is None
    assert data["hashes"][0]["agreement"]["n"] == 120


def test_without_a_floor_the_first_hash_with_enough_labels_gives_it_and_is_not_judged_by_it(tmp_path: Path) -> None:
    found = rows("few", [True] * 5) + rows("old", [True] * 200, day=2) + rows("new", [False] * 60, day=3)
    data, failure = monitor(tmp_path, found)
    assert (data["floor"]["system_prompt_hash"], data["floor"]["labels"]) == ("old", 200)
    few, old, new = data["hashes"]
    assert old["floor_alarm"] is None
    assert old["change_alarm"]["alarmed_at_label"] is None
    assert new["floor_alarm"]["alarmed_at_label"] is not None
    assert few["insufficient"]
    assert "new" in str(failure)


def test_labels_speak_in_the_order_of_the_decisions_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    found = rows("h", [True, False, False, True, False] * 30)
    one, _ = monitor(tmp_path, found, floor=0.8)
    other, _ = monitor(tmp_path, found[::-1], floor=0.8)
    assert one == other


def test_of_a_thread_only_the_first_label_speaks(tmp_path: Path) -> None:
    thread = {"id": "x", "attributes": {"thread_id": "t"}, "content": "Ann, Bob"}
    data, _ = monitor(tmp_path, rows("h", [False] * 50, event=thread), floor=0.9)
    (found,) = data["hashes"]
    assert (found["labels"], found["repeated"]) == (1, 49)


def test_what_gates_escalate_and_what_is_not_sampled_is_silent(tmp_path: Path) -> None:
    found = rows("h", [True] * 40) + [{**row, "student_response": {}} for row in rows("g", [True] * 40)]
    data, _ = monitor(tmp_path, found, floor=0.9)
    assert [each["labels"] for each in data["hashes"]] == [40, 0]
    silent, failure = monitor(tmp_path, found, floor=0.9, policy=Policy(sample_rate=0))
    assert [each["labels"] for each in silent["hashes"]] == [0, 0]
    assert isinstance(failure, NothingEvaluated)
    assert silent["hashes"][0]["agreement"] == {"rate": None, "low": None, "high": None, "n": 0}


def test_a_label_that_is_missing_for_good_is_counted(tmp_path: Path) -> None:
    found = rows("h", [True] * 3)
    found[1]["raw_response"] = "{"
    data, _ = monitor(tmp_path, found, floor=0.9)
    assert (data["hashes"][0]["labels"], data["hashes"][0]["missing"]) == (2, 1)


def decided(scored: Scored, *, yes: bool = True) -> Scored:
    return replace(scored, figures=scored.figures.with_columns(decided=pl.lit(yes)))


def test_a_label_that_the_teacher_owes_holds_back_those_after_it_whatever_their_hash(tmp_path: Path) -> None:
    found = rows("old", [True] * 30) + rows("new", [False] * 30)  # at the same minutes
    at, later = (datetime(2026, 6, 1, hour, minute, tzinfo=UTC) for hour, minute in ((0, 10), (12, 0)))
    scored, twice, request, settings = scored_from(tmp_path, found)
    watched = Watch(PairSource(), EVERY_LABEL, floor=0.9)

    def data(awaited: Awaited | None, *, live: bool = True) -> dict:
        known = replace(decided(scored, yes=live), awaited=awaited)
        return watch_scored(watched, known, twice, request, settings).data

    held = data(Awaited(later, 2, at, lost=3))
    assert [(each["labels"], each["held"]) for each in held["hashes"]] == [(10, 20), (10, 20)]
    assert held["hashes"][0]["agreement"]["n"] == 10
    assert held["notices"][:2] == [
        {"kind": "owed_labels", "events": 2, "since": at, "as_of": later, "held": 40},
        {"kind": "lost_events", "events": 3},
    ]
    lines = notice_lines(held)
    assert lines[0].startswith(
        "2 events of the sample waited for the teacher when the database was asked (2026-06-01 12:"
    )
    assert lines[0].endswith("since 2026-06-01 00:10:00Z: 40 labels are held back.")
    assert lines[1].startswith("3 events about which the student was asked")
    nothing_owed = data(Awaited(later))
    assert nothing_owed == {**data(None), "awaited": asdict(Awaited(later))}
    assert [(each["labels"], each["held"]) for each in nothing_owed["hashes"]] == [(30, 0), (30, 0)]
    asked_before = data(Awaited(at))  # the database, for what waits
    assert [(each["labels"], each["held"]) for each in asked_before["hashes"]] == [(10, 20), (10, 20)]
    assert notice_lines(asked_before)[0].startswith("40 labels are held back: decided later than")
    assert data(Awaited(later, 2, at), live=False)["labels"] == 60  # a file's, about which no worker decided


def test_a_label_that_is_missing_for_good_is_no_label_that_is_held(tmp_path: Path) -> None:
    found = rows("h", [True] * 3)
    found[2]["raw_response"] = "{"
    scored, twice, request, settings = scored_from(tmp_path, found)
    known = replace(decided(scored), awaited=Awaited(datetime(2026, 6, 1, 0, 1, tzinfo=UTC)))
    (figures,) = watch_scored(Watch(PairSource(), EVERY_LABEL, floor=0.9), known, twice, request, settings).data[
        "hashes"
    ]
    assert (figures["labels"], figures["held"], figures["missing"]) == (1, 1, 1)


def test_labels_of_a_worker_that_sampled_more_are_missed(tmp_path: Path) -> None:
    found = rows("h", [True] * 200)
    scored, twice, request, settings = scored_from(tmp_path, found)
    policy = Policy(sample_rate=0.05)
    taken = {row["event_id"] for row in found if sample_unit(str(row["event_id"]), policy.salt) < units_below(0.2)}
    few = {event_id for event_id in taken if sample_unit(event_id, policy.salt) < units_below(0.05)}
    scored = replace(scored, sampled=frozenset(taken))
    for rate, unheard in ((0.05, len(taken) - len(few)), (0.2, 0), (1, 0)):
        watched = Watch(PairSource(), Policy(sample_rate=rate), floor=0.5, min_n=0)
        data = watch_scored(watched, scored, twice, request, settings).data
        assert sum(each["events"] for each in data["notices"] if each["kind"] == "unheard_labels") == unheard
    assert 0 < len(few) < len(taken)


def test_without_their_text_events_are_told_to_escalate_for_every_address(tmp_path: Path) -> None:
    said = {"entities": [{"name": "Ann", "email": "ann@example.com"}]}
    found = [{**row, "raw_response": said, "student_response": said} for row in rows("h", [True] * 3)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    result = run_monitor(Watch(PairSource(str(path)), EVERY_LABEL, floor=0.5), load_settings(), Console())
    assert result.warnings[0].startswith("3 of 3 events come without their text")
    assert "so none stands" in str(result.failure.hint)
    for row in found[:2]:
        row["event"] = {"id": "x", "content": "from ann@example.com"}
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    result = run_monitor(Watch(PairSource(str(path)), EVERY_LABEL, floor=0.5), load_settings(), Console())
    assert result.warnings[0].startswith("1 of 3 events come")
    assert result.data["labels"] == 2


def test_an_undated_label_is_held_back_by_nobody(tmp_path: Path) -> None:
    scored, twice, request, settings = scored_from(tmp_path, rows("h", [True] * 5, created_at=None))
    awaited = Awaited(datetime(2026, 6, 1, tzinfo=UTC), 1, datetime(2020, 1, 1, tzinfo=UTC))
    watched = Watch(PairSource(), EVERY_LABEL, floor=0.9)
    data = watch_scored(watched, replace(decided(scored), awaited=awaited), twice, request, settings).data
    assert (data["labels"], data["hashes"][0]["held"]) == (5, 0)


def test_an_unknown_baseline_is_a_mistake_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No event has the prompt hash 'x'"):
        monitor(tmp_path, rows("h", [True]), baseline="x")


def test_without_a_floor_nothing_is_judged_and_that_is_no_pass(tmp_path: Path) -> None:
    data, failure = monitor(tmp_path, rows("h", [False] * 300))
    assert data["floor"] is None
    assert isinstance(failure, NothingEvaluated)
    found = rows("good", [True] * 40) + rows("bad", [False] * 300, day=2)
    _, failure = monitor(tmp_path, found, baseline="good")
    assert "good has not 200 labels" in str(failure)
    _, failure = monitor(tmp_path, found, baseline="good", baseline_labels=40)
    assert isinstance(failure, GateFailed)
    assert monitor(tmp_path, rows("h", [False] * 300), allow_empty=True)[1] is None


def test_the_floor_of_a_baseline_does_not_move_with_the_fall_that_it_should_show(tmp_path: Path) -> None:
    good, fallen = [number % 10 != 0 for number in range(300)], [number % 4 != 0 for number in range(600)]
    early, _ = monitor(tmp_path, rows("h", good))
    late, failure = monitor(tmp_path, rows("h", good + fallen))
    assert early["floor"] == late["floor"]
    alarm = late["hashes"][0]["change_alarm"]
    assert 300 < alarm["alarmed_at_label"] < 500
    assert isinstance(failure, GateFailed)
    later, _ = monitor(tmp_path, rows("h", good + fallen + [True] * 500))
    assert later["hashes"][0]["change_alarm"]["alarmed_at_label"] == alarm["alarmed_at_label"]


def test_an_event_under_two_prompts_counts_for_both(tmp_path: Path) -> None:
    found = rows("h1", [True] * 50)
    again = [{**row, "system_prompt_hash": "h2", "student_response": BAD} for row in found]
    data, _ = monitor(tmp_path, found + again, floor=0.9)
    assert [each["agreement"]["rate"] for each in data["hashes"]] == [1.0, 0.0]


def test_events_without_a_hash_are_no_evidence_against_their_own_floor(tmp_path: Path) -> None:
    data, _ = monitor(tmp_path, [{**row, "system_prompt_hash": None} for row in rows("h", [True] * 250)])
    (found,) = data["hashes"]
    assert data["floor"]["system_prompt_hash"] is None
    assert found["floor_alarm"] is None
    assert found["change_alarm"]["alarmed_at_label"] is None


def test_where_the_first_of_a_thread_has_no_label_nobody_speaks_for_it(tmp_path: Path) -> None:
    thread = {"id": "x", "attributes": {"thread_id": "t"}, "content": "Ann, Bob"}
    found = rows("h", [True] * 5, event=thread)
    found[0]["raw_response"] = "{"
    data, _ = monitor(tmp_path, found + rows("g", [True]), floor=0.9)
    assert [(each["labels"], each["missing"]) for each in data["hashes"]] == [(0, 1), (1, 0)]


def test_the_planner_knows_the_level_of_the_next_hash(tmp_path: Path) -> None:
    one, _ = monitor(tmp_path, rows("a", [True] * 40), floor=0.9)
    two, _ = monitor(tmp_path, rows("a", [True] * 40) + rows("b", [True] * 40, day=2), floor=0.9)
    assert two["plan"][-1]["median_labels"] > one["plan"][-1]["median_labels"]


def test_unreadable_lines_beyond_the_rate_are_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    good = "".join(json.dumps(row) + "\n" for row in rows("h", [True] * 40))
    path.write_text(good + "{}\n" * 40, encoding="utf-8")
    result = run_monitor(Watch(PairSource(str(path)), EVERY_LABEL, floor=0.5), load_settings(), Console())
    assert isinstance(result.failure, TooManyItemErrors)


def test_an_alarm_tells_what_passed_since_the_fall_began_and_how_deep_it_is(tmp_path: Path) -> None:
    found = rows("h", [True] * 300 + [False, True] * 60, student_model="m")
    data, _ = monitor(tmp_path, found, floor=0.9)
    change = data["hashes"][0]["change_alarm"]
    since, effect = change["since_change"], change["effect"]
    assert change["alarmed_at_label"] - since["labels"] == 300
    assert since["events"] == since["labels"]
    assert since["days"] == pytest.approx(since["labels"] / 1440, rel=0.1)
    assert (effect["n"], effect["value"]) == (120, pytest.approx(-0.4))
    assert effect["low"] < -0.4 < effect["high"]


def test_a_floor_s_alarm_counts_events_that_did_not_speak_too(tmp_path: Path) -> None:
    escalated = [dict(row, event_id=f"x{row['event_id']}", student_response={}) for row in rows("h", [True] * 30)]
    data, _ = monitor(tmp_path, escalated + rows("h", [False] * 30, day=2), floor=0.9)
    alarm = data["hashes"][0]["floor_alarm"]
    assert alarm["since_change"]["events"] == alarm["since_change"]["labels"] + 30
    assert 0 < alarm["minimum_detectable_drop"] <= 0.9


def test_a_burn_in_speaks_with_all_its_labels_but_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    found = rows("h", [False] * 20 + [True] * 800)
    data, _ = monitor(tmp_path, found, floor=0.5, policy=Policy(sample_rate="0.05", burn_in_events=20))
    (figures,) = data["hashes"]
    assert 20 < figures["labels"] < 300
    assert 1 - 20 / figures["labels"] < 0.9
    assert figures["agreement"]["rate"] == pytest.approx(1 - 20 / 820, abs=0.02)
    assert figures["floor_alarm"]["alarmed_at_label"] <= 20


def test_hashes_weigh_as_much_as_they_have_standing_events(tmp_path: Path) -> None:
    found = rows("a", [True] * 30) + rows("b", [False] * 90, day=2)
    data, _ = monitor(tmp_path, found, floor=0.5)
    assert data["agreement"]["rate"] == pytest.approx(0.25)
    nobody = [dict(row, raw_response="{") for row in rows("c", [True] * 5, day=3)]
    assert monitor(tmp_path, found + nobody, floor=0.5)[0]["agreement"]["rate"] is None


def test_what_the_teacher_says_twice_is_the_ceiling_and_its_fall_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rows("h", [True] * 100, llm_model="t")
    again = [dict(row, id=f"2-{number}", raw_response=GOOD if number < 60 else BAD) for number, row in enumerate(first)]
    strangers = [dict(row, id=f"3-{number}", llm_model="u", raw_response=BAD) for number, row in enumerate(first)]
    found = [*first, *again, *strangers]
    assert monitor(tmp_path, found, floor=0.5)[0]["teacher"] is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cascade.toml").write_text("[policy]\nteacher_twice_rate = 1", encoding="utf-8")
    data, failure = monitor(tmp_path, found, floor=0.1, baseline_labels=50)
    teacher = data["teacher"]
    assert (teacher["n"], teacher["self_agreement"]["rate"]) == (100, 0.6)
    assert teacher["ratio"] == pytest.approx(data["hashes"][0]["agreement"]["rate"] / 0.6)
    assert 10 < teacher["change_alarm"]["alarmed_at_label"] <= 50
    assert "the teacher's with itself" in str(failure)
    (tmp_path / "cascade.toml").write_text("[policy]\nteacher_twice_rate = 0.3", encoding="utf-8")
    some = monitor(tmp_path, found, floor=0.1)[0]["teacher"]
    below = units_below(Decimal("0.3"))
    assert some["n"] == sum(sample_unit(row["event_id"], domain="teacher_twice") < below for row in first)
    assert some["change_alarm"] is None


def test_a_new_hash_and_one_that_the_student_never_learned_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cascade.toml").write_text('[student]\ntrained_prompt_hashes = ["old"]', encoding="utf-8")
    data, _ = monitor(tmp_path, rows("old", [True] * 40) + rows("new", [True] * 5, day=2), floor=0.5)
    kinds = [(notice["kind"], notice["system_prompt_hash"], notice["labels"]) for notice in data["notices"]]
    assert kinds == [("new_hash", "new", 5), ("untrained_hash", "new", 5)]


def test_a_burn_in_on_a_worker_s_log_is_refused_for_ages_are_unknown(tmp_path: Path) -> None:
    below = units_below(Decimal("0.05"))
    log = [row for row in rows("h", [True] * 3000) if sample_unit(row["event_id"]) < below]
    with pytest.raises(UsageError, match="a burn-in is unknown"):
        monitor(tmp_path, log, floor=0.5, policy=Policy(sample_rate="0.05", burn_in_events=30))
    assert monitor(tmp_path, log, floor=0.5, policy=Policy(sample_rate="0.05"))[0]["labels"] == len(log)


def test_the_total_of_a_burn_in_is_weighed_like_its_hashes(tmp_path: Path) -> None:
    found = rows("a", [False] * 100 + [True] * 1900) + rows("b", [True] * 300, day=5)
    data, _ = monitor(tmp_path, found, floor=0.1, policy=Policy(sample_rate="0.05", burn_in_events=100))
    assert data["agreement"]["rate"] == pytest.approx(2200 / 2300, abs=0.015)
    assert data["hashes"][0]["confidence_sequence"] is None


def test_a_fallen_teacher_is_told_without_a_floor_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = rows("h", [True] * 160, llm_model="t")
    again = [dict(row, id=f"2-{number}", raw_response=GOOD if number < 60 else BAD) for number, row in enumerate(first)]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cascade.toml").write_text("[policy]\nteacher_twice_rate = 1", encoding="utf-8")
    few = Policy(sample_rate="0.05")
    data, failure = monitor(tmp_path, first + again, baseline_labels=50, policy=few)
    assert data["floor"] is None
    assert isinstance(failure, GateFailed)


def test_answers_without_moments_are_no_second_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undated = [{key: value for key, value in row.items() if key != "created_at"} for row in rows("h", [True] * 40)]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cascade.toml").write_text("[policy]\nteacher_twice_rate = 1", encoding="utf-8")
    assert (
        monitor(tmp_path, undated + [dict(row, raw_response=BAD) for row in undated], floor=0.1)[0]["teacher"] is None
    )


def test_a_floor_and_a_baseline_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict"):
        monitor(tmp_path, rows("h", [True] * 40), floor=0.5, baseline="h")


# Rollout


def rollout(tmp_path: Path, found: list[dict[str, object]], stage: int, target: float = 0.1, **more: object) -> dict:
    """What is said of the next stage; the labels of the present one are those of its policy."""
    final = Policy()
    asked = read_rollout(final, stage, target)
    data, _ = monitor(
        tmp_path, found, policy=at_stage(final, stage), rollout=asked, allow_empty=True, floor=0.5, **more
    )
    return data["rollout"]


def log_of(found: list[dict[str, object]], policy: Policy) -> list[dict[str, object]]:
    """What a worker with that policy leaves behind: pairs of what escalated."""
    return [row for row in found if decide({"id": row["event_id"]}, row["student_response"], policy).escalate]


def test_the_next_stage_is_justified_once_so_many_agree_that_little_can_stay_wrong(tmp_path: Path) -> None:
    found = log_of(rows("h", [True] * 600), stages_of(Policy())[0])
    few, many = rollout(tmp_path, found[:40], 1, 0.02), rollout(tmp_path, found, 1, 0.02)
    assert (few["justified"], few["why"]) == (False, "more than the target could be left standing and wrong")
    assert (many["justified"], many["why"], many["stages"]) == (True, None, 5)
    assert many["residual_disagreement"]["high"] <= 0.02 < few["residual_disagreement"]["high"]
    assert many["next"]["fingerprint"] == stages_of(Policy())[1].fingerprint
    assert (many["residual_disagreement"]["n"], many["system_prompt_hash"]) == (len(found), "h")
    assert rollout(tmp_path, found[:29], 1, 0.5)["why"] == "29 labels are too few, 30 are wanted"


def test_what_stands_only_in_the_next_stage_is_judged_by_what_this_one_escalated(tmp_path: Path) -> None:
    """All news is wrong: the first stages send it to the teacher, the third would leave it standing."""
    news = {**BAD, "facts": [{"statement": "go", "category": "news"}]}
    found = [
        row | ({"student_response": news} if number % 5 == 0 else {})
        for number, row in enumerate(rows("h", [True] * 200))
    ]
    second = rollout(tmp_path, log_of(found, stages_of(Policy())[0]), 1, 0.05)
    assert second["residual_disagreement"]["rate"] == 0
    third = rollout(tmp_path, log_of(found, stages_of(Policy())[1]), 2, 0.05)
    assert third["residual_disagreement"]["rate"] == pytest.approx(0.2 * 0.75, abs=0.04)
    assert not third["justified"]


def test_a_time_in_shadow_before_makes_nothing_look_better(tmp_path: Path) -> None:
    stage = stages_of(Policy())[1]
    flipped = log_of(rows("h", [number % 4 > 0 for number in range(800)]), stage)
    shadow = [row | {"event_id": f"s{row['event_id']}"} for row in rows("h", [number % 4 > 0 for number in range(800)])]
    alone, both = rollout(tmp_path, flipped, 2), rollout(tmp_path, shadow + flipped, 2)
    assert alone["residual_disagreement"]["rate"] == pytest.approx(0.25 * 0.75, abs=0.05)
    assert both["residual_disagreement"]["rate"] == pytest.approx(0.25 * 0.75, abs=0.04)


def test_an_alarm_or_a_new_prompt_keeps_the_rollout_where_it_is(tmp_path: Path) -> None:
    fallen = rollout(tmp_path, log_of(rows("h", [False] * 400), stages_of(Policy())[0]), 1, 1.0)
    assert (fallen["justified"], fallen["why"]) == (False, "agreement has fallen")
    old, new = rows("old", [True] * 400), rows("new", [True] * 10, day=9)
    assert rollout(tmp_path, old + new, 1, 0.5)["system_prompt_hash"] == "new"
    assert not rollout(tmp_path, old + new, 1, 0.5)["justified"]


def test_the_last_stage_has_none_after_it_and_a_target_needs_a_stage(tmp_path: Path) -> None:
    last = rollout(tmp_path, rows("h", [True] * 40), 5)
    assert (last["next"], last["justified"], last["why"]) == (None, False, "it is the last one")
    with pytest.raises(UsageError, match="has 5 stages, and no stage 6"):
        at_stage(Policy(), 6)
    with pytest.raises(UsageError, match="is for a rollout"):
        read_rollout(Policy(), None, 0.02)
    assert rollout(tmp_path, [], 1)["why"] == "0 labels are too few, 30 are wanted"
