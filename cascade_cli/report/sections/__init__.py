"""Figures in, sections out: words, tables and charts. Rounding happens here and in ``words`` alone."""

from cascade_cli.report.sections.agreement import days_section, hashes_section, overview_section
from cascade_cli.report.sections.alarms import alarms_section
from cascade_cli.report.sections.differences import kinds_section
from cascade_cli.report.sections.origin import RUNS, origin_section
from cascade_cli.report.sections.page import nothing_yet, sections_of
from cascade_cli.report.sections.policy import escalation_section, fleet_section, frontier_section

__all__ = [
    "RUNS",
    "alarms_section",
    "days_section",
    "escalation_section",
    "fleet_section",
    "frontier_section",
    "hashes_section",
    "kinds_section",
    "nothing_yet",
    "origin_section",
    "overview_section",
    "sections_of",
]
