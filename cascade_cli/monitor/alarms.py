"""One prompt hash's labels -> its two alarms, with all that whoever is woken by them wants to know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cascade_cli.monitor.labels import HashLabels, Label
from cascade_cli.stats import wilson
from cascade_cli.stats.eprocess import ChangeAlarm, FloorAlarm, change_point, minimum_detectable_drop

Figures = dict[str, Any]
_MOST_LABELS = 1_000
"""So many labels show nearly every fall that could matter; with more the depth would take seconds to work out."""


def floor_alarm(each: HashLabels, floor: float, level: float) -> Figures:
    """Whether agreement was ever shown to be below a floor, from the first label of the hash on.

    Args:
        each: the labels of a hash.
        floor: in (0, 1).
        level: the chance in (0, 1) that it ever alarms falsely.

    Returns:
        The evidence now, where it alarms, :func:`_told` of the alarm, and the depth of a fall that as many labels would
        show in four cases of five.
    """
    alarm = FloorAlarm(floor, level)
    for label in each.labels:
        alarm = alarm.after(agrees=label.agrees)
    return {
        "e_value": alarm.e_value,
        "threshold": 1 / alarm.alpha,
        "level": alarm.alpha,
        "minimum_detectable_drop": minimum_detectable_drop(floor, min(len(each.labels), _MOST_LABELS), alpha=level),
        **_told(each, alarm.alarmed_at, 0, floor),
    }


def change_alarm(each: HashLabels, floor: float, passed_over: int) -> Figures:
    """Whether agreement has fallen after a good time of any length.

    Args:
        each: the labels of a hash.
        floor: in (0, 1).
        passed_over: so many of the first labels made the floor, and are no evidence.

    Returns:
        The detector's number, its average run length, and :func:`_told` of the alarm.
    """
    alarm = ChangeAlarm(floor)
    for label in each.labels[passed_over:]:
        alarm = alarm.after(agrees=label.agrees)
    alarmed_at = None if alarm.alarmed_at is None else alarm.alarmed_at + passed_over
    began = 0
    if alarmed_at is not None:
        told = [label.agrees for label in each.labels[passed_over:alarmed_at]]
        began = passed_over + change_point(told, floor, [drop for drop in alarm.drops if drop < floor])
    return {
        "statistic": alarm.statistic,
        "average_run_length": alarm.average_run_length,
        **_told(each, alarmed_at, began, floor),
    }


def _told(each: HashLabels, alarmed_at: int | None, began: int, floor: float) -> Figures:
    """The label that set the alarm off, what passed since the fall began, and how deep it is.

    Args:
        each: the labels of the hash.
        alarmed_at: after how many of them; None while it has not.
        began: after how many the fall began.
        floor: what agreement must not fall below.

    Returns:
        ``alarmed_at_label``, ``event_id`` and ``at``; ``since_change`` with the labels, events and days from the fall's
        beginning to the alarm; ``effect``, agreement from the fall's beginning until now less the floor. None where it
        has not gone off, days also where events are not dated.
    """
    if alarmed_at is None:
        return dict.fromkeys(("alarmed_at_label", "event_id", "at", "since_change", "effect"))
    label, before = each.labels[alarmed_at - 1], each.labels[began - 1] if began else None
    return {
        "alarmed_at_label": alarmed_at,
        "event_id": label.event_id,
        "at": label.at.isoformat() if label.at else None,
        "since_change": {
            "labels": alarmed_at - began,
            "events": label.place - (before.place if before else 0),
            "days": _days(before.at if before else each.first_at, label.at),
        },
        "effect": _effect(each.labels[began:], floor),
    }


def _effect(labels: Sequence[Label], floor: float) -> Figures | None:
    agree = sum(label.agrees for label in labels)
    interval = wilson(agree, len(labels))
    if interval is None:
        return None
    return {
        "value": agree / len(labels) - floor,
        "low": interval.low - floor,
        "high": interval.high - floor,
        "n": len(labels),
    }


def _days(first: datetime | None, last: datetime | None) -> float | None:
    return None if first is None or last is None else (last - first).total_seconds() / 86_400
