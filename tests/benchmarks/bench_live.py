"""Events a second of ``cascade run --flip`` beside a floor and other queues: ``python tests/benchmarks/bench_live.py``.

Options: ``--events N`` a worker, ``--repeats N``, ``--report`` writes ``reports/live-throughput.md``. Everything is
measured in turns over one server, so what else the machine does falls on all alike; the ratios are taken within a turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from subprocess import PIPE, Popen
from uuid import uuid4

import psycopg
import queue_peers
from live_load import load, seconds, server_in_words
from machine import describe_machine
from processes import Done, cpu_s, finished, start
from psycopg.conninfo import make_conninfo

from cascade_cli.postgres import apply_migrations, embedded_postgres

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / "reports" / "live-throughput.md"
BATCHES, WORKERS = (100, 500), (1, 2)
PEER_JOBS = {"procrastinate": 300, "pgqueuer": 3_000}
LEAST_EVENTS = 1_000
AIM = 2 / 3
PREPARED = "[postgres]\nprepare = true\n"
_IN_HAND = 2
"""A worker writes half of what is in its hand and asks about the other half meanwhile."""
TEXT = """\
# The live worker's throughput

Written by `python tests/benchmarks/bench_live.py --report` on {machine}; {server}.

{repeats} turns, {events:,} events a worker in each; medians, the range of all turns in brackets. Every event has 18
links, and its answer is in graph, ledger and queue when it counts as done; a second is one of the server's clock
between the first claim and the last ledger row. Two cores, shared with others, carry all of it: workers, server and
endpoint. So the clock tells less than the CPU seconds do.

- **floor**: claim, graph rows, ledger, trace and done in one transaction a batch, psycopg alone (`live_floor.py`). It
  asks no model and applies no gate. *With touched rows* it also records which rows each event is on, without which
  what a student wrote could not be found again.
- **cascade run --flip**: the command, with twice the batch in hand (`live.batch`), of which it writes half at a time,
  and with prepared statements (`postgres.prepare`), as the floor has them.
  One event in twenty is sampled and so goes the teacher's way: decided, given back, claimed again, written with a
  trace. *Over HTTP* it asks an endpoint in another process that answers at once. *Answered in place* it has a
  transport without a network (`instant_cascade.py`), so that what is left is our own consumer.
- **ratio**: to the floor of the same batch with as many processes, within a turn; in brackets to the floor with touched
  rows.
- **per CPU s**: events for each CPU second of the workers (starting up apart), of the server, and of all, endpoint too.
"""


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        name: what it is.
        workers: processes.
        batch: events in a transaction; None where that is not set.
    """

    name: str
    workers: int
    batch: int | None = None


@dataclass(frozen=True)
class Run:
    """What was measured once; CPU seconds of workers, server and endpoint."""

    events: int
    seconds: float
    workers_cpu_s: float
    server_cpu_s: float
    endpoint_cpu_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def per_cpu_s(self) -> tuple[float, float, float]:
        """Events for a CPU second of the workers, of the server, and of all."""
        all_s = self.workers_cpu_s + self.server_cpu_s + self.endpoint_cpu_s
        return self.events / self.workers_cpu_s, self.events / self.server_cpu_s, self.events / all_s


FLOOR, TOUCHED = "floor", "floor with touched rows"
HTTP, IN_PLACE = "cascade run --flip over HTTP", "cascade run --flip answered in place"
COMMANDS = {HTTP: ["-m", "cascade_cli"], IN_PLACE: [str(HERE / "instant_cascade.py")]}


class Bench:
    """A server, an endpoint, and a folder to run in."""

    def __init__(self, dsn: str, endpoint: Popen[str], folder: Path, events: int) -> None:
        assert endpoint.stdout is not None
        self.dsn = dsn
        self._endpoint = endpoint
        self._url = endpoint.stdout.readline().strip()
        self._folder = folder
        self._events = events
        self._server = _server_pid(dsn)
        self._start_s: dict[Subject, float] = {}

    def floor(self, subject: Subject) -> Run:
        """The floor's processes over a full queue."""
        touched = ["touched"] if subject.name == TOUCHED else []
        command = [sys.executable, str(HERE / "live_floor.py"), self.dsn, str(subject.batch), *touched]
        return self._measured(subject, [command] * subject.workers, lambda done: json.loads(done.out)["cpu_s"])

    def cascade(self, subject: Subject) -> Run:
        """The command over a full queue; what it takes to start and to find nothing is measured once, and left out."""
        command = self._run(subject.name, subject.workers)
        if subject not in self._start_s:
            load(self.dsn, 0)
            self._start_s[subject] = finished(self._started(command, subject)).cpu_s
        return self._measured(subject, [command], lambda done: done.cpu_s - self._start_s[subject])

    def peer(self, subject: Subject) -> Run:
        """Workers of another queue, each until nothing is left, in a database of its own."""
        jobs = PEER_JOBS[subject.name] * subject.workers
        with _database(self.dsn) as dsn:
            queue_peers.enqueue(subject.name, dsn, jobs)
            before_s = cpu_s(self._server)
            command = [sys.executable, str(HERE / "queue_peers.py"), subject.name, dsn]
            processes = [start(command, self._folder) for _ in range(subject.workers)]
            told = [json.loads(finished(process).out) for process in processes]
            server_s = cpu_s(self._server) - before_s
            with psycopg.connect(dsn) as connection:
                if connection.execute(queue_peers.LEFT[subject.name]).fetchone() != (0,):
                    raise RuntimeError(f"{subject.name} has left jobs")
        taken_s = max(each["ended_at"] for each in told) - min(each["began_at"] for each in told)
        return Run(jobs, taken_s, sum(each["cpu_s"] for each in told), server_s)

    def _measured(self, subject: Subject, commands: list[list[str]], used_s: Callable[[Done], float]) -> Run:
        events = self._events * subject.workers
        load(self.dsn, events)
        server_s, endpoint_s = cpu_s(self._server), cpu_s(self._endpoint.pid)
        done = [finished(process) for process in [self._started(command, subject) for command in commands]]
        server_s, endpoint_s = cpu_s(self._server) - server_s, cpu_s(self._endpoint.pid) - endpoint_s
        return Run(events, seconds(self.dsn, events), sum(map(used_s, done)), server_s, endpoint_s)

    def _started(self, command: list[str], subject: Subject) -> Popen[str]:
        in_hand = _IN_HAND * (subject.batch or 0)
        (self._folder / "cascade.toml").write_text(f"[live]\nbatch = {in_hand}\n{PREPARED}", encoding="utf-8")
        environment = {
            "DATABASE_URL": self.dsn,
            "CASCADE_ENABLED": "true",
            "STUDENT_ENDPOINT": self._url,
            "LLM_ENDPOINT": self._url,
            "LLM_MODEL": "teacher-27b",
            "TEACHER_SYSTEM_PROMPT_FILE": "prompt.txt",
        }
        return start(command, self._folder, environment)

    def _run(self, name: str, workers: int) -> list[str]:
        words = ["run", "--flip", "--force", "a benchmark", "--yes", "--once", "--workers", str(workers)]
        return [sys.executable, *COMMANDS[name], *words]


@contextmanager
def opened(events: int) -> Iterator[Bench]:
    """Start everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "prompt.txt").write_text("Distil these events.", encoding="utf-8")
        server = stack.enter_context(embedded_postgres())
        apply_migrations(server.dsn, with_team_tables=True)
        command = [sys.executable, str(HERE / "instant_endpoint.py")]
        endpoint = stack.enter_context(Popen(command, stdout=PIPE, text=True))
        stack.callback(endpoint.kill)
        yield Bench(server.dsn, endpoint, folder, events)


@contextmanager
def _database(dsn: str) -> Iterator[str]:
    name = f"peer_{uuid4().hex}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield make_conninfo(dsn, dbname=name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _server_pid(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        (folder,) = connection.execute("SELECT current_setting('data_directory')").fetchone() or ("",)
    return int((Path(folder) / "postmaster.pid").read_text().split()[0])


def subjects() -> list[Subject]:
    """What is measured in a turn, in this order."""
    ours = [
        Subject(name, workers, batch)
        for batch in BATCHES
        for workers in WORKERS
        for name in (FLOOR, TOUCHED, HTTP, IN_PLACE)
    ]
    installed = [name for name in queue_peers.PEERS if name not in queue_peers.missing()]
    return ours + [Subject(name, workers) for name in installed for workers in WORKERS]


def measure(bench: Bench, repeats: int) -> Mapping[Subject, list[Run]]:
    """Everything in turns."""
    runs: dict[Subject, list[Run]] = defaultdict(list)
    for turn in range(repeats):
        for subject in subjects():
            how = bench.floor if "floor" in subject.name else bench.cascade if "run" in subject.name else bench.peer
            runs[subject].append(how(subject))
            print(f"turn {turn + 1}: {subject}: {runs[subject][-1].per_s:,.0f}/s", file=sys.stderr, flush=True)
    return runs


def table(runs: Mapping[Subject, list[Run]]) -> str:
    """One line a subject."""
    head = ["what", "batch", "workers", "events/s", "ratio", "per CPU s: workers", "server", "all", "ratio"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *(_line(subject, runs) for subject in runs)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _line(subject: Subject, runs: Mapping[Subject, list[Run]]) -> list[str]:
    per_s = [run.per_s for run in runs[subject]]
    per_cpu_s = [statistics.median(values) for values in zip(*(run.per_cpu_s for run in runs[subject]), strict=True)]
    return [
        subject.name,
        f"{subject.batch or ''}",
        f"{subject.workers}",
        f"{statistics.median(per_s):,.0f} ({min(per_s):,.0f}–{max(per_s):,.0f})",
        _ratios(subject, runs, lambda run: run.per_s),
        *(f"{value:,.0f}" for value in per_cpu_s),
        _ratios(subject, runs, lambda run: run.per_cpu_s[-1]),
    ]


def _ratios(subject: Subject, runs: Mapping[Subject, list[Run]], of: Callable[[Run], float]) -> str:
    """To the floor, and to the one with touched rows; nothing for other queues, whose jobs do nothing."""
    to_floor, to_touched = (_ratio(subject, floor, runs, of) for floor in (FLOOR, TOUCHED))
    return "" if to_floor is None or to_touched is None else f"{to_floor:.2f} ({to_touched:.2f})"


def _ratio(subject: Subject, floor: str, runs: Mapping[Subject, list[Run]], of: Callable[[Run], float]) -> float | None:
    """The median over turns; None where there is no such floor."""
    beside = runs.get(Subject(floor, subject.workers, subject.batch))
    if beside is None:
        return None
    return statistics.median(of(run) / of(other) for run, other in zip(runs[subject], beside, strict=True))


def verdict(runs: Mapping[Subject, list[Run]]) -> str:
    """Where two thirds of the floor are reached and where not, in words."""
    ours = [subject for subject in runs if subject.name in COMMANDS]
    reached = [each for each in ours if (_ratio(each, FLOOR, runs, lambda run: run.per_s) or 0.0) >= AIM]
    return f"Two thirds of the floor are reached in {len(reached)} of {len(ours)} lines of ours: " + (
        "; ".join(f"{each.name}, batch {each.batch}, {each.workers} workers" for each in reached) or "none"
    )


def peers_in_words() -> str:
    """Versions of the other queues, and what is missing."""
    missing = queue_peers.missing()
    there = [f"{name} {version(name)}" for name in queue_peers.PEERS if name not in missing]
    absent = [f"{name} was left out: {cure}" for name, cure in missing.items()]
    return f"Other queues, with jobs that do nothing: {'; '.join([*there, *absent])}."


def main() -> None:
    """Measure, print, and write the report where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    if given.events < LEAST_EVENTS:
        parser.error(f"--events: CPU time is told in hundredths of a second, so take {LEAST_EVENTS:,} at least")
    with opened(given.events) as bench:
        machine = f"{describe_machine()}, psycopg {version('psycopg')}, httpx {version('httpx')}"
        about = partial(TEXT.format, machine=machine, server=server_in_words(bench.dsn))
        runs = measure(bench, given.repeats)
    told = "\n".join(
        [about(repeats=given.repeats, events=given.events), table(runs), "", f"{verdict(runs)}.", "", peers_in_words()]
    )
    print(told)
    if given.report:
        REPORT.write_text(told + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
