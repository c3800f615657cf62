"""The register of runs, and how far each source was read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cascade_cli.workspace.columns import aware_utc, naive_utc
from cascade_cli.workspace.database import QUERIES, fetch
from cascade_cli.workspace.records import Run, Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import duckdb


def start_run(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """Write a run down, before its work begins."""
    parameters = {
        "run_id": run.run_id,
        "command": run.command,
        "version": run.version,
        "configuration": json.dumps(dict(run.configuration)),
        "watermark": run.watermark,
        "counts": json.dumps(dict(run.counts)),
        "status": run.status,
        "started_at": naive_utc(run.started_at),
        "finished_at": naive_utc(run.finished_at),
    }
    connection.execute(QUERIES["start_run"], parameters)


def continue_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Open a run's record again."""
    connection.execute(QUERIES["continue_run"], {"run_id": run_id})


def unfinished_run(connection: duckdb.DuckDBPyConnection, command: str) -> Run | None:
    """The latest run of a command that did not come to its end; None where there is none."""
    for stored in fetch(connection, "unfinished_run", {"command": command}):
        return _run_of(stored)
    return None


def finish_run(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    status: str,
    counts: Mapping[str, int],
    finished_at: datetime,
) -> None:
    """Close a run's record."""
    parameters = {
        "run_id": run_id,
        "status": status,
        "counts": json.dumps(dict(counts)),
        "finished_at": naive_utc(finished_at),
    }
    connection.execute(QUERIES["finish_run"], parameters)


def latest_runs(connection: duckdb.DuckDBPyConnection, limit: int) -> list[Run]:
    """The latest runs, newest first."""
    return [_run_of(stored) for stored in fetch(connection, "runs", {"limit": limit})]


def _run_of(stored: tuple[Any, ...]) -> Run:
    run_id, command, version, configuration, watermark, counts, status, started_at, finished_at = stored
    return Run(
        run_id=run_id,
        command=command,
        version=version,
        configuration=json.loads(configuration),
        started_at=aware_utc(started_at),
        watermark=watermark,
        counts=json.loads(counts),
        status=status,
        finished_at=aware_utc(finished_at),
    )


def read_window(connection: duckdb.DuckDBPyConnection, source: str) -> Window | None:
    """How far a source was read; None where it never was."""
    for since, until in fetch(connection, "window", {"source": source}):
        return Window(aware_utc(since), aware_utc(until))
    return None


def set_window(connection: duckdb.DuckDBPyConnection, source: str, window: Window) -> None:
    """Remember how far a source was read."""
    parameters = {
        "source": source,
        "since_at": naive_utc(window.since),
        "until_at": naive_utc(window.until),
    }
    connection.execute(QUERIES["set_window"], parameters)
