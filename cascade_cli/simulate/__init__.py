"""Policies replayed over recorded pairs: what escalates and why, what stays wrong, what it costs."""

from cascade_cli.simulate.cells import BIT, Floats, Ints, fired_masks, first_reasons, rates_in_force
from cascade_cli.simulate.events import AGREES, NO_LABEL, OBSERVER, Events, events_of
from cascade_cli.simulate.figures import estimate_figures, policy_figures, rate_figures
from cascade_cli.simulate.logs import replay_log
from cascade_cli.simulate.planning import detection_plan
from cascade_cli.simulate.sampled import is_a_log
from cascade_cli.simulate.simulate_run import (
    Simulation,
    blind_grounding,
    run_simulate,
    simulate_scored,
    too_many_unreadable,
)
from cascade_cli.simulate.tables import PLAN
from cascade_cli.simulate.variations import read_ways

__all__ = [
    "AGREES",
    "BIT",
    "NO_LABEL",
    "OBSERVER",
    "PLAN",
    "Events",
    "Floats",
    "Ints",
    "Simulation",
    "Wanted",
    "blind_grounding",
    "detection_plan",
    "estimate_figures",
    "events_of",
    "fired_masks",
    "first_reasons",
    "is_a_log",
    "policy_figures",
    "rate_figures",
    "rates_in_force",
    "read_ways",
    "replay_log",
    "run_simulate",
    "simulate_scored",
    "too_many_unreadable",
]
