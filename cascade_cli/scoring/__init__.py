"""Recorded pairs through the metric: figures by group, explanations, comparisons, gates."""

from cascade_cli.scoring.columns import resolve_cluster
from cascade_cli.scoring.comparison_run import run_compare
from cascade_cli.scoring.configuring import scoring_config
from cascade_cli.scoring.flip_gate import FlipGateWanted
from cascade_cli.scoring.frames import Observer, Request, Scored, warnings_of
from cascade_cli.scoring.gates import Conditions
from cascade_cli.scoring.judging import answered, pair_agrees, read_pair, shown_event
from cascade_cli.scoring.pairs import PairSource, score_pairs
from cascade_cli.scoring.score_run import Inquiry, run_score

__all__ = [
    "Conditions",
    "FlipGateWanted",
    "Inquiry",
    "Observer",
    "PairSource",
    "Request",
    "Scored",
    "answered",
    "pair_agrees",
    "read_pair",
    "resolve_cluster",
    "run_compare",
    "run_score",
    "score_pairs",
    "scoring_config",
    "shown_event",
    "warnings_of",
]
