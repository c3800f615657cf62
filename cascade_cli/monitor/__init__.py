"""Whether the student still agrees with the teacher, by prompt hash, label by label."""

from cascade_cli.monitor.ceiling import Twice
from cascade_cli.monitor.monitor_run import Watch, run_monitor, watch_scored
from cascade_cli.monitor.rollout import read_rollout
from cascade_cli.monitor.tables import alarm_lines, notice_lines, teacher_line

__all__ = [
    "Twice",
    "Watch",
    "alarm_lines",
    "notice_lines",
    "read_rollout",
    "run_monitor",
    "teacher_line",
    "watch_scored",
]
