"""Figures of a workspace or a file as one page: HTML that needs nothing else, or Markdown."""

from cascade_cli.report.disagreements import LONG, disagreement_of
from cascade_cli.report.figures import (
    Data,
    Figures,
    Report,
    figures_of,
    find_worst,
    rates_to_draw,
    request_of,
    simulation_of,
    twice_of,
)
from cascade_cli.report.parts import Block, Diffs, Paragraph, Section
from cascade_cli.report.rendering import environment
from cascade_cli.report.report_run import run_report, verdict_of
from cascade_cli.report.verdict import Verdict

__all__ = [
    "LONG",
    "Block",
    "Data",
    "Diffs",
    "Figures",
    "Paragraph",
    "Report",
    "Section",
    "Verdict",
    "disagreement_of",
    "environment",
    "figures_of",
    "find_worst",
    "rates_to_draw",
    "request_of",
    "run_report",
    "simulation_of",
    "twice_of",
    "verdict_of",
]
