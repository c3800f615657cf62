"""How well a metric separates harmless from harmful changes of an extraction."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[1]))

from validation.edits import Extraction
from validation.perturbations import Case
from validation.traps import Score

from scorers import score_extraction

VERDICT_AT = 0.8
"""A peer gives no verdict; from this score on it is taken to agree, as ours does if nothing is critical."""


def our_agreement(gold: Extraction, predicted: Extraction) -> float:
    """The score that is compared with the peers'."""
    return score_extraction(gold, predicted).agreement


def our_verdict(gold: Extraction, predicted: Extraction) -> float:
    """1 where the two agree, else 0; every address outside gold is taken to stand nowhere in the event."""
    return float(score_extraction(gold, predicted, known_emails=frozenset()).agrees)


def score_cases(cases: Iterable[Case], score: Score) -> list[float]:
    """What a metric says of each case."""
    return [score(case.gold, case.changed) for case in cases]


def auc(cases: Sequence[Case], scores: Sequence[float]) -> float:
    """Chance that a harmless change scores above a harmful one, ties half, in [0, 1]; both kinds must occur."""
    return float(roc_auc_score([not case.perturbation.harmful for case in cases], scores))


def fair(cases: Iterable[Case]) -> list[Case]:
    """The cases that a metric can judge without having been told about relations."""
    return [case for case in cases if not case.perturbation.needs_schema]


def means(cases: Sequence[Case], scores: Sequence[float]) -> Mapping[str, float]:
    """Perturbation -> mean score."""
    found: dict[str, list[float]] = {}
    for case, score in zip(cases, scores, strict=True):
        found.setdefault(case.perturbation.name, []).append(score)
    return {name: statistics.fmean(each) for name, each in found.items()}
