"""Sections in, Markdown out, for a pull request: hostile text stays text, and calls nobody by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from cascade_cli.console import Table, markdown_table, markdown_text, sanitize, sanitize_lines
from cascade_cli.report.charts import Chart
from cascade_cli.report.cutting import Cut
from cascade_cli.report.disagreements import Disagreement, ItemPair
from cascade_cli.report.parts import Block, Commands, Diffs, Facts, Folded, Paragraph, Section
from cascade_cli.report.verdict import Verdict
from cascade_cli.report.words import brief, ratio

_MARKS = {"equal": "=", "accepted": "≈", "unmatched": "✗"}
MOST = 65_000
"""Characters of a page; GitHub refuses a comment of more than 65,536."""
_FEW = 10
"""So many lines of figures stand open where a chart would be."""
_PASSED = {True: "✓ holds", False: "✗ does not hold", None: "? not known"}


def render_markdown(title: str, sections: Sequence[Section], verdict: Verdict | None, *, made: str) -> str:
    """The same page in GitHub's Markdown; charts are their tables, and events are shown as a comment has room for them.

    Args:
        title: of the page.
        sections: from top to bottom, below the verdict.
        verdict: stands on top; None where there is nothing to judge.
        made: when, in words.
    """
    head = [f"# {markdown_text(title)}", f"Made {made}.", *(_verdict(verdict) if verdict is not None else ())]
    rest = len(_page(head, sections, room=0))
    return _page(head, sections, room=MOST - rest)


def _page(head: Sequence[str], sections: Sequence[Section], room: int) -> str:
    lines = list(head)
    for section in sections:
        lines.append(f"## {markdown_text(section.title)}")
        lines += (text for block in section.blocks for text in _block(block, room))
    return "\n\n".join(lines) + "\n"


def _verdict(verdict: Verdict) -> list[str]:
    checks = "\n".join(f"- **{_PASSED[check.passed]}** {markdown_text(check.told)}" for check in verdict.checks)
    unknown = "\n".join(f"- {markdown_text(told)}" for told in verdict.unknown)
    return [f"## {markdown_text(verdict.headline)}", checks, *_folded("What this does not know", unknown)]


def _block(block: Block, room: int) -> Iterator[str]:
    match block:
        case Paragraph():
            yield markdown_text(block.words)
        case Facts():
            yield "\n".join(
                f"- **{markdown_text(figure)}** {markdown_text(told)} ({markdown_text(resting)})"
                for figure, told, resting in block.facts
            )
        case Commands():
            yield "\n".join(f"- {code(command)}: {markdown_text(told)}" for command, told in block.commands)
        case Table():
            yield _table(block)
        case Folded():
            yield from _folded(block.summary, _table(block.table))
        case Chart():
            table = replace(block.table, title="", records=(records := list(block.table.records)))
            yield from _folded(block.title, _table(table), opened=len(records) <= _FEW)
        case Diffs():
            yield from _diffs(block.events, room)


def _diffs(events: Sequence[Disagreement], room: int) -> Iterator[str]:
    """The events for which there is room, and how many are left out."""
    for place, event in enumerate(events):
        told = "\n\n".join(_diff(event))
        room -= len(told) + 2
        if room < 0:
            yield f"{len(events) - place:,} more events are left out: GitHub takes comments of {MOST:,} characters."
            return
        yield told


def _folded(summary: str, inside: str, *, opened: bool = False) -> list[str]:
    return [f"<details{' open' if opened else ''}><summary>{markdown_text(summary)}</summary>", inside, "</details>"]


def _table(table: Table) -> str:
    return "".join(markdown_table(table)).strip()


def _diff(event: Disagreement) -> Iterator[str]:
    yield f"### {code(brief(event.event_id))}"
    verdict = "agrees" if event.agrees else "disagrees"
    where = "" if event.arena is None else f" · arena {code(brief(event.arena))}"
    yield f"{verdict}, agreement {ratio(event.agreement)} · prompt {code(brief(event.prompt_hash))}{where}"
    if event.note:
        yield event.note
    if event.text is not None:
        yield from _folded("The event's text", fenced(event.text))
    if event.pairs:
        yield "| | field | teacher | student |\n| --- | --- | --- | --- |\n" + "".join(_rows(event.pairs))
    more = f"; {event.left_out:,} more that differ are left out" if event.left_out else ""
    yield f"Pairs of items that are equal on both sides: {event.equal:,}{more}."


def _rows(pairs: Iterable[ItemPair]) -> Iterator[str]:
    for section, found in groupby(sorted(pairs, key=lambda pair: pair.section), key=lambda pair: pair.section):
        for pair in found:
            critical = "!" if pair.critical else ""
            yield f"| {_MARKS[pair.verdict]}{critical} | **{section}**: {pair.kind or pair.verdict} | | |\n"
            for field in pair.fields:
                sides = " | ".join(
                    "—" if side is None else code(str(side), in_table=True) for side in (field.gold, field.predicted)
                )
                yield f"| | {code(field.name, in_table=True) if field.name else ''} | {sides} |\n"


def code(text: str, *, in_table: bool = False) -> str:
    """A text as a code span, in which nothing is markup and nobody is called.

    Args:
        text: any; it becomes one line.
        in_table: a bar would end the cell even here.
    """
    plain = sanitize(text).strip() or " "
    ticks = "`" * (_longest_run(plain) + 1)
    # A space inside keeps a tick at the edge apart from the fence, and is not shown.
    padded = f" {plain} " if plain[0] == "`" or plain[-1] == "`" else plain
    return f"{ticks}{padded}{ticks}".replace("|", "\\|" if in_table else "|")


def fenced(text: Cut) -> str:
    """A text of several lines as a block of code."""
    plain = sanitize_lines(text.text)
    fence = "`" * max(3, _longest_run(plain) + 1)
    more = f"\n… {text.left_out:,} characters more" if text.left_out else ""
    return f"{fence}text\n{plain}{more}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(list(run)) for tick, run in groupby(text) if tick == "`"), default=0)
