"""A look at the team's server for `cascade doctor`: reads nothing but figures."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose, connect, explained
from cascade_cli.postgres.source import ANSWERS_TABLE, LEDGER_TABLE
from cascade_cli.postgres.tables import check_mapped_tables, is_readable

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection
    from cascade_cli.postgres.mapping import ColumnMapping

COUNT_BOUND: Final = 1_000_000
_QUERIES: Final = read_named_sql(files("cascade_cli.postgres") / "inspection.sql")


@dataclass(frozen=True, slots=True)
class TableState:
    """A table that the commands read.

    Attributes:
        name: as the team calls it.
        rows: how many, at most ``COUNT_BOUND``; None where it is absent or may not be read.
        present: whether it exists.
    """

    name: str
    rows: int | None
    present: bool

    @property
    def counted(self) -> str:
        """How many rows, as people read it."""
        return f"{self.rows:,} or more" if self.rows == COUNT_BOUND else f"{self.rows or 0:,}"


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server that answers, with both mapped tables as the mapping says.

    Attributes:
        version: of PostgreSQL.
        user: who we are there.
        required: the mapped tables, all of them readable.
        optional: the ledger and the student answers, which a live worker writes.
    """

    version: str
    user: str
    required: tuple[TableState, ...]
    optional: tuple[TableState, ...]


def inspect_server(dsn: str, mapping: ColumnMapping) -> ServerState:
    """Connect and look.

    Raises:
        UsageError: the connection string, a table or a column is wrong; says what to write instead.
        DependencyError: the server cannot be reached or refuses.
    """
    with connect(dsn) as connection, explained(dsn):
        check_mapped_tables(connection, mapping)
        ((version, user),) = connection.execute(_QUERIES["server"]).fetchall()
        required = tuple(_state(connection, mapping, name) for name in (mapping.traces.table, mapping.events.table))
        optional = tuple(_state(connection, mapping, name) for name in (LEDGER_TABLE, ANSWERS_TABLE))
    return ServerState(version, user, required, optional)


def _state(connection: Connection, mapping: ColumnMapping, table: str) -> TableState:
    readable = is_readable(connection, mapping, table)
    if not readable:
        return TableState(table, None, present=readable is not None)
    query = compose(_QUERIES["bounded_count"], {"table": mapping.table(table)})
    ((rows,),) = connection.execute(query, {"bound": COUNT_BOUND}).fetchall()
    return TableState(table, rows, present=True)
