"""The graph tables, one by one: whether they can be written, and what writing them will cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from psycopg import errors, sql

from cascade_cli.postgres.connection import compose, connect, explained
from cascade_cli.postgres.graph import GraphMapping, GraphTable, unwritable
from cascade_cli.postgres.inspection.server import QUERIES

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

LONGEST_LOOK_S: Final = 10.0
"""How long the longest provenance of one table is looked for: every row must be read."""


@dataclass(frozen=True, slots=True)
class GraphState:
    """What one graph table is like.

    Attributes:
        section: ``entities``, ``facts`` or ``relationships``.
        table: its name, quoted, with its schema.
        look: a statement for people that shows the rows with the longest provenance.
        problems: why it cannot be written, privileges apart, each with its cure.
        present: whether there is such a table.
        row_security: rows are hidden from some users, of whom this one may be none.
        hides_from_us: rows may be hidden from this user.
        longest_provenance: most event ids of one row; 0 where there is no row, None where looking took too long, or
            the table may not be read.
        parameters: storage parameters that were set, by name.
    """

    section: str
    table: str
    look: str
    problems: tuple[tuple[str, str], ...]
    present: bool = False
    row_security: bool = False
    hides_from_us: bool = False
    longest_provenance: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def inspect_graph(dsn: str, mapping: GraphMapping, *, longest_look_s: float = LONGEST_LOOK_S) -> tuple[GraphState, ...]:
    """Look at the three tables.

    Args:
        dsn: the connection string.
        mapping: what they are called.
        longest_look_s: for each of them, above 0.

    Raises:
        DependencyError: the server cannot be reached or refuses.
    """
    with connect(dsn) as connection, explained(dsn):
        problems = unwritable(connection, mapping)
        return tuple(
            _state(
                connection,
                mapping,
                table,
                tuple((each.problem, each.cure) for each in problems if each.section == table.section),
                longest_look_s,
            )
            for table in mapping.tables
        )


def _state(
    connection: Connection,
    mapping: GraphMapping,
    table: GraphTable,
    problems: tuple[tuple[str, str], ...],
    longest_look_s: float,
) -> GraphState:
    name = mapping.named(table.table).as_string(connection)
    found = connection.execute(QUERIES["relation"], {"table": name}).fetchone()
    look = compose(QUERIES["longest_rows"], _names(mapping, table)).as_string(connection)
    state = GraphState(table.section, name, look, problems)
    if found is None:
        return state
    row_security, hides_from_us, parameters = found
    return replace(
        state,
        present=True,
        row_security=row_security,
        hides_from_us=hides_from_us,
        longest_provenance=_longest_provenance(connection, mapping, table, longest_look_s),
        parameters=parameters,
    )


def _longest_provenance(
    connection: Connection, mapping: GraphMapping, table: GraphTable, longest_look_s: float
) -> int | None:
    try:
        with connection.transaction():
            connection.execute(QUERIES["bound_look"], {"timeout_ms": str(round(1_000 * longest_look_s))})
            ((longest,),) = connection.execute(
                compose(QUERIES["longest_provenance"], _names(mapping, table))
            ).fetchall()
    except (errors.QueryCanceled, errors.InsufficientPrivilege, errors.UndefinedColumn, errors.UndefinedFunction):
        return None
    return int(longest)


def _names(mapping: GraphMapping, table: GraphTable) -> dict[str, sql.Composable]:
    columns = {"id": table.column("id"), "provenance": table.column("provenance_event_ids")}
    return {"table": mapping.named(table.table), **columns}
