"""Recorded pairs through the metric: figures by group, explanations, comparisons, gates."""

from cascade_cli.scoring.comparison_run import run_compare
from cascade_cli.scoring.gates import Conditions
from cascade_cli.scoring.score_run import Inquiry, run_score

__all__ = ["Conditions", "Inquiry", "run_compare", "run_score"]
