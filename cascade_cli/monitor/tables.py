"""The figures of the monitor as tables for people; rounding happens here only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade_cli.console import Column, Table
from cascade_cli.scoring.tables import count, interval_percent, percent

Figures = Mapping[str, Any]


def _alarm(figures: object) -> str:
    if not isinstance(figures, Mapping):
        return "—"
    at = figures["alarmed_at_label"]
    return "quiet" if at is None else f"label {at:,}"


def _number(value: object) -> str:
    return f"{value:,.3g}" if isinstance(value, float) else "—"


_HASHES = (
    Column("system_prompt_hash", "prompt hash"),
    Column("events", "events", count, "right"),
    Column("labels", "labels", count, "right"),
    Column("agreement.rate", "agree", percent, "right"),
    Column("agreement", "95 %", interval_percent, "right"),
    Column("confidence_sequence", "at all looks", interval_percent, "right"),
)
_ALARMS = (
    Column("system_prompt_hash", "prompt hash"),
    Column("floor_alarm.e_value", "E", _number, "right"),
    Column("floor_alarm.threshold", "alarm at", _number, "right"),
    Column("floor_alarm", "below floor", _alarm),
    Column("change_alarm", "fell", _alarm),
)
_PLAN = (
    Column("drop", "fall", percent, "right"),
    Column("median_labels", "labels, median", count, "right"),
    Column("p90_labels", "p90", count, "right"),
    Column("median_days", "days, median", _number, "right"),
)


def monitor_blocks(data: Figures) -> tuple[Table | str, ...]:
    """The tables of ``cascade monitor``: every hash, and how soon a fall would be seen."""
    floor = data["floor"]
    told = "no floor" if floor is None else f"floor {floor['value']:.1%} ({_source(floor)})"
    heading = f"{count(data['events'])} events · {count(data['labels'])} labels that speak · {told}"
    blocks: list[Table | str] = [
        f"{heading}\nscorer {data['scorer']} · policy {data['policy']['fingerprint']}",
        Table(_HASHES, data["hashes"], "Agreement of sampled standing events, in the order of the hashes"),
    ]
    if floor is not None:
        blocks.append(Table(_ALARMS, data["hashes"], "Alarms, with the evidence E against the floor"))
    if data["plan"]:
        blocks.append(Table(_PLAN, data["plan"], "How soon a fall below the floor would be seen"))
    return tuple(blocks)


def _source(floor: Figures) -> str:
    if floor["given"]:
        return "given"
    return f"from the first {count(floor['labels'])} labels of {floor['system_prompt_hash'] or 'events without a hash'}"
