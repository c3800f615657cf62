"""Policies replayed over recorded pairs: what escalates and why, what stays wrong, what it costs."""

from cascade_cli.simulate.cells import BIT, Ints, fired_masks
from cascade_cli.simulate.events import AGREES, NO_LABEL, OBSERVER, Events, events_of
from cascade_cli.simulate.figures import policy_figures
from cascade_cli.simulate.policies import read_wanted, split_names
from cascade_cli.simulate.simulate_run import Simulation, run_simulate, too_many_unreadable

__all__ = [
    "AGREES",
    "BIT",
    "NO_LABEL",
    "OBSERVER",
    "Events",
    "Ints",
    "Simulation",
    "events_of",
    "fired_masks",
    "policy_figures",
    "read_wanted",
    "run_simulate",
    "split_names",
    "too_many_unreadable",
]
