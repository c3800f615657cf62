"""Where the result goes and in which form, as the user asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cascade_cli.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class Format(StrEnum):
    """A form of the result."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MD = "md"
    HTML = "html"


_BY_SUFFIX = {
    ".txt": Format.TABLE,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".csv": Format.CSV,
    ".md": Format.MD,
    ".html": Format.HTML,
}


@dataclass(frozen=True, slots=True)
class Output:
    """How a command answers.

    Attributes:
        format: the form of the result.
        path: the file it is written to; None for standard output.
        quiet: no progress, notes or hints; errors and warnings stay.
        verbosity: 0; 1 with details; 2 with tracebacks.
    """

    format: Format = Format.TABLE
    path: Path | None = None
    quiet: bool = False
    verbosity: int = 0


def chosen_format(*, json: bool, named: Format | None, path: Path | None) -> Format:
    """Return the format: the one that was named, else the one of the file's suffix, else a table.

    Raises:
        UsageError: ``--json`` contradicts ``--format``, or the suffix says nothing.
    """
    if json and named not in {None, Format.JSON}:
        raise UsageError(f"--json contradicts --format {named}.", hint="Give one of the two.")
    if json or named:
        return Format.JSON if json else named or Format.TABLE
    if path is None:
        return Format.TABLE
    if path.suffix.lower() not in _BY_SUFFIX:
        known = " ".join(_BY_SUFFIX)
        raise UsageError(f"Cannot tell the format of {path}.", hint=f"Use --format, or one of the suffixes {known}")
    return _BY_SUFFIX[path.suffix.lower()]
