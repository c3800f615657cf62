"""The figures of the monitor as tables for people; rounding happens here only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade_cli.console import Column, Table, moment, prompt_hash
from cascade_cli.scoring.tables import count, interval_percent, percent
from cascade_cli.simulate import PLAN

Figures = Mapping[str, Any]


def _alarm(figures: object) -> str:
    if not isinstance(figures, Mapping):
        return "—"
    at = figures["alarmed_at_label"]
    return "quiet" if at is None else f"label {at:,}"


def _number(value: object) -> str:
    return f"{value:,.3g}" if isinstance(value, float) else "—"


_HASHES = (
    Column("system_prompt_hash", "prompt hash", prompt_hash),
    Column("events", "events", count, "right"),
    Column("labels", "labels", count, "right"),
    Column("agreement.rate", "agree", percent, "right"),
    Column("agreement", "95 %", interval_percent, "right"),
    Column("confidence_sequence", "at all looks", interval_percent, "right"),
)
_ALARMS = (
    Column("system_prompt_hash", "prompt hash", prompt_hash),
    Column("floor_alarm.e_value", "E", _number, "right"),
    Column("floor_alarm.threshold", "alarm at", _number, "right"),
    Column("floor_alarm.minimum_detectable_drop", "shows a fall of", percent, "right"),
    Column("floor_alarm", "below floor", _alarm),
    Column("change_alarm", "fell", _alarm),
)


def monitor_blocks(data: Figures) -> tuple[Table | str, ...]:
    """The tables of ``cascade monitor``: every hash, and how soon a fall would be seen."""
    floor = data["floor"]
    told = "no floor" if floor is None else f"floor {floor['value']:.1%} ({_source(floor)})"
    heading = (
        f"{count(data['events'])} events · {count(data['labels'])} labels that speak · agree"
        f" {percent(data['agreement']['rate'])} ({interval_percent(data['agreement'])}) · {told}"
    )
    blocks: list[Table | str] = [
        f"{heading}\nscorer {data['scorer']} · policy {data['policy']['fingerprint']}",
        Table(_HASHES, data["hashes"], "Agreement of sampled standing events, in the order of the hashes"),
    ]
    if floor is not None:
        blocks.append(Table(_ALARMS, data["hashes"], "Alarms, with the evidence E against the floor"))
        blocks += alarm_lines(data)
    blocks += notice_lines(data)
    if data["teacher"] is not None:
        blocks.append(teacher_line(data["teacher"]))
    if data["rollout"] is not None:
        blocks.append(_rollout_line(data["rollout"]))
    if data["plan"]:
        blocks.append(Table(PLAN, data["plan"], "How soon a fall below the floor would be seen"))
    return tuple(blocks)


_NOTICES = {
    "new_hash": "{} is new: {} labels are too few to decide by.",
    "untrained_hash": "{} is a prompt that the student was not trained on.",
}


def _hash(figures: Figures) -> str:
    return prompt_hash(figures["system_prompt_hash"]) if figures["system_prompt_hash"] else "The prompt without a hash"


def notice_lines(data: Figures) -> list[str]:
    """What is worth knowing before there is anything to alarm about."""
    return [_told(notice) for notice in data["notices"]]


def _told(notice: Figures) -> str:
    events = f"{count(notice['events'])} {'event' if notice['events'] == 1 else 'events'}"
    if notice["kind"] == "owed_labels":
        held = f"{count(notice['held'])} {'label is' if notice['held'] == 1 else 'labels are'} held back"
        asked = f"when the database was asked ({moment(notice['as_of'])})"
        if not notice["events"]:
            return f"{held}: decided later than {asked}. cascade pull asks again."
        return f"{events} of the sample waited for the teacher {asked}, since {moment(notice['since'])}: {held}."
    if notice["kind"] == "unheard_labels":
        return f"{events} that a worker sampled do not speak: it sampled at a higher rate; give that as --sample-rate."
    if notice["kind"] == "lost_events":
        return f"{events} about which the student was asked a day ago or earlier came to nothing: no label will come."
    return _NOTICES[notice["kind"]].format(_hash(notice), count(notice["labels"]))


def alarm_lines(data: Figures) -> list[str]:
    """What whoever is woken wants to know of each alarm: where, since when, how deep."""
    lines = []
    for figures in data["hashes"]:
        for name, told in (("floor_alarm", "is below the floor"), ("change_alarm", "has fallen")):
            alarm = figures[name]
            if alarm is not None and alarm["alarmed_at_label"] is not None:
                lines.append(f"{_hash(figures)} {told}: {_when(alarm)}; {_depth(alarm)}.")
    return lines


def _when(alarm: Figures) -> str:
    since = alarm["since_change"]
    days = "" if since["days"] is None else f", {since['days']:,.1f} days"
    return f"seen {count(since['labels'])} labels, {count(since['events'])} events{days} after it began"


def _depth(alarm: Figures) -> str:
    effect = alarm["effect"]
    value, low, high = (f"{100 * effect[name]:+.1f}".replace("-", "−") for name in ("value", "low", "high"))
    return f"since then {value} points from the floor ({low} to {high}, n = {count(effect['n'])})"


def teacher_line(teacher: Figures) -> str:
    """How far the teacher agrees with itself, the student with it, and whether the former has fallen."""
    own, student = teacher["self_agreement"], teacher["agreement"]
    line = (
        f"The teacher agrees with itself on {percent(own['rate'])} ({interval_percent(own)}, n = {count(own['n'])});"
        f" the student with it on {percent(student['rate'])}"
    )
    if teacher["ratio"] is not None:
        line += f", {teacher['ratio']:.2f} of that"
    alarm = teacher["change_alarm"]
    fallen = alarm is not None and alarm["alarmed_at_label"] is not None
    return line + (f"; it has fallen, seen at its event {alarm['alarmed_at_label']:,}." if fallen else ".")


def _rollout_line(rollout: Figures) -> str:
    where = f"Rollout, stage {rollout['stage']} of {rollout['stages']}"
    if rollout["next"] is None:
        return f"{where}: {rollout['why']}."
    residual = rollout["residual_disagreement"]
    told = f"{percent(residual['high'])} at most, {percent(rollout['target'])} is borne, n = {count(residual['n'])}"
    if not rollout["justified"]:
        return f"{where}: the next is not justified yet, for {rollout['why']} (left standing and wrong in it: {told})."
    return f"{where}: the next is justified (left standing and wrong in it: {told})."


def _source(floor: Figures) -> str:
    if floor["given"]:
        return "given"
    return f"from the first {count(floor['labels'])} labels of {floor['system_prompt_hash'] or 'events without a hash'}"
