"""Sections in, one HTML file out: no request, no foreign script, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cascade_cli.console import Column, Record, Table, sanitize
from cascade_cli.report import parts
from cascade_cli.report.charts import Chart
from cascade_cli.report.marking import marked, sides
from cascade_cli.report.parts import Block, Section
from cascade_cli.report.verdict import Verdict
from cascade_cli.report.words import brief, ratio

WIDE, NARROW = 720, 330
"""Pixels at which each chart is drawn: for a desk and paper, and for a telephone."""


def render_page(title: str, sections: Sequence[Section], verdict: Verdict | None, *, made: str, redacted: bool) -> str:
    """One self-contained HTML page.

    Args:
        title: of the page.
        sections: from top to bottom, below the verdict.
        verdict: stands on top; None where there is nothing to judge.
        made: when, in words.
        redacted: whether texts, names and values were left out.
    """
    return (
        environment()
        .get_template("report.html.j2")
        .render(title=title, sections=sections, verdict=verdict, made=made, redacted=redacted, **inline_assets())
    )


@cache
def environment() -> Environment:
    """Templates with every text escaped, its controls made visible, and an undefined name an error."""
    found = Environment(
        loader=PackageLoader("cascade_cli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "kind": kind_of,
        "cell": cell,
        "marked": marked,
        "sides": sides,
        "align": align,
        "brief": brief,
        "ratio": ratio,
    }
    found.globals |= {"wide": WIDE, "narrow": NARROW}
    return found


def kind_of(block: Block) -> str:
    """The name of the macro that draws a block."""
    names = {Table: "table", Chart: "chart", parts.Paragraph: "paragraph", parts.Facts: "facts"}
    names |= {parts.Commands: "commands", parts.Folded: "folded", parts.Diffs: "diffs"}
    return names[type(block)]


def cell(record: Record, column: Column) -> str:
    """The text of a cell, cut to what a table can bear."""
    return brief(column.cell(record))


def align(column: Column) -> str:
    """The class of a column's cells."""
    return "number" if column.align == "right" else "words"


@cache
def inline_assets() -> dict[str, str]:
    """Style and script as they stand in a page, and the policy that lets nothing else in."""
    # Ours, from the package; nothing of an event comes here.
    style, script = (Markup(_read(name)) for name in ("style.css", "page.js"))  # noqa: S704
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    return {"style": style, "script": script, "policy": policy}


def _read(name: str) -> str:
    return resources.files("cascade_cli.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _visible(value: object) -> object:
    return value if isinstance(value, Markup) or not isinstance(value, str) else sanitize(value)
