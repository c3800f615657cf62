"""What decides whether an event must go to the teacher: arithmetic only."""

from cascade_cli.policy.deciding import (
    GATES,
    RANDOM_SAMPLE,
    REASONS,
    RULES_VERSION,
    Decision,
    Policy,
    decide,
    gates_of,
)
from cascade_cli.policy.gates import EVERY_CATEGORY, Case, Verifier, usable_extraction
from cascade_cli.policy.grounding import known_emails
from cascade_cli.policy.observing import Observation, observe
from cascade_cli.policy.sampling import UNITS, exact_rate, rate_at, sample_unit, units_below
from cascade_cli.policy.stages import stages_of

__all__ = [
    "EVERY_CATEGORY",
    "GATES",
    "RANDOM_SAMPLE",
    "REASONS",
    "RULES_VERSION",
    "UNITS",
    "Case",
    "Decision",
    "Observation",
    "Policy",
    "Verifier",
    "decide",
    "exact_rate",
    "gates_of",
    "known_emails",
    "observe",
    "rate_at",
    "sample_unit",
    "stages_of",
    "units_below",
    "usable_extraction",
]
