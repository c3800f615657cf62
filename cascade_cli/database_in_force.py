"""The database that settings describe: where it is, and what its tables are called."""

from __future__ import annotations

from dataclasses import asdict
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
    from cascade_cli.postgres.graph import GraphMapping


def database_url(settings: Settings) -> str:
    """Where it is.

    Raises:
        UsageError: none is configured.
    """
    dsn = settings[POSTGRES_URL]
    if dsn is None:
        raise no_database()
    return dsn


def no_database() -> UsageError:
    """What is to be said where none is configured."""
    return UsageError("No database is configured.", hint="Set DATABASE_URL.")


def columns_in_force(settings: Settings) -> ColumnMapping:
    """What the tables of traces, events and the queue are called.

    Raises:
        UsageError: a name makes no sense.
    """
    from cascade_cli.postgres import ColumnMapping

    traces, events, queue = (settings[each] for each in (POSTGRES_TRACES, POSTGRES_EVENTS, POSTGRES_QUEUE))
    return ColumnMapping.of(settings[POSTGRES_SCHEMA], traces, events, queue)


def names_by_default() -> dict[str, dict[str, str]]:
    """What the team's tables and columns are called where nothing is written: settings' key -> ours -> theirs."""
    from cascade_cli.postgres import ColumnMapping
    from cascade_cli.postgres.graph import GraphMapping

    pulled, graph = ColumnMapping(), GraphMapping()
    return {
        POSTGRES_TRACES.key: asdict(pulled.traces),
        POSTGRES_EVENTS.key: asdict(pulled.events),
        POSTGRES_QUEUE.key: asdict(pulled.queue),
        **{f"postgres.{table.section}": table.names for table in graph.tables},
    }


def graph_in_force(settings: Settings) -> GraphMapping:
    """What the graph's tables are called.

    Raises:
        UsageError: a name makes no sense.
    """
    from cascade_cli.postgres.graph import GraphMapping

    sections = (settings[each] for each in (POSTGRES_ENTITIES, POSTGRES_FACTS, POSTGRES_RELATIONSHIPS))
    return GraphMapping.of(settings[POSTGRES_SCHEMA], *sections)
