"""What a command hands back: records, rendered by the console in whichever format was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cascade_cli.console.text import shown

if TYPE_CHECKING:
    from pathlib import Path

    from cascade_cli.errors import CascadeError

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Column:
    """How one value of a record is shown to people; JSON Lines and CSV carry the raw record instead.

    Attributes:
        key: where the value stands in the record; dots descend, as in ``entities.micro``, unless it is given step by
            step because a step has a dot itself.
        title: the heading.
        show: raw value -> text. Rounding happens here and nowhere else.
        align: numbers to the right, text to the left.
    """

    key: str | tuple[str, ...]
    title: str
    show: Callable[[object], str] = shown
    align: Literal["left", "right"] = "left"

    def cell(self, record: Record) -> str:
        """Return the text of this column for one record; a missing value shows as undefined."""
        value: object = record
        for step in self.key.split(".") if isinstance(self.key, str) else self.key:
            value = value.get(step) if isinstance(value, Mapping) else None
        return self.show(value)


@dataclass(frozen=True, slots=True)
class Table:
    """Records with the columns that people see of them.

    Attributes:
        columns: from left to right.
        records: raw and unrounded, all with the same keys; values are JSON values, mappings may nest. An
            iterator is read once, and streamed by JSON Lines and CSV.
        title: stands above the table; may be empty.
    """

    columns: tuple[Column, ...]
    records: Iterable[Record]
    title: str = ""


class Verbatim(str):
    """A paragraph of commands or SQL: its lines are not broken, so that they can be copied from a terminal."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A document that a command composed itself.

    Attributes:
        text: the whole of it.
        path: where the command wrote it; None where it is to be printed instead of the result.
    """

    text: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one command.

    Attributes:
        data: what ``--json`` carries: mappings, lists, text, finite numbers, None; nothing rounded.
        blocks: the same for people, in order: tables and paragraphs. JSON Lines and CSV take the first table.
        warnings: one sentence each; in the document and on standard error.
        hints: what could be done next; on standard error only.
        run_id: the recorded run, where the command records one.
        partial: True when a limit or a signal ended the work before its end.
        gate: the verdict on the gates that were asked for; None where none was.
        failure: a verdict whose exit status the process ends with although there is a result to show.
        goes_on: what the command does once its result was shown, until a signal ends it; returns what that was.
        page: where the command composes one. Written to the file that was asked for, it leaves standard output to the
            result.
    """

    data: object
    blocks: tuple[Table | str, ...] = ()
    warnings: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    run_id: str | None = None
    partial: bool = False
    gate: Mapping[str, object] | None = None
    failure: CascadeError | None = None
    goes_on: Callable[[], CascadeError | None] | None = None
    page: Page | None = None
