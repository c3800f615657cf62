"""A result as text: one JSON document, JSON Lines, CSV, Markdown, or tables for people."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from cascade_cli.console.result import Record, Result, Table
from cascade_cli.console.text import escape_in_json, guard_formula, sanitize, sanitize_lines
from cascade_cli.errors import CascadeError, UsageError

if TYPE_CHECKING:
    from rich.table import Table as RichTable

SCHEMA_VERSION = 1
_STATUS = {
    0: "ok",
    3: "gate_failed",
    5: "nothing_evaluated",
    6: "too_many_item_errors",
    130: "interrupted",
    143: "interrupted",
}
# Wider than any terminal: off a terminal nothing is wrapped or cut, for the reader is a program or a file.
_UNBOUNDED_COLUMNS = 10_000


def envelope(command: str, result: Result) -> dict[str, object]:
    """Return the one document of ``--json``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "run_id": result.run_id,
        "status": status_of(result.failure.exit_code if result.failure else 0),
        "partial": result.partial,
        "data": result.data,
        "warnings": list(result.warnings),
        "gate": result.gate,
    }


def error_envelope(command: str, error: CascadeError) -> dict[str, object]:
    """Return the document of a command that failed before it had a result; ``data`` says why."""
    cause = {
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    document = envelope(command, Result(data={"error": cause}))
    return document | {"status": status_of(error.exit_code)}


def status_of(exit_code: int) -> str:
    """Return the word for an exit status; every breakdown that is no verdict is an ``error``."""
    return _STATUS.get(exit_code, "error")


def json_document(document: object) -> str:
    """Return ``document`` as JSON: every digit kept, no NaN or infinity, nothing that steers a terminal.

    Raises:
        ValueError: a number is not finite, which is a defect of the command.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2, default=_json_value)
    return escape_in_json(text) + "\n"


def json_lines(result: Result) -> Iterator[str]:
    """Yield the records of the first table, one JSON object a line."""
    for record in _first_table(result).records:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, default=_json_value)
        yield escape_in_json(line) + "\n"


def csv_lines(result: Result) -> Iterator[str]:
    """Yield the records of the first table as CSV (RFC 4180), nested mappings as dotted columns."""
    table = _first_table(result)
    header: list[str] | None = None
    for record in table.records:
        flat = dict(_flattened(record))
        if header is None:
            header = list(flat)
            yield _csv_line(header)
        yield _csv_line([flat.get(name) for name in header])
    if header is None:
        yield _csv_line([column.key for column in table.columns])


def markdown(result: Result) -> Iterator[str]:
    """Yield paragraphs and tables as Markdown in which hostile text stays text."""
    for block in result.blocks:
        if isinstance(block, str):
            yield sanitize_lines(block) + "\n\n"
        else:
            yield from markdown_table(block)


def plain(result: Result) -> Iterator[str]:
    """Yield paragraphs and aligned tables for a pipe or a file: no escape codes, nothing wrapped or cut."""
    for block in result.blocks:
        yield (sanitize_lines(block) if isinstance(block, str) else _plain_table(block)) + "\n"


def rich_table(table: Table, room: int = _UNBOUNDED_COLUMNS) -> RichTable:
    """Return ``table`` for a terminal of ``room`` columns."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    from cascade_cli.console.widths import fitted

    rows = [[sanitize(column.cell(record)) for column in table.columns] for record in table.records]
    cells = zip(*rows, strict=True) if rows else ((),) * len(table.columns)
    texts = [(column.title, each, column.align == "right") for column, each in zip(table.columns, cells, strict=True)]
    widths, blanks = fitted(texts, room)
    drawn = RichTable(
        title=Text(sanitize(table.title)) if table.title else None,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        show_header=any(column.title for column in table.columns),
        padding=(0, 1, 0, blanks - 1),
    )
    drawn.title_justify = "left"
    for column, width in zip(table.columns, widths, strict=True):
        drawn.add_column(Text(column.title), justify=column.align, overflow="fold", width=width)
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn


def terminal_columns() -> int:
    """Return how many columns the terminal has; 80 where it does not say."""
    return shutil.get_terminal_size((80, 24)).columns


def _plain_table(table: Table) -> str:
    from rich.console import Console

    buffer = io.StringIO()
    Console(file=buffer, width=_UNBOUNDED_COLUMNS, color_system=None, force_terminal=False).print(rich_table(table))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def markdown_table(table: Table) -> Iterator[str]:
    """Yield a table line by line, in which hostile text stays text."""
    if table.title:
        yield f"**{markdown_text(table.title)}**\n\n"
    yield _markdown_row(column.title for column in table.columns)
    yield "|" + "|".join(" ---: " if column.align == "right" else " --- " for column in table.columns) + "|\n"
    for record in table.records:
        yield _markdown_row(column.cell(record) for column in table.columns)
    yield "\n"


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |\n"


def markdown_text(text: str) -> str:
    """Return a text as it reads in Markdown, on one line: nothing in it is markup, a link, or calls anybody."""
    safe = sanitize(text).replace("&", "&amp;").replace("<", "&lt;")
    escaped = "".join(f"\\{character}" if character in "\\|`*_[]~$" else character for character in safe)
    return _CALLS.sub(r"\g<0>&#8203;", _LINKS.sub(lambda found: f"&#{ord(found[0])};", escaped))


# GitHub makes links of addresses, unless these characters are written otherwise.
_LINKS = re.compile(r":(?=//)|(?<=\bwww)\.", re.IGNORECASE)
# It tells whoever is named, and links what is numbered, unless a character without width stands between.
_CALLS = re.compile(r"@|(?<!&)#(?=\d)|\bGH-(?=\d)", re.IGNORECASE)


def _csv_line(cells: Iterable[object]) -> str:
    buffer = io.StringIO()
    # The writer quotes what its own line end contains: with this one, a lone carriage return too.
    csv.writer(buffer, lineterminator="\r\n").writerow([_csv_cell(cell) for cell in cells])
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def _csv_cell(value: object) -> object:
    if isinstance(value, str):
        return guard_formula(value)
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, int | float):
        return value
    if isinstance(value, list | tuple):
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_json_value)
    return _csv_cell(_json_value(value))


def _flattened(record: Record, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _first_table(result: Result) -> Table:
    for block in result.blocks:
        if isinstance(block, Table):
            return block
    raise UsageError("This command has no table to write as CSV or JSON Lines.", hint="Use --json or --format table.")


def _json_value(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
