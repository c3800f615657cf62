"""The structured diff: how far a predicted extraction agrees with the reference. Pure, and usable on its own."""

from scorers.config import KINDS, PRESETS, ScoringConfig
from scorers.differences import Difference
from scorers.items import MalformedExtraction
from scorers.many import score_many
from scorers.score import ExtractionScore, SectionScore, fact_similarity, score_extraction
from scorers.strings.names import name_similarity

__all__ = [
    "KINDS",
    "PRESETS",
    "Difference",
    "ExtractionScore",
    "MalformedExtraction",
    "ScoringConfig",
    "SectionScore",
    "fact_similarity",
    "name_similarity",
    "score_extraction",
    "score_many",
]
