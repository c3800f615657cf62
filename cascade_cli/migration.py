"""What ``cascade migrate`` does with the configuration's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_cli.config import (
    POSTGRES_ENTITIES,
    POSTGRES_EVENTS,
    POSTGRES_FACTS,
    POSTGRES_QUEUE,
    POSTGRES_RELATIONSHIPS,
    POSTGRES_SCHEMA,
    POSTGRES_TRACES,
    POSTGRES_URL,
)
from cascade_cli.errors import UsageError

if TYPE_CHECKING:
    from cascade_cli.config import Settings
    from cascade_cli.postgres import ColumnMapping
    from cascade_cli.postgres.migrating import LeftOut


def migrate(settings: Settings, *, with_team_tables: bool) -> list[str]:
    """Make what is missing.

    Returns:
        The names of what was applied now.

    Raises:
        UsageError: no database is configured, or tables are mapped wrongly.
        DependencyError: the database cannot be reached, refuses, or is locked by others for too long.
    """
    from cascade_cli.postgres import apply_migrations

    return apply_migrations(_database(settings), with_team_tables=with_team_tables, mapping=_mapping(settings))


def left_out(settings: Settings) -> tuple[LeftOut, ...]:
    """Indexes that were not made, for the queue is not a table that could get them beside traffic.

    Raises:
        UsageError: as above.
        DependencyError: as above.
    """
    from cascade_cli.postgres import indexes_left_out

    return indexes_left_out(_database(settings), _mapping(settings))


def planned(settings: Settings, *, with_team_tables: bool) -> str:
    """What would be done, as a script; nothing is changed.

    Raises:
        UsageError: as above.
        DependencyError: as above.
    """
    from cascade_cli.postgres import planned_sql

    return planned_sql(_database(settings), with_team_tables=with_team_tables, mapping=_mapping(settings))


def roles(settings: Settings) -> str:
    """The roles and what each may do, as a script; no database is asked.

    Raises:
        UsageError: tables are mapped wrongly.
    """
    from cascade_cli.postgres.granting import grants
    from cascade_cli.postgres.graph import GraphMapping

    sections = (settings[kind] for kind in (POSTGRES_ENTITIES, POSTGRES_FACTS, POSTGRES_RELATIONSHIPS))
    return grants(_mapping(settings), GraphMapping.of(settings[POSTGRES_SCHEMA], *sections))


def _mapping(settings: Settings) -> ColumnMapping:
    from cascade_cli.postgres import ColumnMapping

    columns = (settings[kind] for kind in (POSTGRES_TRACES, POSTGRES_EVENTS, POSTGRES_QUEUE))
    return ColumnMapping.of(settings[POSTGRES_SCHEMA], *columns)


def _database(settings: Settings) -> str:
    dsn = settings[POSTGRES_URL]
    if dsn is None:
        raise UsageError("No database is configured.", hint="Set DATABASE_URL.")
    return dsn
