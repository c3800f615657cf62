"""Arithmetic only: how sure a figure is, and whether two figures differ."""

from cascade_cli.stats.bootstrap import (
    Difference,
    bootstrap_f1,
    paired_f1_difference,
    paired_rate_difference,
    resampled_sums,
)
from cascade_cli.stats.intervals import Interval, agreement_interval, design_effect, wilson
from cascade_cli.stats.paired import mcnemar

__all__ = [
    "Difference",
    "Interval",
    "agreement_interval",
    "bootstrap_f1",
    "design_effect",
    "mcnemar",
    "paired_f1_difference",
    "paired_rate_difference",
    "resampled_sums",
    "wilson",
]
