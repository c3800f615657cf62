"""The verdict of a report: it follows from the figures that it tells, and where they are too few it says so."""

from __future__ import annotations

from typing import Any

import pytest

from cascade_cli.report.verdict import Asked, Check, Verdict, judge

NEWEST = "c40d9e"
ASKED = Asked()
GIVEN: dict[str, Any] = {"value": 0.85}


def rate(value: float | None, low: float | None, high: float | None, n: int) -> dict[str, Any]:
    return {"rate": value, "low": low, "high": high, "n": n}


GOOD = rate(0.95, 0.92, 0.97, 400)
LITTLE = rate(0.02, 0.01, 0.03, 400)
QUIET = {"alarmed_at_label": None}
GONE_OFF = {"alarmed_at_label": 50}


def watched(prompt_hash: str | None = NEWEST, **changed: Any) -> dict[str, Any]:
    return {
        "system_prompt_hash": prompt_hash, "labels": 300, "insufficient": False,
        "floor_alarm": QUIET, "change_alarm": QUIET, **changed,
    }  # fmt: skip


def judged(
    *,
    agreement: dict[str, Any] = GOOD,
    residual: dict[str, Any] = LITTLE,
    escalation: float | None = 0.17,
    hashes: tuple[dict[str, Any], ...] = (watched(),),
    floor: dict[str, Any] | None = GIVEN,
    newest: str | None = NEWEST,
    asked: Asked = ASKED,
) -> Verdict:
    groups = [
        {"key": {"system_prompt_hash": NEWEST}, "agreement": agreement},
        {"key": {"system_prompt_hash": "old"}, "agreement": rate(0.1, 0.0, 0.2, 500)},
    ]
    score = {"groups": groups, "not_asked": 0, "bad_rows": 0, "unscorable": 0}
    simulation = {"residual_disagreement": residual, "escalation": rate(escalation, None, None, 400)}
    return judge(newest, score, simulation, {"hashes": hashes, "floor": floor, "teacher": None}, asked)


def check(verdict: Verdict, name: str) -> Check:
    (found,) = (each for each in verdict.checks if each.name == name)
    return found


def test_the_headline_of_a_yes_says_how_much_the_student_carries() -> None:
    assert judged().headline == "Yes: under this policy the student may carry 83.0% of the events."


def test_one_check_that_fails_makes_a_no_and_one_that_cannot_be_made_nobody_knows() -> None:
    low = rate(0.8, 0.75, 0.84, 400)
    assert judged(agreement=low).answer == "no"
    assert judged(agreement=low, floor=None).answer == "no"
    assert judged(floor=None).answer == "unknown"


@pytest.mark.parametrize(("low", "passed"), [(0.85, True), (0.8499999, False), (0.86, True)])
def test_agreement_is_judged_by_its_lower_bound(low: float, passed: bool) -> None:
    assert check(judged(agreement=rate(0.95, low, 0.99, 30)), "agreement").passed is passed


@pytest.mark.parametrize(("high", "passed"), [(0.05, True), (0.0500001, False), (0.01, True)])
def test_what_stays_wrong_is_judged_by_its_upper_bound(high: float, passed: bool) -> None:
    assert check(judged(residual=rate(0.001, 0.0, high, 30)), "residual").passed is passed


def test_fewer_than_thirty_labels_decide_nothing() -> None:
    assert check(judged(agreement=rate(1.0, 0.9, 1.0, 29)), "agreement").passed is None
    assert check(judged(residual=rate(0.0, 0.0, 0.01, 29)), "residual").passed is None
    assert check(judged(hashes=(watched(insufficient=True),)), "alarms").passed is None


def test_an_alarm_of_an_earlier_prompt_is_not_one_of_the_newest() -> None:
    assert check(judged(hashes=(watched("old", floor_alarm=GONE_OFF), watched())), "alarms").passed is True
    for name in ("floor_alarm", "change_alarm"):
        assert check(judged(hashes=(watched(**{name: GONE_OFF}),)), "alarms").passed is False


def test_a_newest_prompt_without_a_scored_event_is_never_judged_by_others() -> None:
    verdict = judged(newest="newer")
    assert verdict.answer == "unknown"
    assert [check(verdict, name).passed for name in ("agreement", "alarms")] == [None, None]
    assert "newer no event is scored yet (n = 0)" in check(verdict, "agreement").told
    assert "no floor" not in check(verdict, "alarms").told


def test_what_is_undefined_is_said_in_words_and_never_as_a_dash() -> None:
    nothing = rate(None, None, None, 0)
    verdict = judged(agreement=nothing, residual=nothing, hashes=(watched(labels=0, insufficient=True),), floor=None)
    for each in verdict.checks:
        assert each.passed is None
        assert "—" not in each.told
        assert "n = 0" in each.told


def test_where_everything_escalates_the_student_carries_nothing_and_there_is_no_yes() -> None:
    verdict = judged(residual=rate(0.0, 0.0, 0.0, 400), escalation=1.0)
    assert verdict.answer == "unknown"
    assert "the student carries nothing (n = 400)" in check(verdict, "residual").told


def test_a_bound_that_rounds_to_the_limit_is_told_to_the_digit_that_decides() -> None:
    told = check(judged(agreement=rate(0.9, 0.84996, 0.95, 400)), "agreement").told
    assert told.endswith("the lower bound must reach 85%, and is 84.99600%.")
    told = check(judged(residual=rate(0.04, 0.03, 0.05004, 400)), "residual").told
    assert told.endswith("the upper bound may be 5% at most, and is 5.00400%.")
    assert check(judged(), "agreement").told.endswith("must reach 85%.")


def test_limits_are_told_as_they_were_given() -> None:
    verdict = judged(asked=Asked(floor=0.8765, target_residual=0.0004))
    assert "must reach 87.65%" in check(verdict, "agreement").told
    assert "may be 0.04% at most" in check(verdict, "residual").told


def test_a_whole_sha_is_called_by_its_first_digits() -> None:
    told = check(judged(newest="e3b0c442" * 8), "agreement").told
    assert "newest prompt e3b0c442e3b0 no event" in told
