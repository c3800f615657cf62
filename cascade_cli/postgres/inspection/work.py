"""What a worker needs beside the graph: its queue, its privileges, our tables, and nobody in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from psycopg import sql
from psycopg.rows import class_row

from cascade_cli.errors import CascadeError
from cascade_cli.postgres.connection import connect, explained
from cascade_cli.postgres.granting import Need, needs_of_worker
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.inspection.server import QUERIES, server_state
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.migrating import REGISTER, indexes_left_out, missing_steps
from cascade_cli.postgres.tables import check_queue_table, is_readable

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

OLD_S: Final = 60.0
"""A transaction that holds locks for longer is in the way of whoever writes."""


@dataclass(frozen=True, slots=True)
class MissingPrivilege:
    """What a worker may not do with one table.

    Attributes:
        table: quoted, with its schema.
        grant: the statement that cures it.
    """

    table: str
    grant: str


@dataclass(frozen=True, slots=True)
class LongLock:
    """A transaction that has held a table against writers for long.

    Attributes:
        pid: of its process in the server.
        age_s: since it began.
        tables: that it holds.
    """

    pid: int
    age_s: float
    tables: Sequence[str]


@dataclass(frozen=True, slots=True)
class WorkState:
    """Whether a worker could work as this user.

    Attributes:
        user: who we are there.
        writes: the user may write some of the tables: no mere reader.
        queue: its name, quoted.
        queue_problem: why the queue cannot be claimed from; None where it can.
        queue_parameters: storage parameters that were set, by name; None without a queue.
        missing_privileges: by table; of tables that are there.
        not_applied: migrations that ``cascade migrate`` would apply; None where that cannot be read.
        missing_indexes: likewise, on tables that are there; empty where that cannot be read.
        long_locks: the oldest first.
    """

    user: str
    writes: bool
    queue: str
    queue_problem: CascadeError | None
    queue_parameters: Mapping[str, str] | None
    missing_privileges: tuple[MissingPrivilege, ...]
    not_applied: tuple[str, ...] | None
    missing_indexes: tuple[str, ...]
    long_locks: tuple[LongLock, ...]


def inspect_work(dsn: str, mapping: ColumnMapping, graph: GraphMapping, *, old_s: float = OLD_S) -> WorkState:
    """Look at everything but the graph's own state.

    Args:
        dsn: the connection string.
        mapping: what the tables are called.
        graph: what the graph's are called.
        old_s: age of a transaction from which its locks are told.

    Raises:
        DependencyError: the server cannot be reached or refuses.
    """
    needs = needs_of_worker(mapping, graph)
    with connect(dsn) as connection, explained(dsn):
        user = server_state(connection).user
        tables = sorted({need.table for need in needs})
        queue = mapping.table(mapping.queue.table).as_string(connection)
        relation = connection.execute(QUERIES["relation"], {"table": queue}).fetchone()
        ((writes,),) = connection.execute(QUERIES["may_write"], {"tables": tables}).fetchall()
        return WorkState(
            user,
            writes,
            queue,
            _queue_problem(connection, mapping),
            None if relation is None else relation[2],
            tuple(_missing(connection, needs, user)),
            *_to_be_made(dsn, connection, mapping),
            _long_locks(connection, tables, old_s),
        )


def _queue_problem(connection: Connection, mapping: ColumnMapping) -> CascadeError | None:
    try:
        check_queue_table(connection, mapping)
    except CascadeError as error:
        return error
    return None


def _missing(connection: Connection, needs: Sequence[Need], user: str) -> list[MissingPrivilege]:
    values = {
        "tables": [need.table for need in needs],
        "privileges": [need.privilege for need in needs],
        "columns": [need.column for need in needs],
    }
    places = [place for (place,) in connection.execute(QUERIES["missing_privileges"], values)]
    lacking = sorted((needs[place - 1] for place in places), key=lambda need: need.table)
    role = sql.Identifier(user).as_string(connection)
    return [
        MissingPrivilege(table, f"GRANT {', '.join(need.told for need in group)} ON {table} TO {role};")
        for table, group in groupby(lacking, key=lambda need: need.table)
    ]


def _to_be_made(
    dsn: str, connection: Connection, mapping: ColumnMapping
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Migrations, and indexes on tables that are there."""
    if is_readable(connection, mapping, REGISTER) is False:
        return None, ()
    steps = missing_steps(dsn, mapping=mapping)
    missing = [step.name for step in steps if not step.transactional]
    left_out = [index.name for index in indexes_left_out(dsn, mapping)]
    return tuple(step.name for step in steps if step.transactional), (*missing, *left_out)


def _long_locks(connection: Connection, tables: Sequence[str], old_s: float) -> tuple[LongLock, ...]:
    with connection.cursor(row_factory=class_row(LongLock)) as cursor:
        cursor.execute(QUERIES["long_locks"], {"tables": tables, "old_s": old_s})
        return tuple(cursor)
