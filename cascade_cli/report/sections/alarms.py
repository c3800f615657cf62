"""Whether agreement has fallen: the monitor's alarms, by prompt hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cascade_cli.console import Column, Table
from cascade_cli.monitor import alarm_lines, notice_lines, teacher_line
from cascade_cli.report.charts import Range, range_chart
from cascade_cli.report.figures import Figures
from cascade_cli.report.parts import Block, Commands, Paragraph, Section
from cascade_cli.report.words import count, estimate, exact_percent, name_of, number, percent, sentence
from cascade_cli.scoring.tables import interval_percent
from cascade_cli.simulate import PLAN

Data = Mapping[str, Any]
_MOST = 25
_MOST_IN_TABLE = 100


def alarms_section(figures: Figures) -> Section:
    """The monitor's figures of every hash, its alarms and what it cannot see yet."""
    data = figures.monitor
    blocks: list[Block] = [Paragraph(_who_speaks(data))]
    if alarms := alarm_lines(data):
        blocks += _latest(alarms, "warning")
    else:
        blocks.append(
            Paragraph("No alarm has gone off." if data["floor"] else "No alarm can go off: there is no floor.")
        )
    blocks += _latest(notice_lines(data), "note")
    if data["teacher"] is not None:
        blocks.append(Paragraph(teacher_line(data["teacher"]), "note"))
    blocks += _chart(data)
    if data["plan"]:
        blocks.append(Table(PLAN, data["plan"], "How soon a fall below the floor would be seen under the next prompt"))
    blocks.append(
        Commands((("cascade monitor --floor 0.85", "the same from cron: exit status 3 when agreement has fallen"),))
    )
    return Section("alarms", "Alarms", tuple(blocks))


def _latest(told: Sequence[str], tone: str) -> list[Block]:
    """So many of the last sentences as a page bears, and how many came before them."""
    shown: list[Block] = [Paragraph(sentence(each), tone) for each in told[-_MOST:]]
    left_out = len(told) - len(shown)
    return [*shown, Paragraph(f"{left_out:,} like these of earlier prompts are left out.", tone)] if left_out else shown


def _who_speaks(data: Data) -> str:
    floor = data["floor"]
    told = (
        "none"
        if floor is None
        else f"{percent(floor['value'])}, "
        + (
            "as given"
            if floor["given"]
            else f"from the first {count(floor['labels'])} labels of {name_of(floor['system_prompt_hash'])}"
        )
    )
    return (
        f"{count(data['labels'])} labels speak: sampled standing events at a rate of"
        f" {exact_percent(data['policy']['sample_rate'])}, the first of each thread. Floor: {told}."
    )


def _chart(data: Data) -> list[Block]:
    hashes = data["hashes"]
    if not hashes:
        return []
    title = "Agreement of standing events that speak, by prompt hash (95 % interval)"
    ranges = [
        Range(
            name_of(each["system_prompt_hash"]),
            each["agreement"]["rate"],
            each["agreement"]["low"],
            each["agreement"]["high"],
            estimate(each["agreement"]),
            "faint" if each["insufficient"] else "plain",
        )
        for each in hashes[-_MOST:]
    ]
    floor = None if data["floor"] is None else (data["floor"]["value"], f"floor, {percent(data['floor']['value'])}")
    said = "; ".join(f"{each.label} {each.told}" for each in ranges[-5:])
    table = Table(_WATCHED, hashes[-_MOST_IN_TABLE:], title)
    drawn: list[Block] = [range_chart("watched", title, f"{said}.", ranges, table, reference=floor)]
    if len(hashes) > _MOST:
        words = f"The last {_MOST} of {len(hashes):,} prompt hashes are drawn; the table has {_MOST_IN_TABLE} at most."
        drawn.append(Paragraph(words))
    return drawn


def _alarm(alarm: object) -> str:
    if not isinstance(alarm, Mapping):
        return "—"
    return "quiet" if alarm["alarmed_at_label"] is None else f"label {count(alarm['alarmed_at_label'])}"


_WATCHED = (
    Column("system_prompt_hash", "prompt hash"),
    Column("events", "events", count, "right"),
    Column("standing", "standing", count, "right"),
    Column("labels", "labels", count, "right"),
    Column("agreement.rate", "agree", percent, "right"),
    Column("agreement", "95 %", interval_percent, "right"),
    Column("confidence_sequence", "at all looks", interval_percent, "right"),
    Column("floor_alarm.e_value", "E", number, "right"),
    Column("floor_alarm.threshold", "alarm at", number, "right"),
    Column("floor_alarm", "below floor", _alarm),
    Column("change_alarm", "fell", _alarm),
)
