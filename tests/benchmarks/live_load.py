"""Events for a live worker with 18 links each, and a clean database with all of them in the queue.

The content of an event is the answer that any model gives about it, so that an endpoint need not know anything.
"""

from __future__ import annotations

import json

import psycopg
from bench_graph import extraction

TABLES = (
    "distillation_queue, distillation_traces, entities, facts, relationships, event_distillations,"
    " cascade_escalations, cascade_queue_marks, cascade_touched_rows, cascade_student_answers"
)
SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers")


def load(dsn: str, events: int) -> None:
    """Begin anew with so many events in the queue, everything flushed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"TRUNCATE events, {TABLES} RESTART IDENTITY")
        with connection.cursor().copy("COPY events (id, arena, content) FROM STDIN") as rows:
            for number in range(events):
                said = json.dumps(extraction(number, flawed=False))
                rows.write_row((f"evt-{number:07d}", f"arena-{number % 8}", said))
        connection.execute("INSERT INTO distillation_queue (event_id) SELECT id FROM events ORDER BY id")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def seconds(dsn: str, events: int) -> float:
    """From the first claim to the last ledger row, by the server's clock; every event must be done."""
    with psycopg.connect(dsn) as connection:
        (left,) = connection.execute("SELECT count(*) FROM distillation_queue WHERE status <> 'done'").fetchone() or ()
        (written, taken_s) = (
            connection.execute(
                "SELECT count(*), extract(epoch FROM max(distilled_at)"
                " - (SELECT min(claimed_at) FROM distillation_queue))::float8 FROM event_distillations"
            ).fetchone()
            or ()
        )
    if left or written != events:
        raise RuntimeError(f"{left} events are left, {written} of {events} are in the ledger")
    return float(taken_s)


def server_in_words(dsn: str) -> str:
    """Version and what makes commits durable."""
    with psycopg.connect(dsn) as connection:
        found = {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in SETTINGS}
    told = {name: value[0] for name, value in found.items() if value}
    return f"PostgreSQL {told.pop('server_version')}, " + ", ".join(f"{name} {value}" for name, value in told.items())
