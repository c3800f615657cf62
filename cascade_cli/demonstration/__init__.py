"""The demo: the shipped examples through everything there is, with stand-ins for what a team brings itself."""

from cascade_cli.demonstration.run import run_demo
from cascade_cli.demonstration.shipped import fixture
from cascade_cli.demonstration.stage import stand_in

__all__ = ["fixture", "run_demo", "stand_in"]
