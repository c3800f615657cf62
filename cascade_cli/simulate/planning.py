"""How soon a fall of agreement would be noticed: labels, and days at the volume at hand."""

from __future__ import annotations

from cascade_cli.simulate.figures import Figures
from cascade_cli.stats.eprocess import detection

DROPS = (0.03, 0.06, 0.12)
MOST_LABELS = 1_000


def detection_plan(floor: float, level: float, labels_per_day: float | None) -> list[Figures]:
    """For falls of a few depths below a floor: labels and days until its alarm goes off.

    Args:
        floor: what the alarm defends, in (0, 1).
        level: the chance in (0, 1) that it ever alarms falsely.
        labels_per_day: sampled standing events, one a cluster; None where unknown.

    Returns:
        One line a depth; median and p90 are None where they lie beyond a thousand labels.
    """
    lines = []
    for drop in DROPS:
        if drop >= floor:
            continue
        found = detection(floor - drop, floor, MOST_LABELS, alpha=level)
        days = found.median / labels_per_day if found.median and labels_per_day else None
        lines.append(
            {
                "drop": drop,
                "median_labels": found.median,
                "p90_labels": found.p90,
                "median_days": days,
                "within": MOST_LABELS,
                "probability": found.probability,
            }
        )
    return lines
