"""How many events simulated policies send to the teacher."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

from cascade_cli.workspace.columns import aware_utc, naive_utc
from cascade_cli.workspace.database import QUERIES, fetch
from cascade_cli.workspace.records import SimulatedRate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb


def add_simulated_rates(connection: duckdb.DuckDBPyConnection, rates: Iterable[SimulatedRate]) -> None:
    """Keep what a simulation found."""
    rows = [{**asdict(rate), "simulated_at": naive_utc(rate.simulated_at)} for rate in rates]
    names = [column.name for column in fields(SimulatedRate)]
    connection.execute(QUERIES["add_simulated_rates"], {name: [row[name] for row in rows] for name in names})


def latest_simulated_rate(connection: duckdb.DuckDBPyConnection, policy_fingerprint: str) -> SimulatedRate | None:
    """What the latest simulation of a policy found; None where there was none."""
    for values in fetch(connection, "simulated_rate", {"policy_fingerprint": policy_fingerprint}):
        found = SimulatedRate(*values)
        return replace(found, simulated_at=aware_utc(found.simulated_at))
    return None
