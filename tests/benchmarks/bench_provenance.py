"""What a further event costs on a row that many are on: ``python tests/benchmarks/bench_provenance.py``.

Server CPU of one batch that adds an id to each of 80 rows, by our upsert and by a bare update, with the provenance
stored as usual (compressed) and uncompressed. On Linux, where the server's CPU time is told to the nanosecond.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import psycopg
from live_load import server_in_words
from machine import describe_machine

from cascade_cli.postgres import apply_migrations, embedded_postgres
from cascade_cli.postgres.graph import Graph, GraphWrite
from cascade_cli.records import Event

ROWS, REPEATS = 80, 9
LENGTHS = (300, 3_000, 10_000)
FILL = """
INSERT INTO entities (arena, participant_set, disclosure_class, type, name, provenance_event_ids)
SELECT 'a', '{a}', 'private', 'person', 'Person ' || n,
    (SELECT array_agg('evt-' || lpad((n * 100000 + k)::text, 9, '0')) FROM generate_series(1, %s) AS k)
FROM generate_series(1, %s) AS n
"""
BARE = """
UPDATE entities SET provenance_event_ids = provenance_event_ids || ARRAY[%(id)s::text]
WHERE NOT provenance_event_ids @> ARRAY[%(id)s::text]
"""


def upserted(connection: psycopg.Connection, number: int) -> None:
    """One event that names all the persons."""
    said = {"entities": [{"type": "person", "name": f"Person {n}"} for n in range(1, ROWS + 1)]}
    Graph().upsert(connection, [GraphWrite(Event(f"ours-{number}", "a"), said)])


def updated(connection: psycopg.Connection, number: int) -> None:
    """The same by hand."""
    connection.execute(BARE, {"id": f"bare-{number}"})


def server_ms(connection: psycopg.Connection, write: Callable[[psycopg.Connection, int], None]) -> float:
    """Median CPU milliseconds of the server for one write."""
    clock, taken = Path(f"/proc/{connection.info.backend_pid}/schedstat"), []
    for number in range(REPEATS):
        before = int(clock.read_text().split()[0])
        write(connection, number)
        taken.append((int(clock.read_text().split()[0]) - before) / 1e6)
    return statistics.median(taken)


def main() -> None:
    """Print one line for each length and way of storing."""
    with embedded_postgres() as server:
        apply_migrations(server.dsn, with_team_tables=True)
        print(f"{describe_machine()}; {server_in_words(server.dsn)}; n = {REPEATS}, {ROWS} rows each")
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            for storage in ("EXTENDED", "EXTERNAL"):
                connection.execute(f"ALTER TABLE entities ALTER provenance_event_ids SET STORAGE {storage}")
                for length in LENGTHS:
                    connection.execute("TRUNCATE entities")
                    connection.execute(FILL, [length, ROWS])
                    ours, bare = server_ms(connection, upserted), server_ms(connection, updated)
                    print(f"{storage}, {length:>6,} ids: upsert {ours:7.2f} ms, bare update {bare:7.2f} ms", flush=True)


if __name__ == "__main__":
    main()
