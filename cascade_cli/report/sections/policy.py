"""What the policy does: why events escalate, what that is worth, what the teacher's fleet costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cascade_cli.console import Column, Table
from cascade_cli.policy import GATES, REASONS
from cascade_cli.report.charts import Bar, Curve, Operation, Part, bar_chart, frontier_chart
from cascade_cli.report.charts.chart import Chart, Key
from cascade_cli.report.figures import Figures
from cascade_cli.report.parts import Block, Commands, Facts, Paragraph, Section
from cascade_cli.report.words import count, dollars, estimate, exact_percent, interval, name_of, number, percent

Data = Mapping[str, Any]
_REASONS = {
    "vip_arena": "its arena always goes to the teacher",
    "student_parse_fail": "the student gave no readable extraction",
    "student_empty": "the student found nothing",
    "grounding_violation": "the student wrote an address that stands nowhere in the event",
    "high_value_class": "a fact of a high-value category",
    "verifier": "the verifier doubts it",
    "random_sample": "the sampler takes it, so that agreement stays known",
}


def escalation_section(figures: Figures) -> Section:
    """Why events go to the teacher."""
    found = figures.simulation["escalation"]
    policy = _policy_words(figures.simulation["policy"])
    if "by_reason" not in found:
        told = (
            f"{estimate(found)} go to the teacher, weighed from a worker's log, which tells no reasons apart. {policy}"
        )
        return Section("escalation", "Why events escalate", (Paragraph(told),))
    lead = Paragraph(
        f"{percent(found['rate'])} of the events escalate ({interval(found)}, n = {count(found['n'])}). {policy}"
    )
    return Section("escalation", "Why events escalate", (lead, _reasons_chart(found["by_reason"])))


def _reasons_chart(by_reason: Data) -> Chart:
    records = [{"reason": reason, **by_reason[reason], "means": _REASONS[reason]} for reason in REASONS]
    title = "Events that go to the teacher, by reason (events)"
    bars = [
        Bar(
            record["reason"],
            f"{count(record['first'])} first, {count(record['any'])} at all",
            (Part(record["first"], "first"),),
            record["any"],
        )
        for record in records
    ]
    keys = (
        Key("first", "the first gate that fires, which is the reason", "block"),
        Key("outline", "fires at all", "block"),
    )
    said = ", ".join(f"{bar.label}: {bar.told}" for bar in bars)
    return bar_chart("reasons", title, f"{said}.", bars, Table(_BY_REASON, records, title), keys)


_BY_REASON = (
    Column("reason", "reason"),
    Column("first", "first", count, "right"),
    Column("any", "at all", count, "right"),
    Column("alone", "alone", count, "right"),
    Column("means", "an event escalates because"),
)


def _policy_words(policy: Data) -> str:
    parts = [f"sample rate {exact_percent(policy['sample_rate'])}"]
    parts.append(f"high value: {_listed(policy['high_value_categories'])}")
    parts.append(f"VIP arenas: {_listed(policy['vip_arenas'])}")
    if policy["verifier_threshold"] is not None:
        parts.append(f"verifier above {policy['verifier_threshold']:g}")
    if left_out := [reason for reason in GATES if reason not in policy["gates"]]:
        parts.append(f"without the gates {_listed(left_out)}")
    if policy["burn_in_events"]:
        parts.append(f"the first {count(policy['burn_in_events'])} of a prompt all sampled")
    return f"Policy {policy['fingerprint']}: {', '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(name_of, names[:10])) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "") or "none"  # noqa: PLR2004 - as above


def frontier_section(figures: Figures) -> Section:
    """What is right by what goes to the teacher."""
    simulation = figures.simulation
    title = "Events that come out right, by the share that goes to the teacher (95 % intervals)"
    operations = [_operation(each, in_force=place == 0) for place, each in enumerate(simulation["sweep"])]
    known = [each for each in operations if each is not None]
    if not known:
        told = Paragraph("No event has a label, so nothing can be said of what is right.")
        return Section("frontier", "Cost and agreement", (told,))
    curves = _curves(simulation.get("curves", {}))
    table = Table(_SWEEP, simulation["sweep"], title)
    said = f"Policy in force: {known[0].told}. {len(known):,} policies of a sweep; curves: {_names(curves)}."
    chart = frontier_chart("frontier", title, said, curves, known, table)
    return Section("frontier", "Cost and agreement", (chart, *_frontier_words(figures)))


def _names(curves: Sequence[Curve]) -> str:
    return ", ".join(curve.name for curve in curves) or "none, for a log does not tell them"


def _operation(figures: Data, *, in_force: bool) -> Operation | None:
    share, residual = figures["escalation"]["rate"], figures["residual_disagreement"]
    if share is None or residual["rate"] is None:
        return None
    low, high = (None if residual[end] is None else 1 - residual[end] for end in ("high", "low"))
    right = 1 - residual["rate"]
    rate = exact_percent(figures["sample_rate"])
    told = f"sample rate {rate}: {percent(share)} escalate, {percent(right)} come out right"
    return Operation(share, right, low, high, told, in_force)


_CURVES = (
    ("oracle", "oracle, the best order there is", "oracle"),
    ("gates", "the gates, then at random", "gates"),
    ("verifier", "the verifier's scores", "verifier"),
    ("random", "at random", "random"),
)


def _curves(curves: Data) -> list[Curve]:
    found = []
    for name, told, mark in _CURVES:
        if name in curves:
            found.append(Curve(told, mark, tuple((share, quality) for share, quality in curves[name])))
    return found


_SWEEP = (
    Column("sample_rate", "sample rate", exact_percent, "right"),
    Column("policy.verifier_threshold", "verifier", lambda value: "off" if value is None else f"{value:g}", "right"),
    Column("escalation", "escalate (95 %), n", estimate, "right"),
    Column("standing_agreement", "standing agree (95 %), n", estimate, "right"),
    Column("residual_disagreement", "stay wrong (95 %), n", estimate, "right"),
    Column("cost.teacher_calls", "teacher calls", count, "right"),
)


def _frontier_words(figures: Figures) -> list[Block]:
    curves = figures.simulation.get("curves", {})
    told: list[Block] = [Paragraph(_target_words(figures.simulation["target"]))]
    if curves:
        words = (
            "The oracle would send those events first on which the student is wrong, which nobody can know beforehand;"
            " at random is what as many calls buy without looking. The teacher counts as right."
        )
        told.append(Paragraph(words, "note"))
    if curves.get("normalised_gain") is not None:
        words = (
            f"Between random (0) and the oracle (1) the gates reach {curves['normalised_gain']:.3f}"
            f" over {count(curves['labelled'])} labels."
        )
        told.append(Paragraph(words, "note"))
    words = (
        "The gates' curve leaves the random sample out; the dots are whole policies with it. Their labels are those"
        " of all standing events."
    )
    return [*told, Paragraph(words, "note")]


def _target_words(target: Data) -> str:
    borne = f"at most {exact_percent(target['target'])} standing and wrong"
    if target["sample_rate"] is None:
        return f"None of the policies tried can be shown to leave {borne}."
    return (
        f"The cheapest policy shown to leave {borne} samples {exact_percent(target['sample_rate'])}:"
        f" {percent(target['escalation'])} of the events escalate."
    )


def fleet_section(figures: Figures) -> Section:
    """What the teacher's fleet does for what escalates, and for everything."""
    cost = figures.simulation.get("cost", {})
    fleet = cost.get("fleet")
    if fleet is None:
        why = "A fleet's replay needs a full record whose every event has created_at and llm_chunk_ms."
        command = f"cascade simulate {figures.provenance.argument} --fleet --cost fleet.usd_per_hour=2"
        commands = Commands(((command, "boots, waits and dollars"),))
        return Section("fleet", "The teacher's fleet", (Paragraph(why), commands))
    lines = [
        {
            "what": told,
            **fleet[name],
            "billed_h": fleet[name]["billed_s"] / 3600,
            "busy_h": fleet[name]["busy_s"] / 3600,
        }
        for name, told in (("policy", "what escalates"), ("teacher_for_all", "every event"))
    ]
    return Section("fleet", "The teacher's fleet", (_fleet_chart(lines), *_fleet_words(fleet)))


def _fleet_chart(lines: Sequence[Data]) -> Chart:
    title = "Billed time of a teacher that scales to zero (hours)"
    bars = [
        Bar(
            line["what"],
            f"{line['billed_h']:,.1f} h billed, {percent(line['utilisation'])} busy",
            (Part(line["busy_h"], "first"), Part(line["billed_h"] - line["busy_h"], "idle")),
        )
        for line in lines
    ]
    keys = (Key("first", "on calls", "block"), Key("idle", "booting and idle", "block"))
    said = "; ".join(f"{bar.label}: {bar.told}" for bar in bars)
    return bar_chart("fleet", title, f"{said}.", bars, Table(_FLEET, lines, title), keys)


_FLEET = (
    Column("what", "served"),
    Column("events", "events", count, "right"),
    Column("boots", "boots", count, "right"),
    Column("calls", "calls", count, "right"),
    Column("billed_h", "billed h", number, "right"),
    Column("utilisation", "busy", percent, "right"),
    Column("wait_p50_s", "wait p50, s", number, "right"),
    Column("wait_p95_s", "p95, s", number, "right"),
    Column("wait_p99_s", "p99, s", number, "right"),
)


def _fleet_words(fleet: Data) -> list[Block]:
    settings = fleet["settings"]
    how = (
        f"Replayed from the events' own moments over {fleet['span_s'] / 86_400:,.1f} days: a boot takes"
        f" {settings['boot_s']:,.0f} s, an idle replica stops after {settings['cooldown_s']:,.0f} s,"
        f" {settings['events_per_call']} events a call, at most {settings['max_replicas']} replicas."
    )
    if fleet["usd"] is None:
        priced = "cascade report --cost fleet.usd_per_hour=2 --cost cost.student_usd_per_hour=0.4"
        return [Paragraph(how, "note"), Commands(((priced, "the same in dollars, at prices of yours"),))]
    facts = Facts(
        (
            (dollars(fleet["usd"]), "with the student", f"over {fleet['span_s'] / 86_400:,.1f} days"),
            (dollars(fleet["usd_teacher_for_all"]), "the teacher on everything", "over the same days"),
            (dollars(fleet["usd_per_1000_events"]), "for 1,000 events", "student and teacher"),
            (dollars(fleet["marginal_usd_per_escalated_event"]), "for each further event that escalates", "teacher"),
        )
    )
    return [facts, Paragraph(how, "note")]
