"""Looking before writing: are the graph's tables there, with columns that fit and an index over what conflicts?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors

from cascade_cli.errors import UsageError
from cascade_cli.postgres.connection import is_passing, told
from cascade_cli.postgres.graph.mapping import GraphMapping, GraphTable
from cascade_cli.postgres.graph.writing import QUERIES, partitioned_sections, upsert_statement
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
    partitioned = partitioned_sections(connection, mapping)
    found: list[Unwritable] = []
    for table in mapping.tables:
        statement = upsert_statement(mapping, table, partitioned=table.section in partitioned)
        # What the server says about a table that lacks something says less than that it is lacking.
        found += list(_lacking(connection, mapping, table)) or list(_refused(connection, table, statement))
    return tuple(found)


def check_writable(connection: Connection, mapping: GraphMapping) -> None:
    """See that every graph table can be written, before anything is claimed that could not be ended.

    Raises:
        UsageError: it cannot; says which, and what makes it.
    """
    if found := unwritable(connection, mapping):
        raise UsageError(f"The graph cannot be written: {' '.join(each.problem for each in found)}", hint=found[0].cure)


def _refused(connection: Connection, table: GraphTable, statement: bytes) -> Iterator[Unwritable]:
    """Whether the server would not even plan to write a row: columns of other types, above all."""
    try:
        with connection.transaction():
            connection.execute(QUERIES["bound_wait"])
            connection.execute(b"EXPLAIN " + statement, {"rows": "[]"})
    except (errors.InsufficientPrivilege, errors.LockNotAvailable):
        # Nothing is known against it.
        return
    except psycopg.Error as error:
        if is_passing(error):
            raise
        cure = (
            "Texts are written as text, participant_set and aliases as text[], effective_until as timestamptz: change "
            f'the column, or write [postgres.{table.section}] with "" for it.'
        )
        yield Unwritable(table.section, f"The server would not write {table.section}: {told(error)}.", cure)


def _lacking(connection: Connection, mapping: GraphMapping, table: GraphTable) -> Iterator[Unwritable]:
    setting, name = f"[postgres.{table.section}]", mapping.named(table.table).as_string(connection)
    known = [column for (column,) in connection.execute(QUERIES["columns_of_table"], {"table": name})]
    if not known:
        yield Unwritable(table.section, f"There is no table {name}.", f'Write its name as {setting} table = "…".')
        return
    if connection.execute(QUERIES["has_rows_of_its_own"], {"table": name}).fetchone() != (True,):
        yield Unwritable(table.section, f"{name} is no table.", f"Write the table behind it as {setting} table.")
        return
    for ours, theirs in {"id": table.id, **table.columns, "provenance_event_ids": table.provenance}.items():
        if theirs not in known:
            problem = f'Table {name} has no column "{theirs}"{closest(theirs, known)}.'
            yield Unwritable(table.section, problem, f'Write {setting} {ours} = "…"; "" where there is none.')
    written = {table.provenance, *table.columns.values()}
    for (theirs,) in connection.execute(QUERIES["columns_to_be_filled"], {"table": name}):
        # Of a name that is written wrongly enough was said.
        if theirs not in written and written <= set(known):
            problem = f'Table {name} has a column "{theirs}" that must be filled, and that we know nothing of.'
            yield Unwritable(table.section, problem, f'ALTER TABLE {name} ALTER "{theirs}" SET DEFAULT …')
    keys = [sorted(columns) for (columns,) in connection.execute(QUERIES["unique_keys"], {"table": name})]
    wanted = [table.columns[ours] for ours in table.key]
    if sorted(wanted) not in keys:
        listed = ", ".join(wanted)
        cure = f"CREATE UNIQUE INDEX CONCURRENTLY ON {name} ({listed}), or write {setting} key."
        yield Unwritable(table.section, f"Table {name} has no valid unique index over exactly ({listed}).", cure)
