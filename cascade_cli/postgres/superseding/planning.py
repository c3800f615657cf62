"""Which of a student's rows go, which lose the event, and which stay. Arithmetic on records, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from cascade_cli.postgres.graph import GraphTable
from cascade_cli.postgres.graph.reading import Row
from cascade_cli.postgres.superseding.records import Columns, Held, Recorded, RowName


@dataclass(slots=True)
class Plan:
    """What is to be done before the teacher's rows are written.

    Attributes:
        delete: rows that nobody supports any more.
        strip: rows that lose the event, with the columns that are put back; empty where all stay.
        bequeath: rows that the student created and that others support: one of those becomes the creator.
        kept: rows whose columns still say what the student said.
    """

    delete: list[RowName] = field(default_factory=list)
    strip: dict[RowName, Columns] = field(default_factory=dict)
    bequeath: list[RowName] = field(default_factory=list)
    kept: list[RowName] = field(default_factory=list)


def plan_row(plan: Plan, name: RowName, held: Held, recorded: Recorded, said: Row | None, table: GraphTable) -> None:
    """Add one row of a student's write to a plan.

    Args:
        plan: to be added to.
        name: of the row.
        held: the row as it is.
        recorded: what the student's write did to it.
        said: what the teacher says of the same key; None where it says nothing.
        table: of the row.
    """
    if not held.carried:
        return
    if recorded.created and not held.supported:
        _plan_sole(plan, name, held, said, table)
        return
    before = recorded.before if _is_as_written(held, recorded) else None
    if before is not None or said is None or _adds(held.columns, said, table):
        plan.strip[name] = before or {}
    if recorded.created and said is None:
        plan.bequeath.append(name)
    students = recorded.created or (recorded.before is not None and before is None)
    if students and table.accreting:
        plan.kept.append(name)


def _plan_sole(plan: Plan, name: RowName, held: Held, said: Row | None, table: GraphTable) -> None:
    """A row of this event alone: it goes, or is emptied for the teacher, whose write fills it; its id stays."""
    if said is None:
        plan.delete.append(name)
    elif held.columns != columns_of(said, table):
        plan.strip[name] = {table.columns[ours]: [] if table.is_list(ours) else None for ours in table.accreting}


def columns_of(said: Row, table: GraphTable) -> Columns:
    """What a row that is written anew has in the columns that accrete, as JSON has it."""
    return {table.columns[ours]: _as_json(said[ours]) for ours in table.accreting}


def _as_json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _is_as_written(held: Held, recorded: Recorded) -> bool:
    """Whether nobody has joined or changed the row since the student; others may have left it."""
    after = recorded.after
    if after is None or after["columns"] != held.columns or not held.came_last:
        return False
    return held.supporters <= int(str(after["supporters"]))


def _adds(columns: Columns, said: Row, table: GraphTable) -> bool:
    """Whether the teacher's write would fill or grow a column."""
    for ours in table.accreting:
        held, new = columns[table.columns[ours]], said[ours]
        if isinstance(new, tuple):
            if not set(new) <= set(held if isinstance(held, list) else ()):
                return True
        elif held is None and new is not None:
            return True
    return False
