"""The database: first what is pulled from it, then what a worker needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_cli.config import POSTGRES_EVENTS, POSTGRES_SCHEMA, POSTGRES_TRACES, POSTGRES_URL
from cascade_cli.diagnosis.findings import Finding, guarded
from cascade_cli.diagnosis.work import work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascade_cli.config import Settings
    from cascade_cli.postgres.inspection import TableState


def database(settings: Settings) -> Iterator[Finding]:
    """How to name one where none is configured; nothing more where it cannot be reached."""
    url = settings[POSTGRES_URL]
    if url is None:
        yield Finding("PostgreSQL", "ok", "none is configured", "Set DATABASE_URL to pull from one.")
        return
    from cascade_cli.postgres.inspection import inspect_server

    server = inspect_server(url)
    yield Finding("PostgreSQL", "ok", f"version {server.version}, as {server.user}")
    yield from guarded("tables to pull", _tables, settings)
    yield from guarded("tables to work with", work, settings)


def _tables(settings: Settings) -> Iterator[Finding]:
    from cascade_cli.postgres import ColumnMapping
    from cascade_cli.postgres.inspection import inspect_tables

    mapping = ColumnMapping.of(settings[POSTGRES_SCHEMA], settings[POSTGRES_TRACES], settings[POSTGRES_EVENTS])
    tables = inspect_tables(settings[POSTGRES_URL] or "", mapping)
    yield from map(_required_table, tables.required)
    yield from map(_optional_table, tables.optional)


def _required_table(table: TableState) -> Finding:
    if not table.rows:
        return Finding(f"table {table.name}", "warn", "has no rows", "Nothing can be pulled from it yet.")
    return Finding(f"table {table.name}", "ok", f"{table.counted} rows, readable")


def _optional_table(table: TableState) -> Finding:
    if table.rows is not None:
        return Finding(f"table {table.name}", "ok", f"{table.counted} rows, readable")
    if table.present:
        cure = f"Ask for GRANT SELECT ON {table.name} to pull it too."
        return Finding(f"table {table.name}", "warn", "may not be read", cure)
    return Finding(f"table {table.name}", "ok", "not there; only a live worker writes it")
