"""Whether the student still agrees with the teacher, by prompt hash, label by label."""

from cascade_cli.monitor.monitor_run import Watch, run_monitor

__all__ = ["Watch", "run_monitor"]
