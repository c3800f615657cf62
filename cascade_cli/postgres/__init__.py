"""The team's PostgreSQL: reading traces from it, and bringing our tables into it."""

from cascade_cli.postgres.connection import redacted
from cascade_cli.postgres.embedded import EmbeddedPostgres, embedded_postgres
from cascade_cli.postgres.loading import enqueue, load_rows
from cascade_cli.postgres.mapping import ColumnMapping, EventColumns, TraceColumns
from cascade_cli.postgres.migrating import apply_migrations, indexes_left_out, planned_sql
from cascade_cli.postgres.source import PostgresSource

__all__ = [
    "ColumnMapping",
    "EmbeddedPostgres",
    "EventColumns",
    "PostgresSource",
    "TraceColumns",
    "apply_migrations",
    "embedded_postgres",
    "enqueue",
    "indexes_left_out",
    "load_rows",
    "planned_sql",
    "redacted",
]
