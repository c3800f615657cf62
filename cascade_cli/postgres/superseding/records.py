"""What travels while a student's write is superseded: frozen records, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from cascade_cli.errors import CascadeError

Columns = Mapping[str, object]
"""The team's names of the columns that accrete to their values as JSON has them."""


class RefusedError(CascadeError):
    """An event cannot be superseded, or a receipt not undone, as things stand."""

    # The database is not as it would have to be.
    exit_code: ClassVar[int] = 4


class RowName(NamedTuple):
    """Which row of which section: its id as a text."""

    section: str
    row_id: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a student's write did to one row.

    Attributes:
        created: True where it made the row, False where it added its event.
        before: the columns that it changed besides the provenance, as they were; None where it changed none.
        after: ``columns`` after it, and how many ``supporters`` there were; None where others wrote at the same time.
    """

    created: bool
    before: Columns | None
    after: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Held:
    """A row of the graph, locked.

    Attributes:
        key: the texts of its conflict columns.
        columns: those that accrete.
        carried: whether it carries the event.
        supported: whether it carries any other event.
        came_last: whether the event is the last that it carries; None where it carries none.
        supporters: how many events it carries.
    """

    key: tuple[str, ...]
    columns: Columns
    carried: bool
    supported: bool
    came_last: bool | None
    supporters: int


@dataclass(frozen=True, slots=True)
class Superseded:
    """What was done for one event.

    Attributes:
        receipt_id: what `undo` asks for.
        event_id: the event.
        deleted: rows that nobody else supported.
        amended: rows that lost or got the event, or whose columns changed.
        made: rows that are new.
        kept: rows whose columns still say what the student said, for somebody else wrote them since.
    """

    receipt_id: int
    event_id: str
    deleted: tuple[RowName, ...]
    amended: tuple[RowName, ...]
    made: tuple[RowName, ...]
    kept: tuple[RowName, ...]


@dataclass(frozen=True, slots=True)
class Undone:
    """What was put back for one event.

    Attributes:
        receipt_id: of the superseding that was undone.
        event_id: the event, now the student's again.
        restored: rows that are as they were before.
        removed: rows that the teacher had created.
    """

    receipt_id: int
    event_id: str
    restored: tuple[RowName, ...]
    removed: tuple[RowName, ...]
