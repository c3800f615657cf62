"""Milliseconds per batch while a graph grows large: ``python tests/benchmarks/bench_graph.py [EVENTS]``.

Each event has 18 links: entities of which a few are everywhere, facts of its own, relationships between neighbours. Two
of its entities were written provisionally before. What the student says differs from the teacher's answer in a name, in
the relationships of that name, and in a fact.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import psycopg
from machine import describe_machine

from cascade_cli.postgres import apply_migrations, embedded_postgres
from cascade_cli.postgres.graph import Graph, GraphWrite
from cascade_cli.records import Event

BATCH = 100

Connection = psycopg.Connection[tuple[Any, ...]]


def extraction(number: int, *, flawed: bool) -> Mapping[str, list[dict[str, str]]]:
    """Eight entities, six facts and four relationships."""
    random = Random(number)
    people = [f"Person {int(random.paretovariate(0.25)) % 200_000}" for _ in range(8)]
    told = [f"Event {number} says that {person} did thing {random.randrange(100)}" for person in people[:6]]
    if flawed:
        people[0] += " Jr"
        told[1] += " maybe"
    return {
        "entities": [{"type": "person", "name": name, "email": f"{name.replace(' ', '.')}@x.test"} for name in people],
        "facts": [{"category": "status", "statement": text, "subject": text[:12]} for text in told],
        "relationships": [{"source": people[n], "type": "knows", "target": people[n + 1]} for n in range(4)],
    }


def write(number: int, *, flawed: bool) -> GraphWrite:
    """What the student (flawed) or the teacher says of an event."""
    return GraphWrite(Event(f"evt-{number:07d}", f"arena-{number % 8}"), extraction(number, flawed=flawed))


def load(connection: Connection, graph: Graph, events: int) -> Iterator[float]:
    """Provisional rows first, then the student's; yields milliseconds per batch of the latter."""
    for first in range(0, events, BATCH):
        batch = [write(number, flawed=True) for number in range(first, first + BATCH)]
        with connection.transaction():
            graph.upsert(
                connection,
                [
                    GraphWrite(w.event, {"entities": extraction(n, flawed=False)["entities"][:2]})
                    for n, w in enumerate(batch, first)
                ],
            )
        began = time.perf_counter()
        with connection.transaction():
            graph.record(connection, graph.upsert(connection, batch))
            connection.execute(
                "INSERT INTO event_distillations (event_id, producer, llm_model, escalated) "
                "SELECT id, 'student', 'm', false FROM unnest(%s::text[]) AS id",
                [[each.event_id for each in batch]],
            )
        yield (time.perf_counter() - began) * 1_000


def told(what: str, taken_ms: list[float]) -> None:
    """Median, and how long all but one in a hundred took at most."""
    ordered = sorted(taken_ms)
    print(
        f"{what:<58}{statistics.median(ordered):>8.2f} ms   p99 {ordered[int(len(ordered) * 0.99)]:.2f} ms", flush=True
    )


def main(events: int) -> None:
    """Fill a graph."""
    print(describe_machine())
    graph = Graph()
    with embedded_postgres() as server:
        apply_migrations(server.dsn, with_team_tables=True)
        with psycopg.connect(server.dsn, autocommit=True, prepare_threshold=None) as connection:
            batches = list(load(connection, graph, events))
            told("a batch of 100 events, the first thousand", batches[:10])
            told("a batch of 100 events, the last thousand", batches[-10:])
            connection.execute("VACUUM ANALYZE")
            ((longest, links),) = connection.execute(
                "SELECT (SELECT max(cardinality(provenance_event_ids)) FROM entities), count(*) "
                "FROM cascade_touched_rows"
            )
            print(f"{events:,} events, {links:,} links of the student's; the longest provenance has {longest:,} ids")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
