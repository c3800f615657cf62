"""Figures of a workspace or a file as one page: HTML that needs nothing else, or Markdown."""

from cascade_cli.report.figures import Figures, Report, figures_of, find_worst, rates_to_draw, request_of, twice_of
from cascade_cli.report.report_run import run_report

__all__ = [
    "Figures",
    "Report",
    "figures_of",
    "find_worst",
    "rates_to_draw",
    "request_of",
    "run_report",
    "twice_of",
]
