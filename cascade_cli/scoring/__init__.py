"""Recorded pairs through the metric: figures by group, explanations, comparisons, gates."""

from cascade_cli.scoring.columns import resolve_cluster
from cascade_cli.scoring.comparison_run import compare_scored, run_compare
from cascade_cli.scoring.configuring import scoring_config
from cascade_cli.scoring.explaining import Explanation, explain
from cascade_cli.scoring.flip_gate import FlipGateWanted
from cascade_cli.scoring.frames import Observer, Request, Scored, warnings_of
from cascade_cli.scoring.gates import Conditions
from cascade_cli.scoring.judging import answered, pair_agrees, read_pair, shown_event
from cascade_cli.scoring.pairs import PairSource, look_at_pairs, score_pairs
from cascade_cli.scoring.score_run import Inquiry, run_score
from cascade_cli.scoring.summary import agreement_by, summarize

__all__ = [
    "Conditions",
    "Explanation",
    "FlipGateWanted",
    "Inquiry",
    "Observer",
    "PairSource",
    "Request",
    "Scored",
    "agreement_by",
    "answered",
    "compare_scored",
    "explain",
    "look_at_pairs",
    "pair_agrees",
    "read_pair",
    "resolve_cluster",
    "run_compare",
    "run_score",
    "score_pairs",
    "scoring_config",
    "shown_event",
    "summarize",
    "warnings_of",
]
