"""``cascade shadow``: the student asked about what teachers answered, with no effect on the graph."""

from cascade_cli.shadow_run.asked import Shadow
from cascade_cli.shadow_run.run import run_shadow

__all__ = ["Shadow", "run_shadow"]
