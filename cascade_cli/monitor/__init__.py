"""Whether the student still agrees with the teacher, by prompt hash, label by label."""

from cascade_cli.monitor.monitor_run import Watch, run_monitor
from cascade_cli.monitor.rollout import read_rollout

__all__ = ["Watch", "read_rollout", "run_monitor"]
