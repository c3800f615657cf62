"""Labels -> evidence that agreement has fallen, for each prompt hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cascade_cli.monitor.labels import HashLabels, Label
from cascade_cli.stats import wilson
from cascade_cli.stats.eprocess import (
    ALPHA,
    ChangeAlarm,
    FloorAlarm,
    baseline_floor,
    confidence_sequence,
    detection,
    e_bh,
    level_of,
)
from cascade_cli.stats.estimates import INSUFFICIENT

Figures = dict[str, Any]
_PLANNED_DROPS = (0.03, 0.06, 0.12)
_PLANNED_LABELS = 1_000


BASELINE_LABELS = 200
"""Labels that make a floor: the first so many of a hash, so that it never moves once they are there."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What agreement must not fall below.

    Attributes:
        value: in (0, 1).
        alpha: what is left of the level for the alarms.
        baseline: the place of the hash whose first labels gave it; None where it was given.
        labels: how many gave it; 0 where it was given.
    """

    value: float
    alpha: float
    baseline: int | None = None
    labels: int = 0


def choose_floor(
    found: Sequence[HashLabels],
    given: float | None,
    baseline: str | None,
    alpha: float = ALPHA,
    wanted: int = BASELINE_LABELS,
) -> Floor | None:
    """The floor that was given; else the lower bound of the first labels of a baseline, which no later label moves.

    Args:
        found: in the order of their first event.
        given: in (0, 1); None where none was.
        baseline: the prompt hash of a good time; None takes the first hash with enough labels.
        alpha: of all alarms together; half of it is spent on an estimated floor.
        wanted: how many labels make a floor.

    Returns:
        None where the baseline, or every hash, has fewer, or none of them agrees.
    """
    if given is not None:
        return Floor(given, alpha)
    for place, each in enumerate(found):
        if baseline not in (None, each.prompt_hash) or len(each.labels) < wanted:
            continue
        agree = sum(label.agrees for label in each.labels[:wanted])
        if (value := baseline_floor(agree, wanted, alpha)) is not None:
            return Floor(value, alpha / 2, place, wanted)
    return None


def watch(found: Sequence[HashLabels], floor: Floor | None) -> list[Figures]:
    """Figures and alarms of every hash, in the same order.

    The labels that made the floor are no evidence against it: their hash is watched for a change only, from the next
    label on.
    """
    figures, watched = [], 0
    for place, each in enumerate(found):
        is_baseline = floor is not None and place == floor.baseline
        watched += not is_baseline
        figures.append(_figures(each, floor, None if is_baseline else watched))
    evidence = [each["floor_alarm"]["e_value"] for each in figures if each["floor_alarm"]]
    rejected = iter(e_bh(evidence, floor.alpha if floor else ALPHA))
    for shown in figures:
        if shown["floor_alarm"]:
            shown["floor_alarm"]["e_bh"] = next(rejected)
    return figures


def _figures(each: HashLabels, floor: Floor | None, place: int | None) -> Figures:
    labels, agree = len(each.labels), each.agree
    interval, sequence = wilson(agree, labels), confidence_sequence(agree, labels - agree)
    return {
        "system_prompt_hash": each.prompt_hash,
        "events": each.events,
        "standing": each.standing,
        "sampled": each.sampled,
        "labels": labels,
        "missing": each.missing,
        "repeated": each.repeated,
        "insufficient": labels < INSUFFICIENT,
        "agreement": {
            "rate": agree / labels if labels else None,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
            "n": labels,
        },
        "confidence_sequence": None if sequence is None else asdict(sequence),
        "days": each.days,
        "labels_per_day": labels / each.days if each.days else None,
        "floor_alarm": None if floor is None or place is None else _floor_alarm(each, floor, place),
        "change_alarm": None if floor is None else _change_alarm(each, floor, floor.labels if place is None else 0),
    }


def _floor_alarm(each: HashLabels, floor: Floor, place: int) -> Figures:
    alarm = FloorAlarm(floor.value, level_of(place, floor.alpha))
    for label in each.labels:
        alarm = alarm.after(agrees=label.agrees)
    return {
        "e_value": alarm.e_value,
        "threshold": 1 / alarm.alpha,
        "level": alarm.alpha,
        **_when(alarm.alarmed_at, each, floor),
    }


def _change_alarm(each: HashLabels, floor: Floor, passed_over: int) -> Figures:
    alarm = ChangeAlarm(floor.value)
    for label in each.labels[passed_over:]:
        alarm = alarm.after(agrees=label.agrees)
    alarmed_at = None if alarm.alarmed_at is None else alarm.alarmed_at + passed_over
    return {
        "statistic": alarm.statistic,
        "average_run_length": alarm.average_run_length,
        **_when(alarmed_at, each, floor),
    }


def _when(alarmed_at: int | None, each: HashLabels, floor: Floor) -> Figures:
    """The label that set it off, how far into the hash that was, and by how much agreement lies below the floor now."""
    label: Label | None = each.labels[alarmed_at - 1] if alarmed_at else None
    days = None
    if label is not None and label.at is not None and each.first_at is not None:
        days = (label.at - each.first_at).total_seconds() / 86_400
    labels, interval = len(each.labels), wilson(each.agree, len(each.labels))
    effect = None
    if label is not None and interval is not None:
        below = each.agree / labels - floor.value
        effect = {"value": below, "low": interval.low - floor.value, "high": interval.high - floor.value}
    return {
        "alarmed_at_label": alarmed_at,
        "effect": effect,
        "event_id": label.event_id if label else None,
        "at": label.at.isoformat() if label and label.at else None,
        "days_since_first_event": days,
    }


def plan(floor: Floor, hashes: int, labels_per_day: float | None) -> list[Figures]:
    """For falls of a few depths below the floor: labels and days until the alarm of the next hash goes off.

    Args:
        floor: what the alarms defend.
        hashes: how many are watched already; the next one's alarm has what is left of the level for it.
        labels_per_day: of the latest hash; None where unknown.

    Returns:
        One line a depth; the median is None where it lies beyond a thousand labels.
    """
    lines = []
    for drop in _PLANNED_DROPS:
        if drop >= floor.value:
            continue
        level = level_of(hashes + 1, floor.alpha)
        found = detection(floor.value - drop, floor.value, _PLANNED_LABELS, alpha=level)
        days = found.median / labels_per_day if found.median and labels_per_day else None
        lines.append(
            {
                "drop": drop,
                "median_labels": found.median,
                "p90_labels": found.p90,
                "median_days": days,
                "within": _PLANNED_LABELS,
                "probability": found.probability,
            }
        )
    return lines
