"""Rows per second of `pull`, from PostgreSQL and from memory: ``python tests/benchmarks/bench_pull.py [ROWS]``."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from cascade_cli.postgres import PostgresSource, apply_migrations, embedded_postgres, load_rows
from cascade_cli.pulling import PullReport, pull, pull_postgres
from cascade_cli.records import Event, Row, StudentAnswer, Trace
from cascade_cli.workspace import Workspace, stream_pairs

START = datetime(2026, 6, 18, tzinfo=UTC)
ADDED = 500
ENTITIES = [{"type": "person", "name": f"Person {n}", "email": f"p{n}@acme.com"} for n in range(12)]
EXTRACTION = json.dumps({"entities": ENTITIES})


def rows(count: int) -> Iterator[Row]:
    """Rows of about two kilobytes, each with its event and a student's answer."""
    for number in range(count):
        event_id, created_at = f"evt-{number}", START + timedelta(seconds=number)
        event = Event(event_id, "sales", f"Mail {number}. " * 40, {"to_emails": ["a@b.c"]}, ("sales",))
        trace = Trace(event_id, EXTRACTION, f"t-{number:08d}", "f1e0ff", "qwen", None, 840.0, created_at, event)
        yield Row(trace, StudentAnswer(event_id, EXTRACTION, "nuextract-2.0-4b-ft"))


def timed(what: str, work: Callable[[], PullReport | int], count: int) -> None:
    """Run once and print the rate."""
    began = time.perf_counter()
    done = work()
    took = time.perf_counter() - began
    shown = f"new {done.new_traces:,}, seen {done.seen:,}" if isinstance(done, PullReport) else f"read {done:,}"
    print(f"{what:<34}{count / took:>10,.0f} rows/s  {took:6.2f} s  {shown}")


def main(count: int) -> None:
    """Pull, pull again, and read back."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "stream"
        timed("stream, first pull", lambda: pull(rows(count), folder), count)
        timed("stream, again", lambda: pull(rows(count), folder), count)
        timed("read back as pairs", lambda: sum(1 for _ in stream_pairs(folder)), count)
        with embedded_postgres() as server:
            apply_migrations(server.dsn, with_team_tables=True)
            timed("load into PostgreSQL (COPY)", lambda: load_rows(server.dsn, rows(count)), count)
            folder = Path(parent) / "postgres"
            with PostgresSource.open(server.dsn) as source:
                timed("PostgreSQL, first pull", lambda: pull_postgres(source, folder), count)
                timed("PostgreSQL, again (by the mark)", lambda: pull_postgres(source, folder), count)
                load_rows(server.dsn, islice(rows(count + ADDED), count, None))
                timed(f"PostgreSQL, {ADDED} rows later", lambda: pull_postgres(source, folder), ADDED)
        with Workspace.open(folder) as workspace:
            print(workspace.counts())
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
