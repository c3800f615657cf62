"""What was written for some events, whole rows: for the demo and for tests, for it reads the tables from end to end."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose, connect, explained
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.source import LEDGER_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import sql

_QUERIES: Final = read_named_sql(files("cascade_cli.postgres") / "looking.sql")
LEDGER: Final = "ledger"
# Any: a row is whatever columns its table has.
WrittenRows = dict[str, list[dict[str, Any]]]
"""``entities``, ``facts``, ``relationships`` and ``ledger`` to their rows, as JSON has them."""


def written_rows(dsn: str, event_ids: Sequence[str]) -> WrittenRows:
    """The graph rows that carry any of some events, in the order of their ids, and the events' ledger rows.

    Args:
        dsn: of a database to which `apply_migrations` was applied with the team's tables.
        event_ids: any number.

    Raises:
        DependencyError: the database cannot be reached.
        UsageError: a table is missing.
    """
    with connect(dsn) as connection, explained(dsn):
        return {
            name: [image for (image,) in connection.execute(query, {"event_ids": list(event_ids)})]
            for name, query in _queries().items()
        }


def _queries() -> dict[str, sql.Composed]:
    graph = GraphMapping()
    sections = {
        table.section: compose(
            _QUERIES["graph_rows"],
            {
                "table": graph.named(table.table),
                "id": table.column("id"),
                "provenance": table.column("provenance_event_ids"),
            },
        )
        for table in graph.tables
    }
    return {**sections, LEDGER: compose(_QUERIES["ledger_rows"], {"ledger": graph.named(LEDGER_TABLE)})}
