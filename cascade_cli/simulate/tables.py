"""The figures of a simulation as tables for people; rounding happens here only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cascade_cli.console import Column, Table
from cascade_cli.policy import REASONS
from cascade_cli.scoring.tables import count, interval_percent, percent
from cascade_cli.simulate.planning import MOST_LABELS

Figures = Mapping[str, Any]


def _with_interval(figures: object) -> str:
    if not isinstance(figures, Mapping):
        return "—"
    return f"{percent(figures['rate'])} ({interval_percent(figures)})"


def _sample(rate: object) -> str:
    return f"{rate:.2%}" if isinstance(rate, float) else "—"


def _number(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else "—"


def _duration(days: object) -> str:
    """Days, in the unit in which they are a number to remember."""
    if not isinstance(days, float):
        return "—"
    for unit, in_a_day in (("days", 1), ("h", 24), ("min", 1_440)):
        if days * in_a_day >= 1:
            return f"{days * in_a_day:,.1f} {unit}"
    return f"{86_400 * days:,.1f} s"


def _money(value: object) -> str:
    return f"${value:,.4f}" if isinstance(value, float) else "—"


_REASON_COLUMNS = (
    Column("reason", "reason"),
    Column("first", "first", count, "right"),
    Column("any", "at all", count, "right"),
    Column("alone", "alone", count, "right"),
)
_RATES = (
    Column("what", ""),
    Column("figures.rate", "rate", percent, "right"),
    Column("figures", "95 %", interval_percent, "right"),
    Column("figures.n", "n", count, "right"),
)
_SWEEP = (
    Column("sample_rate", "sample", _sample, "right"),
    Column("escalation", "escalate", _with_interval, "right"),
    Column("residual_disagreement", "stay wrong", _with_interval, "right"),
    Column("cost.teacher_calls", "teacher calls", count, "right"),
)
_THRESHOLD = Column(
    "policy.verifier_threshold", "verifier", lambda value: "off" if value is None else f"{value:g}", "right"
)
_VARIATIONS = (
    Column("change", "change"),
    Column("escalation.rate", "escalate", percent, "right"),
    Column("standing_agreement.rate", "standing agree", percent, "right"),
    Column("residual_disagreement", "stay wrong", _with_interval, "right"),
)
PLAN = (
    Column("drop", "fall", percent, "right"),
    Column("probability", f"seen in {MOST_LABELS:,} labels", percent, "right"),
    Column("median_labels", "labels, median", count, "right"),
    Column("p90_labels", "labels, 90 %", count, "right"),
    Column("median_days", "time, median", _duration, "right"),
)
"""Columns of :func:`~cascade_cli.simulate.planning.detection_plan`."""
_RATE_NAMES = {
    "escalation": "events that escalate",
    "standing_agreement": "standing events that agree",
    "residual_disagreement": "events left standing and wrong",
    "overall_agreement": "all events that agree",
    "sampled_view": "… as the sample alone would show it",
}


def simulation_blocks(data: Figures) -> tuple[Table | str, ...]:
    """The tables of ``cascade simulate``: reasons, rates, cost, the sweep."""
    if not data["events"]:
        return ("0 events",)
    if "logged_policy" in data:
        return _logged_blocks(data)
    by_reason = data["escalation"]["by_reason"]
    reasons = [{"reason": reason, **by_reason[reason]} for reason in REASONS]
    rates = [{"what": told, "figures": data[name]} for name, told in _RATE_NAMES.items()]
    blocks: list[Table | str] = [
        _heading(data),
        Table(_REASON_COLUMNS, reasons, "Why events escalate (events)"),
        Table(_RATES, rates, "What stays and what is wrong"),
        _cost_line(data["cost"]),
    ]
    if "fleet" in data["cost"]:
        blocks += _fleet_blocks(data["cost"]["fleet"])
    if len(data["sweep"]) > 1:
        blocks.append(_sweep_table(data["sweep"]))
    blocks += [block(data) for name, block in _WHERE_GIVEN if data.get(name) is not None]
    return tuple(blocks)


def _sweep_table(sweep: Sequence[Figures], columns: tuple[Column, ...] = _SWEEP) -> Table:
    by_threshold = len({figures["policy"]["verifier_threshold"] for figures in sweep}) > 1
    shown = (_THRESHOLD, *columns) if by_threshold else columns
    return Table(shown, sweep, f"By {'verifier and ' if by_threshold else ''}sample rate (95 % intervals)")


def _variations_table(data: Figures) -> Table:
    lines = [{"change": "as it is", **data["sweep"][0]}, *map(_with_change, data["variations"])]
    return Table(_VARIATIONS, lines, "One thing changed at a time")


def _with_change(figures: Figures) -> Figures:
    verb = "with" if figures["added"] else "without"
    return {"change": f"{verb} {figures['name']}", **figures}


def _verifier_line(data: Figures) -> str:
    verifier = data["verifier"]
    told = "undefined" if verifier["auc"] is None else f"{verifier['auc']:.3f}"
    line = f"Verifier: AUC {told} over {count(verifier['n'])} labels"
    powered = verifier["prediction_powered"]
    if powered is None or powered["insufficient"]:
        return f"{line}."
    rate = f"{percent(powered['rate'])} ({interval_percent(powered)})"
    return f"{line}; with it the sample shows {rate}, worth {powered['gain']:.2f} times its labels."


def _plan_table(data: Figures) -> Table:
    plan, volume = data["plan"], data["plan"]["labels_per_day"]
    per_day = "" if volume is None else f", at {volume:,.1f} labels a day"
    return Table(PLAN, plan["drops"], f"How soon a fall below {plan['floor']:.1%} would be noticed{per_day}")


def _heading(data: Figures) -> str:
    policy = data["policy"]
    return (
        f"{count(data['events'])} events · {count(data['labelled'])} labelled · sample rate {policy['sample_rate']:.2%}"
        f" · policy {policy['fingerprint']}\nscorer {data['scorer']}"
    )


def _cost_line(cost: Figures) -> str:
    calls = f"{count(cost['teacher_calls'])} teacher calls, {count(cost['student_calls'])} student calls"
    seconds = f"teacher {_number(cost['teacher_s'])} s of {_number(cost['teacher_s_for_all'])} s for everything"
    line = f"Cost: {calls}; {seconds}"
    if cost["usd"] is not None:
        line += f"; {_money(cost['usd'])} against {_money(cost['usd_teacher_for_all'])} for the teacher on everything"
    return line


_BOOTSTRAP = (
    Column("what", ""),
    Column("rate", "rate", percent, "right"),
    Column("drawn", "95 %", interval_percent, "right"),
)
_LOGGED = (
    Column("what", ""),
    Column("rate", "rate", percent, "right"),
    Column("low", "low", percent, "right"),
    Column("high", "high", percent, "right"),
    Column("n", "n", count, "right"),
    Column("effective_n", "worth", _number, "right"),
    Column("largest_weight", "largest weight", percent, "right"),
)
_ROLLOUT = (
    Column("stage", "stage", count, "right"),
    Column("sample_rate", "sample", _sample, "right"),
    Column("categories", "categories"),
    Column("escalation", "escalate", percent, "right"),
    Column("residual", "stay wrong", percent, "right"),
    Column("labels_needed", "labels", count, "right"),
    Column("events_needed", "events", _number, "right"),
    Column("days_needed", "days", _number, "right"),
)


def _bootstrap_table(data: Figures) -> Table:
    drawn = data["bootstrap"]
    lines = [
        {"what": told, "rate": data[name]["rate"], "drawn": drawn[name]}
        for name, told in _RATE_NAMES.items()
        if name in drawn
    ]
    return Table(_BOOTSTRAP, lines, f"By {count(drawn['replicates'])} resamples")


def _logged_blocks(data: Figures) -> tuple[Table | str, ...]:
    lines = [{"what": told, **data[name]} for name, told in _RATE_NAMES.items() if name in data]
    blocks: list[Table | str] = [
        f"{_heading(data)}\nfrom a log of policy {data['logged_policy']['fingerprint']}",
        Table(_LOGGED, lines, "From the log, each event by the inverse of its chance"),
    ]
    if len(data["sweep"]) > 1:
        blocks.append(_sweep_table(data["sweep"], _SWEEP[:-1]))
    return (*blocks, *([_target_line(data)] if "target" in data else []))


def _rollout_table(data: Figures) -> Table:
    lines = [
        {"categories": "every" if stage["every_category"] else count(len(stage["high_value_categories"])), **stage}
        for stage in data["rollout"]
    ]
    return Table(_ROLLOUT, lines, "Stages, and what each must show before the next")


_FLEET = (
    Column("what", "teacher's fleet"),
    Column("events", "events", count, "right"),
    Column("boots", "boots", count, "right"),
    Column("billed_h", "billed h", _number, "right"),
    Column("utilisation", "busy", percent, "right"),
    Column("wait_p50_s", "wait p50 s", _number, "right"),
    Column("wait_p95_s", "p95", _number, "right"),
    Column("wait_p99_s", "p99", _number, "right"),
)


_FLEET_USD = (
    "usd",
    "usd_teacher_for_all",
    "usd_per_1000_events",
    "mean_usd_per_escalated_event",
    "marginal_usd_per_escalated_event",
)


def _fleet_blocks(fleet: Figures) -> list[Table | str]:
    named = (("policy", "escalated events"), ("teacher_for_all", "every event"))
    lines = [{"what": told, **fleet[name], "billed_h": fleet[name]["billed_s"] / 3600} for name, told in named]
    table = Table(_FLEET, lines, "A teacher that scales to zero")
    if fleet["usd"] is None:
        return [table, "No dollars: they need both fleet.usd_per_hour and cost.student_usd_per_hour."]
    policy, everything, thousand, each, further = (_money(fleet[name]) for name in _FLEET_USD)
    told = f"{policy} with the student, {everything} for the teacher on everything; {thousand} for 1,000 events"
    return [table, f"{told}, {each} of the teacher for each that escalates, {further} for each further one."]


def _target_line(data: Figures) -> str:
    target = data["target"]
    if target["sample_rate"] is None:
        return f"No tested policy can be shown to leave at most {target['target']:.2%} standing and wrong."
    return (
        f"At most {target['target']:.2%} standing and wrong: sample rate {target['sample_rate']:.2%}{_at(target)},"
        f" {percent(target['escalation'])} escalate (tested from the safest down: {count(target['tested'])})."
    )


def _at(target: Figures) -> str:
    threshold = target["verifier_threshold"]
    return "" if threshold is None else f", verifier threshold {threshold:g}"


_WHERE_GIVEN: tuple[tuple[str, Callable[[Figures], Table | str]], ...] = (
    ("verifier", _verifier_line),
    ("variations", _variations_table),
    ("plan", _plan_table),
    ("bootstrap", _bootstrap_table),
    ("rollout", _rollout_table),
    ("target", _target_line),
)
"""What is shown where the figures have it, in this order."""
