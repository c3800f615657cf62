"""Looking before writing: are the graph's tables there, with their columns and a unique index over what conflicts?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascade_cli.postgres.graph.mapping import GraphMapping, GraphTable
from cascade_cli.postgres.graph.writing import QUERIES
from cascade_cli.postgres.mapping import closest

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection


@dataclass(frozen=True, slots=True)
class Unwritable:
    """Why a graph table cannot be written.

    Attributes:
        section: which of the three.
        problem: one sentence.
        cure: what to write or run.
    """

    section: str
    problem: str
    cure: str


def unwritable(connection: Connection, mapping: GraphMapping) -> tuple[Unwritable, ...]:
    """Everything but missing privileges that would keep the graph from being written; empty where nothing does."""
    return tuple(found for table in mapping.tables for found in _unwritable(connection, mapping, table))


def _unwritable(connection: Connection, mapping: GraphMapping, table: GraphTable) -> Iterator[Unwritable]:
    setting, name = f"[postgres.{table.section}]", mapping.named(table.table).as_string(connection)
    known = [column for (column,) in connection.execute(QUERIES["columns_of_table"], {"table": name})]
    if not known:
        yield Unwritable(table.section, f"There is no table {name}.", f'Write its name as {setting} table = "…".')
        return
    for ours, theirs in {"id": table.id, **table.columns, "provenance_event_ids": table.provenance}.items():
        if theirs not in known:
            problem = f'Table {name} has no column "{theirs}"{closest(theirs, known)}.'
            yield Unwritable(table.section, problem, f'Write {setting} {ours} = "…"; "" where there is none.')
    keys = [sorted(columns) for (columns,) in connection.execute(QUERIES["unique_keys"], {"table": name})]
    wanted = [table.columns[ours] for ours in table.key]
    if sorted(wanted) not in keys:
        listed = ", ".join(wanted)
        cure = f"CREATE UNIQUE INDEX CONCURRENTLY ON {name} ({listed}), or write {setting} key."
        yield Unwritable(table.section, f"Table {name} has no valid unique index over exactly ({listed}).", cure)
