"""Which events a live worker gave to the teacher, and which waited for it when its database was read last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_cli.workspace.columns import aware_utc, naive_utc
from cascade_cli.workspace.database import QUERIES, fetch
from cascade_cli.workspace.records import Awaited

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import duckdb

    from cascade_cli.records import AwaitedEvent


def set_awaited(
    connection: duckdb.DuckDBPyConnection, source: str, as_of: datetime, events: Sequence[AwaitedEvent]
) -> None:
    """Replace what was known of a source; the caller's transaction holds it together."""
    forget_awaited(connection, source)
    connection.execute(QUERIES["add_awaited_as_of"], {"source": source, "as_of": naive_utc(as_of)})
    columns = {
        "source": source,
        "event_id": [event.event_id for event in events],
        "reason": [event.reason for event in events],
        "decided_at": [naive_utc(event.decided_at) for event in events],
    }
    connection.execute(QUERIES["add_awaited_events"], columns)


def forget_awaited(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Know nothing of a source any more."""
    for name in ("forget_awaited_events", "forget_awaited_as_of"):
        connection.execute(QUERIES[name], {"source": source})


def read_escalated(connection: duckdb.DuckDBPyConnection, reason: str) -> frozenset[str]:
    """The events that a live worker's teacher answered for one reason."""
    return frozenset(event_id for (event_id,) in fetch(connection, "escalated_by", {"reason": reason}))


def read_awaited(connection: duckdb.DuckDBPyConnection, reason: str) -> Awaited | None:
    """What waits by one reason; None where no database with a live worker was ever read."""
    for as_of, events, since, lost in fetch(connection, "awaited", {"reason": reason}):
        return Awaited(aware_utc(as_of), events, aware_utc(since), lost)
    return None
