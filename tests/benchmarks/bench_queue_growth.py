"""Cost of an event as done rows grow: ``python tests/benchmarks/bench_queue_growth.py [--sizes N,N,N] [--report]``.

One database a size, with so many done rows in queue, events, ledger and traces. In turns a batch of new events is put
into each, claimed and finished through our own code: half of them written by the student, half by the teacher with a
trace. Every event says one entity of its own, so that it is not the graph whose growth is measured.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg
from live_load import server_in_words
from machine import describe_machine
from psycopg.conninfo import make_conninfo

from cascade_cli.policy import Policy, decide
from cascade_cli.postgres import ColumnMapping, apply_migrations, embedded_postgres
from cascade_cli.postgres.control import Control, Mode
from cascade_cli.postgres.graph import Graph
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Claimed, Lane, Queue, QueueSettings
from cascade_cli.postgres.writing import Author, JudgedAnswer, Outcome, Standing, TeacherWritten, Writer
from cascade_cli.records import StudentAnswer, Trace

REPORT = Path(__file__).parents[2] / "reports" / "queue-growth.md"
SIZES = (10_000, 100_000, 1_000_000)
BATCH, WARM_UP = 100, 3
AUTHOR = Author("student-4b", "teacher-27b", "f1e0ff", Policy().fingerprint, "1.0")
DONE = """
INSERT INTO events (id, arena, content) SELECT 'old-' || n, 'sales', 'hello' FROM generate_series(1, %(rows)s) AS n;
INSERT INTO distillation_queue (event_id, status, claimed_by, claimed_at)
SELECT 'old-' || n, 'done', 'w/' || md5((n / 100)::text), now() FROM generate_series(1, %(rows)s) AS n;
INSERT INTO event_distillations (event_id, producer, llm_model, escalated)
SELECT 'old-' || n, CASE n %% 2 WHEN 0 THEN 'student' ELSE 'teacher' END, 'm', false
FROM generate_series(1, %(rows)s) AS n;
INSERT INTO distillation_traces (id, event_id, raw_response, created_at)
SELECT md5(n::text), 'old-' || n, '{}', now() - n * interval '1 s' FROM generate_series(1, %(rows)s) AS n;
"""
TEXT = """\
# The cost of an event as done rows grow

Written by `python tests/benchmarks/bench_queue_growth.py --report` on {machine}; {server}. One database a size, with so
many done rows in queue, events, ledger and traces; batches of {batch} in turns, each claimed and finished through
`postgres.queue` and `postgres.writing`, half by the student, half by the teacher with a trace. Medians over {repeats}
batches a size; microseconds an event.
"""


@dataclass(frozen=True)
class Cost:
    """Of one event, in microseconds."""

    client_cpu: float
    server_cpu: float
    wall: float


class Growing:
    """One database, and what claims from it and writes to it; all by one connection."""

    def __init__(self, pool: Pool) -> None:
        mapping, control = ColumnMapping(), Control(pool)
        self._pool = pool
        self._queue = Queue.open(pool, mapping, QueueSettings(), "w", random=Random(0))
        self._writer = Writer.open(pool, mapping, self._queue, Graph(), control, AUTHOR, random=Random(0))
        with pool.explained() as connection:
            self._clock = Path(f"/proc/{connection.info.backend_pid}/schedstat")
        self._batches = 0

    def cost(self) -> Cost:
        """Of each event of one further batch."""
        self._enqueue()
        client_s, server_s, began_s = time.thread_time(), self._server_s(), time.perf_counter()
        claims = self._queue.claim(Lane.STUDENT, BATCH)
        report = self._writer.write([_outcome(claim, number) for number, claim in enumerate(claims)], Mode.FLIP)
        taken = (time.thread_time() - client_s, self._server_s() - server_s, time.perf_counter() - began_s)
        if len(report.written) != BATCH or report.lost_audits:
            raise RuntimeError(f"{len(report.written)} of {BATCH} were written")
        return Cost(*(1e6 * seconds / BATCH for seconds in taken))

    def _enqueue(self) -> None:
        self._batches += 1
        ids = [f"new-{self._batches}-{number}" for number in range(BATCH)]
        with self._pool.explained() as connection:
            connection.execute("INSERT INTO events (id, content) SELECT unnest(%s::text[]), 'hello'", [ids])
            connection.execute("INSERT INTO distillation_queue (event_id) SELECT unnest(%s::text[])", [ids])

    def _server_s(self) -> float:
        return int(self._clock.read_text().split()[0]) / 1e9


def _outcome(claim: Claimed, number: int) -> Outcome:
    said = {"entities": [{"type": "person", "name": f"Person {claim.event_id}"}]}
    if number % 2:
        return TeacherWritten(claim, said, trace=Trace(claim.event_id, "{}", f"trace {claim.event_id}", "f1e0ff"))
    if claim.event is None:
        raise RuntimeError("there is no event")
    answer = StudentAnswer(claim.event_id, "{}", AUTHOR.student_model, student_ms=9.5)
    return Standing(claim, said, JudgedAnswer(answer, parsed=True, decision=decide(claim.event, said, Policy())))


@contextmanager
def grown(dsn: str, rows: int) -> Iterator[Growing]:
    """A database with so many done rows."""
    name = f"grown_{rows}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    own = make_conninfo(dsn, dbname=name)
    apply_migrations(own, with_team_tables=True)
    with psycopg.connect(own, autocommit=True) as connection:
        for statement in DONE.split(";\n")[:4]:
            connection.execute(statement, {"rows": rows})
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    with Pool(own) as pool:
        yield Growing(pool)


def measure(databases: Sequence[Growing], repeats: int) -> list[list[Cost]]:
    """For each database its costs; the first few batches, which fill caches, left out."""
    costs: list[list[Cost]] = [[] for _ in databases]
    for _ in range(WARM_UP + repeats):
        for database, found in zip(databases, costs, strict=True):
            found.append(database.cost())
    return [found[WARM_UP:] for found in costs]


def table(sizes: Sequence[int], costs: Sequence[Sequence[Cost]]) -> str:
    """One line a size, each median beside that of the smallest."""
    medians = [_medians(found) for found in costs]
    head = "| done rows | client CPU | server CPU | both | wall |\n| ---: | ---: | ---: | ---: | ---: |"
    rows = [[f"{size:,}", *map(_beside, found, medians[0])] for size, found in zip(sizes, medians, strict=True)]
    return "\n".join([head, *(f"| {' | '.join(cells)} |" for cells in rows)])


def _medians(costs: Sequence[Cost]) -> tuple[float, ...]:
    columns = ((each.client_cpu, each.server_cpu, each.client_cpu + each.server_cpu, each.wall) for each in costs)
    return tuple(map(statistics.median, zip(*columns, strict=True)))


def _beside(mine: float, first: float) -> str:
    return f"{mine:,.0f} ({mine / first:.2f})"


def main() -> None:
    """Fill, measure, print, and write the report where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    with ExitStack() as stack:
        dsn = stack.enter_context(embedded_postgres()).dsn
        costs = measure([stack.enter_context(grown(dsn, size)) for size in sizes], given.repeats)
        about = TEXT.format(machine=describe_machine(), server=server_in_words(dsn), batch=BATCH, repeats=given.repeats)
    told = f"{about}\n{table(sizes, costs)}\n\nIn brackets: beside {sizes[0]:,} done rows.\n"
    print(told)
    if given.report:
        REPORT.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
