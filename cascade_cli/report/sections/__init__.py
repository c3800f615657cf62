"""Figures in, sections out: words, tables and charts. Rounding happens here and in ``words`` alone."""

from cascade_cli.report.sections.page import nothing_yet, sections_of

__all__ = ["nothing_yet", "sections_of"]
