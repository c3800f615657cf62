"""What the user asked to hold, and what must hold for any verdict at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cascade_cli.errors import CascadeError, GateFailed, NothingEvaluated, TooManyItemErrors

_TOLD = 5
Figures = Mapping[str, Any]
"""Figures in the shape of the JSON of ``cascade score``."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a run must fulfil.

    Attributes:
        min_n: scored pairs without which nothing counts as evaluated.
        allow_empty: let fewer pass.
        max_error_rate: share in [0, 1] of unreadable and unscorable rows that is borne.
        fail_under: agreement in [0, 1] that the gate asks for; None asks for none.
        each_group: every group must reach it, not the total alone.
        on_rate: judge the rate itself instead of the lower bound of its interval.
    """

    min_n: int = 1
    allow_empty: bool = False
    max_error_rate: float = 0.05
    fail_under: float | None = None
    each_group: bool = False
    on_rate: bool = False


def judge(data: Figures, conditions: Conditions) -> tuple[Figures | None, CascadeError | None]:
    """The verdict on the gate that was asked for, and the failure that the process ends with; None where none."""
    gate = _gate(data, conditions)
    return gate, _breakdown(data, conditions) or _gate_failure(gate)


def _breakdown(data: Figures, conditions: Conditions) -> CascadeError | None:
    """Why there is nothing to judge, where that is so."""
    scored = data["scored"]
    if scored < conditions.min_n and not conditions.allow_empty:
        found = f"Only {scored:,} of {data['pairs']:,} recorded pairs could be scored" if data["pairs"] else "No pairs"
        return NothingEvaluated(f"{found}; at least {conditions.min_n:,} are wanted.", hint=_why_so_few(data))
    errors = data["unscorable"] + data["bad_rows"]
    rows = data["pairs"] + data["bad_rows"]
    if rows and errors / rows > conditions.max_error_rate:
        return TooManyItemErrors(
            f"{errors:,} of {rows:,} rows are unreadable or unscorable, more than {conditions.max_error_rate:.1%}.",
            hint="Mend the input, or raise --max-error-rate if you know why they are there.",
        )
    return None


def _why_so_few(data: Figures) -> str:
    if data["not_asked"]:
        return f"{data['not_asked']:,} traces have no student answer: a pair needs `student_response`."
    return "Is this the right file or workspace? --allow-empty makes it exit 0."


def _gate(data: Figures, conditions: Conditions) -> Figures | None:
    if conditions.fail_under is None or (conditions.allow_empty and not data["scored"]):
        return None
    judged: Sequence[Figures] = data["groups"] if conditions.each_group else [data["total"]]
    checks = [_check(group, conditions.fail_under, on_rate=conditions.on_rate) for group in judged]
    return {
        "name": "fail-under",
        "threshold": conditions.fail_under,
        "judged_on": "rate" if conditions.on_rate else "low",
        "passed": bool(checks) and all(check["passed"] for check in checks),
        "checks": checks,
    }


def _check(group: Figures, threshold: float, *, on_rate: bool) -> Figures:
    agreement = group["agreement"]
    value = agreement["rate" if on_rate else "low"]
    return {
        "key": group["key"],
        "value": value,
        "n": agreement["n"],
        "passed": value is not None and value >= threshold,
    }


def _gate_failure(gate: Figures | None) -> CascadeError | None:
    if gate is None or gate["passed"]:
        return None
    failed = [check for check in gate["checks"] if not check["passed"]]
    told = "; ".join(
        f"{_name(check['key'])} has {_percent(check['value'])} (n = {check['n']:,})" for check in failed[:_TOLD]
    )
    told += f"; and {len(failed) - _TOLD} more" if len(failed) > _TOLD else ""
    which = "the agreement" if gate["judged_on"] == "rate" else "the lower bound of the agreement"
    return GateFailed(
        f"Gate failed: {which} must reach {_percent(gate['threshold'])}, but {told or 'nothing was judged'}."
    )


def _name(key: Mapping[str, object]) -> str:
    return ", ".join(f"{column} {value}" for column, value in key.items()) or "the total"


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.2%}"
