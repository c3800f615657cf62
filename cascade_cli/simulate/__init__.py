"""Policies replayed over recorded pairs: what escalates and why, what stays wrong, what it costs."""

from cascade_cli.simulate.policies import read_wanted, split_names
from cascade_cli.simulate.simulate_run import Simulation, run_simulate

__all__ = ["Simulation", "read_wanted", "run_simulate", "split_names"]
