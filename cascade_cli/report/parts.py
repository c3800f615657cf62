"""What a page is made of, whatever it is written in: sections of paragraphs, tables, charts, commands and diffs."""

from __future__ import annotations

from dataclasses import dataclass

from cascade_cli.console import Table
from cascade_cli.report.charts import Chart
from cascade_cli.report.disagreements import Disagreement


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words.

    Attributes:
        words: plain text.
        tone: ``plain``; ``note`` for how something is to be read; ``warning`` for what must not be overlooked.
    """

    words: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Facts:
    """A few figures that stand out, each with its words below it.

    Attributes:
        facts: (the figure, what it is, its interval and n).
    """

    facts: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands to paste, each with what it does."""

    commands: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """A table that is folded away until somebody wants it.

    Attributes:
        summary: what is within.
        table: it.
    """

    summary: str
    table: Table


@dataclass(frozen=True, slots=True)
class Diffs:
    """Events, each with its text and both answers to it side by side."""

    events: tuple[Disagreement, ...]


Block = Paragraph | Facts | Commands | Folded | Diffs | Table | Chart


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a page.

    Attributes:
        slug: unique on the page; of lower-case letters and hyphens.
        title: its heading.
        blocks: from top to bottom.
    """

    slug: str
    title: str
    blocks: tuple[Block, ...]
