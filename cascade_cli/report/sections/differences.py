"""What goes wrong: kinds of difference by section, and the worst events side by side."""

from __future__ import annotations

from collections.abc import Sequence

from cascade_cli.console import Column, Table
from cascade_cli.report.charts import Bar, Chart, Part, bar_chart
from cascade_cli.report.charts.chart import Key
from cascade_cli.report.figures import Data, Figures
from cascade_cli.report.parts import Block, Commands, Diffs, Paragraph, Section
from cascade_cli.report.words import count
from scorers.config import KINDS, SECTIONS

_MARKS = ("first", "second", "third")
_TOLD = {
    "missing": "the teacher has it, the student has not",
    "spurious": "the student has it, the teacher has not",
    "duplicate": "an equal item stands on the same side already",
    "wrong_type": "the same name, another type",
    "wrong_email": "the same thing, another address",
    "hallucinated_email": "an address that stands nowhere in the event",
    "number_mismatch": "alike but for a number, amount, unit or version",
    "date_mismatch": "alike but for a date or time",
    "negation_mismatch": "alike, but one is negated",
    "wrong_direction": "the ends are swapped",
    "wrong_predicate": "the same ends, another predicate",
    "wrong_object": "the same but for its object",
    "wrong_subject": "the same but for its subject",
    "wrong_category": "the same fact in another category",
    "name_variant": "accepted as another way to say the same",
    "invalid_json": "no extraction can be read from the answer",
}


def kinds_section(figures: Figures) -> Section:
    """Every kind of difference, and in which section how often."""
    records = _counted(figures.score["total"])
    if not records:
        return Section("kinds", "Kinds of difference", (Paragraph(_no_difference(figures.score["scored"])),))
    note = Paragraph(
        "A name_variant is accepted: the student said the same in another way. All others count against it.", "note"
    )
    return Section("kinds", "Kinds of difference", (_kinds_chart(records), note))


def _counted(total: Data) -> list[dict[str, object]]:
    """Each kind that there is, the most frequent first."""
    counts = total["kinds"]
    return [
        {
            "kind": kind,
            "count": counts[kind],
            **{section: total["kinds_by_section"][section].get(kind) for section in SECTIONS},
            "means": _TOLD[kind],
        }
        for kind in sorted(KINDS, key=lambda kind: -counts[kind])
        if counts[kind]
    ]


def _kinds_chart(records: Sequence[dict[str, object]]) -> Chart:
    title = "Differences between the two answers, by kind and section (items)"
    said = ", ".join(f"{record['kind']} {count(record['count'])}" for record in records[:5])
    keys = (*(Key(mark, section, "block") for mark, section in zip(_MARKS, SECTIONS, strict=True)), _WHOLE)
    bars, table = list(map(_bar, records)), Table(_KINDS, records, title)
    return bar_chart("kinds", title, f"Most frequent: {said}.", bars, table, keys)


_WHOLE = Key("whole", "the answer as a whole", "block")


def _no_difference(scored: int) -> str:
    if not scored:
        return "No event is scored, so nothing is known of differences."
    return f"No difference at all: every item of every scored event is the same on both sides (n = {count(scored)})."


_KINDS = (
    Column("kind", "kind"),
    *(Column(section, section, count, "right") for section in SECTIONS),
    Column("count", "all", count, "right"),
    Column("means", "meaning"),
)


def _bar(record: dict[str, object]) -> Bar:
    sizes = [record[section] for section in SECTIONS]
    parts = tuple(Part(size, mark) for size, mark in zip(sizes, _MARKS, strict=True) if isinstance(size, int) and size)
    whole = record["count"]
    if not parts and isinstance(whole, int):
        parts = (Part(whole, "whole"),)
    return Bar(str(record["kind"]), count(whole), parts)


def worst_section(figures: Figures) -> Section:
    """The events that agree least, field by field."""
    total = figures.score["total"]
    unreadable = total["missing_output"] + total["invalid_json"]
    blocks: list[Block] = []
    if figures.worst:
        blocks.append(
            Paragraph(
                f"The events that agree least among those whose answer has items ({len(figures.worst)}, the worst"
                f" first). {count(unreadable)} answers that are missing or unreadable, and {count(total['empty'])}"
                " without items, are left out here: there is nothing to lay side by side. In the texts, what only the"
                " teacher says is underlined, what only the student says is underlined with dashes."
            )
        )
        blocks.append(Diffs(figures.worst))
    else:
        blocks.append(Paragraph("No event is shown: none was asked for, or no answer with items differs."))
    blocks.append(
        Commands(((f"cascade score {figures.provenance.argument} --explain EVENT", "any other event, item by item"),))
    )
    return Section("worst", "The worst disagreements", tuple(blocks))
