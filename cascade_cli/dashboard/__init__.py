"""The pages of the report, live: served to this machine alone, read from snapshots."""

from cascade_cli.dashboard.dashboard_run import Dashboard, run_dashboard

__all__ = ["Dashboard", "run_dashboard"]
