"""Which of a student's rows go, which lose the event, and which stay. Arithmetic on records, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from cascade_cli.postgres.graph import GraphTable
from cascade_cli.postgres.graph.reading import Row
from cascade_cli.postgres.superseding.records import Columns, Held, Recorded, RowName


@dataclass(frozen=True, slots=True)
class Amendment:
    """What becomes of a row that stays.

    Attributes:
        carries: whether it carries the event afterwards.
        columns: those that change.
    """

    carries: bool
    columns: Columns


@dataclass(slots=True)
class Plan:
    """What is to be done with the rows that the student touched.

    Attributes:
        delete: rows that nobody supports any more.
        strip: rows that lose the event, unless the teacher says them too, with the columns that are put back; empty
            where all stay.
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
    if before is not None or said is None or _accreted(held.columns, said, table) != held.columns:
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


def amendment_of(held: Held, put_back: Columns, said: Row | None, table: GraphTable) -> Amendment:
    """What a row becomes, by columns that are put back first and by what the teacher says of it then.

    Args:
        held: the row as it is.
        put_back: as in `Plan.strip`.
        said: what the teacher says of the same key; None where it says nothing.
        table: of the row.
    """
    columns = {**held.columns, **put_back}
    if said is not None:
        columns = _accreted(columns, said, table)
    return Amendment(said is not None, {name: value for name, value in columns.items() if value != held.columns[name]})


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


def _accreted(columns: Columns, said: Row, table: GraphTable) -> dict[str, object]:
    """The columns once the teacher's word is added, as any write adds: what is empty is filled, and lists grow."""
    return {theirs: _joined(columns[theirs], new) for theirs, new in columns_of(said, table).items()}


def _joined(held: object, new: object) -> object:
    if isinstance(new, list):
        there = held if isinstance(held, list) else []
        return [*there, *(each for each in new if each not in there)] if new else held
    return new if held is None else held
