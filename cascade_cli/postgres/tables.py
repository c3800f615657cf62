"""Looking before reading: are the tables there, are they ours to read, are the columns called so?"""

from __future__ import annotations

from dataclasses import fields, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from psycopg import sql

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.mapping import ColumnMapping, EventColumns, QueueColumns, TraceColumns, closest

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

AnyColumns = TraceColumns | EventColumns | QueueColumns

QUERIES: Final = read_named_sql(files("cascade_cli.postgres") / "queries.sql")


def check_queue_table(connection: Connection, mapping: ColumnMapping) -> ColumnMapping:
    """See that the queue can be read.

    Returns:
        The mapping; without the queue's ``created_at`` where it is called as by default and the table has none.

    Raises:
        UsageError: a table or column does not exist; says what is called nearly so, and which setting to write.
        DependencyError: the table may not be read.
    """
    known = types_of_columns(connection, mapping, mapping.queue.table)
    if known and mapping.queue.created_at == QueueColumns().created_at and mapping.queue.created_at not in known:
        mapping = replace(mapping, queue=replace(mapping.queue, created_at=""))
    _check(connection, mapping, mapping.queue, "postgres.queue")
    return mapping


def types_of_columns(connection: Connection, mapping: ColumnMapping, table: str) -> dict[str, tuple[str, str]]:
    """Each column's type, as schema and name; empty where there is no such table."""
    found = connection.execute(QUERIES["types_of_columns"], {"table": _quoted(connection, mapping, table)})
    return {name: (schema, type_name) for name, schema, type_name in found}


def id_type_of_queue(connection: Connection, mapping: ColumnMapping) -> sql.Identifier:
    """The type of the queue's ids, to which the texts are cast that our tables hold: so an index is used.

    Raises:
        UsageError: a table or column of the queue does not exist.
        DependencyError: it may not be read.
    """
    mapping = check_queue_table(connection, mapping)
    return sql.Identifier(*types_of_columns(connection, mapping, mapping.queue.table)[mapping.queue.id])


def lengths_of_columns(connection: Connection, mapping: ColumnMapping, table: str) -> dict[str, int]:
    """How many characters each column can hold; columns that hold any number are absent."""
    values = {"schema": mapping.schema, "table": table}
    return dict(connection.execute(QUERIES["lengths_of_columns"], values).fetchall())


def check_events_table(connection: Connection, mapping: ColumnMapping) -> None:
    """See that the events can be read.

    Raises:
        UsageError: the table or a column does not exist; says what is called nearly so, and which setting to write.
        DependencyError: the table may not be read.
    """
    _check(connection, mapping, mapping.events, "postgres.events")


def check_mapped_tables(connection: Connection, mapping: ColumnMapping) -> None:
    """See that both mapped tables can be read.

    Raises:
        UsageError: a table or column does not exist; says what is called nearly so, and which setting to write.
        DependencyError: the table may not be read.
    """
    _check(connection, mapping, mapping.traces, "postgres.traces")
    check_events_table(connection, mapping)


def is_readable(connection: Connection, mapping: ColumnMapping, table: str) -> bool | None:
    """Whether a table may be read; None where there is none."""
    state = connection.execute(QUERIES["table_state"], {"table": _quoted(connection, mapping, table)}).fetchone()
    present, readable = state or (False, False)
    return readable if present else None


def may_insert(connection: Connection, mapping: ColumnMapping, table: str) -> bool:
    """Whether rows may be added to a table; false where there is none."""
    state = connection.execute(QUERIES["may_insert"], {"table": _quoted(connection, mapping, table)}).fetchone()
    return state == (True,)


def _check(connection: Connection, mapping: ColumnMapping, columns: AnyColumns, setting: str) -> None:
    readable = is_readable(connection, mapping, columns.table)
    if readable is None:
        near = closest(columns.table, _tables(connection, mapping.schema))
        raise UsageError(
            f'There is no table "{columns.table}" in schema "{mapping.schema}"{near}',
            hint=f'Write its name as [{setting}] table = "…", or its schema as postgres.schema.',
        )
    if not readable:
        raise DependencyError(
            f'Table "{mapping.schema}"."{columns.table}" may not be read by this user.',
            hint=f'Ask for: GRANT SELECT ON "{mapping.schema}"."{columns.table}" TO …',
        )
    _check_columns(connection, mapping, columns, setting)


def _check_columns(connection: Connection, mapping: ColumnMapping, columns: AnyColumns, setting: str) -> None:
    table = _quoted(connection, mapping, columns.table)
    known = [name for (name,) in connection.execute(QUERIES["columns_of_table"], {"table": table})]
    named = {column.name: getattr(columns, column.name) for column in fields(columns) if column.name != "table"}
    lacking = {ours: theirs for ours, theirs in named.items() if theirs and theirs not in known}
    if lacking:
        told = ", no column ".join(f'"{theirs}"{closest(theirs, known)}' for theirs in lacking.values())
        lines = ", ".join(f'{ours} = "…"' for ours in lacking)
        raise UsageError(
            f'Table "{columns.table}" has no column {told}',
            hint=f'Write [{setting}] {lines}, one of: {", ".join(known)}; "" where there is none.',
        )


def _tables(connection: Connection, schema: str) -> list[str]:
    return [name for (name,) in connection.execute(QUERIES["tables_of_schema"], {"schema": schema})]


def _quoted(connection: Connection, mapping: ColumnMapping, table: str) -> str:
    return mapping.table(table).as_string(connection)
