"""What ``cascade migrate`` does with the configuration's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_cli.database_in_force import columns_in_force, database_url, graph_in_force

if TYPE_CHECKING:
    from cascade_cli.config import Settings
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

    return apply_migrations(
        database_url(settings), with_team_tables=with_team_tables, mapping=columns_in_force(settings)
    )


def left_out(settings: Settings) -> tuple[LeftOut, ...]:
    """Indexes that were not made, for the queue is not a table that could get them beside traffic.

    Raises:
        UsageError: as above.
        DependencyError: as above.
    """
    from cascade_cli.postgres import indexes_left_out

    return indexes_left_out(database_url(settings), columns_in_force(settings))


def planned(settings: Settings, *, with_team_tables: bool) -> str:
    """What would be done, as a script; nothing is changed.

    Raises:
        UsageError: as above.
        DependencyError: as above.
    """
    from cascade_cli.postgres import planned_sql

    return planned_sql(database_url(settings), with_team_tables=with_team_tables, mapping=columns_in_force(settings))


def roles(settings: Settings) -> str:
    """The roles and what each may do, as a script; no database is asked.

    Raises:
        UsageError: tables are mapped wrongly.
    """
    from cascade_cli.postgres.granting import grants

    return grants(columns_in_force(settings), graph_in_force(settings))
