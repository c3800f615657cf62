"""The sections of a report in their order."""

from __future__ import annotations

from types import MappingProxyType

from cascade_cli.report.figures import Data, Figures
from cascade_cli.report.parts import Commands, Paragraph, Section
from cascade_cli.report.sections.agreement import days_section, hashes_section, overview_section
from cascade_cli.report.sections.alarms import alarms_section
from cascade_cli.report.sections.differences import kinds_section, worst_section
from cascade_cli.report.sections.origin import origin_section
from cascade_cli.report.sections.policy import escalation_section, fleet_section, frontier_section
from cascade_cli.report.words import count

_NOTHING: Data = MappingProxyType({})


def sections_of(figures: Figures) -> tuple[Section, ...]:
    """All sections of a report with at least one pair; the verdict stands above them."""
    return (
        overview_section(figures),
        hashes_section(figures),
        days_section(figures),
        kinds_section(figures),
        worst_section(figures),
        escalation_section(figures),
        frontier_section(figures),
        fleet_section(figures),
        alarms_section(figures),
        origin_section(figures),
    )


def nothing_yet(source: str, score: Data = _NOTHING, *, narrowed: bool = False) -> tuple[Section, ...]:
    """What to run where there is no recorded pair yet.

    Args:
        source: where none was found.
        score: of ``cascade score``, for what was passed over; empty where nothing was read.
        narrowed: whether flags let only some pairs through.
    """
    told = [
        Paragraph(f"There is no recorded pair in {source}: no event that both the teacher and the student answered.")
    ]
    for name, words in (("not_asked", "without a student's answer"), ("bad_rows", "that cannot be read")):
        if score.get(name):
            told.append(Paragraph(f"Passed over: {count(score[name])} rows {words}.", "warning"))
    if narrowed:
        told.append(Paragraph("Only what --since and --student-model let through was looked at.", "note"))
    commands = Commands(
        (
            ("cascade demo", "see the whole of it on shipped examples, offline"),
            ("cascade report PAIRS.jsonl", "a report on recorded pairs of your own"),
            ("cascade init && cascade doctor", "connect your own PostgreSQL and student"),
            ("cascade pull --since 7d", "bring the teacher's traces into the workspace"),
            ("cascade shadow --since 7d", "ask the student about each of them"),
            ("cascade report", "then this page, with figures"),
        )
    )
    return (Section("nothing-yet", "Nothing to report yet", (*told, commands)),)
