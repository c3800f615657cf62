"""The server itself, and the tables that are pulled from."""

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
QUERIES: Final = read_named_sql(files("cascade_cli.postgres.inspection") / "inspection.sql")


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
    """A server that answers.

    Attributes:
        version: of PostgreSQL.
        user: who we are there.
    """

    version: str
    user: str


@dataclass(frozen=True, slots=True)
class PulledTables:
    """What is pulled, with both mapped tables as the mapping says.

    Attributes:
        required: the mapped tables, all of them readable.
        optional: the ledger and the student answers, which a live worker writes.
    """

    required: tuple[TableState, ...]
    optional: tuple[TableState, ...]


def inspect_server(dsn: str) -> ServerState:
    """Connect, and see who is there.

    Raises:
        UsageError: the connection string is wrong, or there is no such database.
        DependencyError: the server cannot be reached or refuses.
    """
    with connect(dsn) as connection, explained(dsn):
        return server_state(connection)


def server_state(connection: Connection) -> ServerState:
    """The same of a connection."""
    ((version, user),) = connection.execute(QUERIES["server"]).fetchall()
    return ServerState(version, user)


def inspect_tables(dsn: str, mapping: ColumnMapping) -> PulledTables:
    """Look at what is pulled.

    Raises:
        UsageError: a table or a column is wrong; says what to write instead.
        DependencyError: the server cannot be reached or refuses, or a table may not be read.
    """
    with connect(dsn) as connection, explained(dsn):
        check_mapped_tables(connection, mapping)
        required = tuple(_state(connection, mapping, name) for name in (mapping.traces.table, mapping.events.table))
        optional = tuple(_state(connection, mapping, name) for name in (LEDGER_TABLE, ANSWERS_TABLE))
    return PulledTables(required, optional)


def _state(connection: Connection, mapping: ColumnMapping, table: str) -> TableState:
    readable = is_readable(connection, mapping, table)
    if not readable:
        return TableState(table, None, present=readable is not None)
    query = compose(QUERIES["bounded_count"], {"table": mapping.table(table)})
    ((rows,),) = connection.execute(query, {"bound": COUNT_BOUND}).fetchall()
    return TableState(table, rows, present=True)
