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


@dataclass(frozen=True, slots=True)
class Floor:
    """What agreement must not fall below.

    Attributes:
        value: in (0, 1).
        source: ``given``, or the prompt hash whose labels gave it.
        alpha: what is left of the level for the alarms.
    """

    value: float
    source: str
    alpha: float


def choose_floor(
    found: Sequence[HashLabels], given: float | None, baseline: str | None, alpha: float = ALPHA
) -> Floor | None:
    """The floor that was given; else the lower bound of the baseline's labels; else that of the first hash with enough.

    Args:
        found: in the order of their first event.
        given: in (0, 1); None where none was.
        baseline: the prompt hash of a good time; None where none was named.
        alpha: of all alarms together.

    Returns:
        None where no hash has enough labels for a floor.
    """
    if given is not None:
        return Floor(given, "given", alpha)
    for each in found:
        if baseline not in (None, each.prompt_hash) or len(each.labels) < INSUFFICIENT:
            continue
        if (value := baseline_floor(each.agree, len(each.labels), alpha)) is not None:
            return Floor(value, each.prompt_hash or "", alpha / 2)
    return None


def watch(found: Sequence[HashLabels], floor: Floor | None) -> list[Figures]:
    """Figures and alarms of every hash, in the same order.

    The baseline itself is watched for a change only: its own labels cannot be evidence against a floor made of them.
    """
    watched = [each for each in found if floor is not None and each.prompt_hash != floor.source]
    figures = [_figures(each, floor, watched.index(each) + 1 if each in watched else None) for each in found]
    evidence = [each["floor_alarm"]["e_value"] for each in figures if each["floor_alarm"]]
    rejected = iter(e_bh(evidence, floor.alpha if floor else ALPHA))
    for each in figures:
        if each["floor_alarm"]:
            each["floor_alarm"]["e_bh"] = next(rejected)
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
        "change_alarm": None if floor is None else _change_alarm(each, floor),
    }


def _floor_alarm(each: HashLabels, floor: Floor, place: int) -> Figures:
    alarm = FloorAlarm(floor.value, level_of(place, floor.alpha))
    for label in each.labels:
        alarm = alarm.after(agrees=label.agrees)
    return {
        "e_value": alarm.e_value,
        "threshold": 1 / alarm.alpha,
        "level": alarm.alpha,
        **_when(alarm.alarmed_at, each),
    }


def _change_alarm(each: HashLabels, floor: Floor) -> Figures:
    alarm = ChangeAlarm(floor.value)
    for label in each.labels:
        alarm = alarm.after(agrees=label.agrees)
    return {
        "statistic": alarm.statistic,
        "average_run_length": alarm.average_run_length,
        **_when(alarm.alarmed_at, each),
    }


def _when(alarmed_at: int | None, each: HashLabels) -> Figures:
    """The label that set it off, and how far into the hash that was."""
    label: Label | None = each.labels[alarmed_at - 1] if alarmed_at else None
    days = None
    if label is not None and label.at is not None and each.first_at is not None:
        days = (label.at - each.first_at).total_seconds() / 86_400
    return {
        "alarmed_at_label": alarmed_at,
        "event_id": label.event_id if label else None,
        "at": label.at.isoformat() if label and label.at else None,
        "days_since_first_event": days,
    }


def plan(floor: Floor, labels_per_day: float | None) -> list[Figures]:
    """For falls of a few depths below the floor: labels and days until the alarm of the next hash goes off.

    Args:
        floor: what the alarms defend.
        labels_per_day: of the latest hash; None where unknown.

    Returns:
        One line a depth; the median is None where it lies beyond a thousand labels.
    """
    lines = []
    for drop in _PLANNED_DROPS:
        if drop >= floor.value:
            continue
        found = detection(floor.value - drop, floor.value, _PLANNED_LABELS, alpha=floor.alpha)
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
