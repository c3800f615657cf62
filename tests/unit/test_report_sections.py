"""Figures on their way into the charts: which end is which, and what is undefined."""

from __future__ import annotations

from datetime import date
from typing import Any

from cascade_cli.report.charts import Moment, Operation
from cascade_cli.report.sections.agreement import _moment
from cascade_cli.report.sections.policy import _operation


def policy(residual: dict[str, Any], escalation: float | None = 0.17) -> dict[str, Any]:
    return {"sample_rate": 0.0125, "escalation": {"rate": escalation}, "residual_disagreement": residual}


def test_a_policy_stands_at_what_comes_out_right_and_its_ends_change_places() -> None:
    figures = policy({"rate": 0.1, "low": 0.05, "high": 0.25, "n": 400})
    told = "sample rate 1.25%: 17.0% escalate, 90.0% come out right"
    assert _operation(figures, in_force=True) == Operation(0.17, 0.9, 0.75, 0.95, told, in_force=True)


def test_a_policy_of_which_too_little_is_known_is_not_drawn() -> None:
    nothing = {"rate": None, "low": None, "high": None, "n": 0}
    assert _operation(policy(nothing), in_force=True) is None
    assert _operation(policy({"rate": 0.1, "low": 0.0, "high": 0.2, "n": 9}, None), in_force=True) is None
    without_ends = _operation(policy({"rate": 0.1, "low": None, "high": None, "n": 9}), in_force=False)
    assert without_ends is not None
    assert (without_ends.low, without_ends.high) == (None, None)


def test_a_day_has_its_own_interval_and_where_there_is_none_its_rate_alone() -> None:
    known = {"rate": 0.8, "low": 0.6, "high": 0.9, "n": 10}
    day = {"key": {"day": "2026-06-18"}, "agreement": known}
    assert _moment(day) == Moment(date(2026, 6, 18), 0.8, 0.6, 0.9, "2026-06-18: 80.0% (60.0–90.0), n 10")
    few = {**day, "agreement": {"rate": 0.5, "low": None, "high": None, "n": 9}}
    assert _moment(few) == Moment(date(2026, 6, 18), 0.5, 0.5, 0.5, "2026-06-18: 50.0%, n 9", sparse=True)
