"""``cascade dashboard`` over a million scored pairs: how long each page takes, and what it holds in memory.

python tests/benchmarks/bench_dashboard.py [--pairs 1000000] [--asks 60] [--workspace FOLDER]

Each page is asked for a few times to warm up, then so many times that are measured, by one client on loopback. Lists
are filtered and entered at random places, events chosen at random, knobs turned to another place each time. What is
measured is the time until the whole answer is there; beside it stands the CPU time of the server for each answer, which
does not depend on how busy the machine is. Below stands how long a writer takes that opens the workspace and writes
nothing: alone, while all pairs are read, and while several clients ask for one event after another.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from benchmarks.bench_million import HASHES, write_pairs
from benchmarks.machine import describe_machine
from serving import Served, cascade, served

from cascade_cli.workspace import Workspace
from scorers import KINDS

WARM_UPS = 5
WANTED_MS = 300
ASKING = 5
_TIMEOUT_S = 7_200.0
_WRITERS_S = 30.0
PLAIN = ("/", "/hashes", "/time", "/errors", "/alarms", "/runs", "/compare", "/live", "/origin")


def make_workspace(folder: Path, pairs: int) -> Path:
    """A workspace with so many scored pairs."""
    write_pairs(folder / "pairs.jsonl.gz", pairs)
    for words in (("pull", "pairs.jsonl.gz"), ("score", "--processes", "2")):
        cascade(folder, *words, timeout_s=_TIMEOUT_S)
    return folder / ".cascade"


def addresses(rng: random.Random, pairs: int, dashboard: Served) -> dict[str, Callable[[], str]]:
    """Each page's name, and another address of it each time."""
    places = [dashboard.twin(f"events.json?verdict=agrees&kind={kind}&size=500")["after"] for kind in KINDS]
    entered = [place for place in places if place]

    def knobs() -> str:
        names = rng.sample(["decision", "commitment", "risk", "status", "request"], rng.randint(0, 4))
        return f"/frontier?{urlencode({'sample_rate': f'{rng.random():.4f}', 'high_value': ['', *names]}, doseq=True)}"

    return {
        **{path: lambda path=path: path for path in PLAIN},
        "/events": lambda: f"/events?{urlencode({'kind': rng.choice(KINDS), 'hash': rng.choice(HASHES)})}",
        "/events, entered anywhere": lambda: f"/events?{urlencode({'after': rng.choice(entered)})}",
        "/events/ID": lambda: f"/events/event-{rng.randrange(pairs):07}",
        "/frontier": lambda: "/frontier",
        "/frontier, knobs turned": knobs,
        "/api/simulate.json, knobs turned": lambda: knobs().replace("/frontier", "/api/simulate.json"),
    }


def measure(dashboard: Served, address: Callable[[], str], asks: int) -> tuple[list[float], float]:
    """Milliseconds of each answer, sorted; mean milliseconds of CPU."""
    taken: list[float] = []
    before_ms = 0.0
    for number in range(WARM_UPS + asks):
        if number == WARM_UPS:
            before_ms = cpu_ms(dashboard)
        path = address()
        began_s = time.perf_counter()
        status, body, _ = dashboard.get(path)
        taken_ms = (time.perf_counter() - began_s) * 1_000
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body[:500]}")
        if number >= WARM_UPS:
            taken.append(taken_ms)
    return sorted(taken), (cpu_ms(dashboard) - before_ms) / asks


def cpu_ms(dashboard: Served) -> float:
    """What the server has used of all cores so far."""
    fields = Path(f"/proc/{dashboard.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1_000 / os.sysconf("SC_CLK_TCK")


def wait_until_read(dashboard: Served) -> float:
    """Wait; returns the most megabytes that the process which reads ever held, as far as was seen."""
    pid, most_mb = dashboard.process.pid, 0.0
    while dashboard.get("/api/score.json", timeout_s=_TIMEOUT_S)[0] == 503:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split():
            with suppress(FileNotFoundError, ProcessLookupError):
                most_mb = max(most_mb, *megabytes(int(child)))
        time.sleep(0.5)
    return most_mb


def megabytes(pid: int) -> tuple[float, float]:
    """What a process holds now, and the most it ever held; nothing of one that has ended."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    found = {line.partition(":")[0]: line.partition(":")[2] for line in lines}
    now_mb, most_mb = (int(found.get(name, "0").split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now_mb, most_mb


def waits_ms(workspace: Path, is_over: Callable[[], bool]) -> list[float]:
    """Milliseconds that writers who write nothing take one after the other, sorted."""
    taken: list[float] = []
    while not taken or not is_over():
        began_s = time.perf_counter()
        with Workspace.open(workspace, "write"):
            pass
        taken.append((time.perf_counter() - began_s) * 1_000)
        time.sleep(0.05)
    return sorted(taken)


def waits_while(workspace: Path, work: Callable[[], object], threads: int) -> list[float]:
    """What writers take while so many threads work without a pause."""
    with ThreadPoolExecutor(threads) as pool:
        working = [pool.submit(work) for _ in range(threads)]
        taken = waits_ms(workspace, lambda: all(each.done() for each in working))
    for each in working:
        each.result()
    return taken


def ask_for_events(dashboard: Served, pairs: int) -> None:
    """Ask for one event after another; that the dashboard has no room for this one now is an answer, too."""
    rng, give_up_at = random.Random(), time.monotonic() + _WRITERS_S
    while time.monotonic() < give_up_at:
        status, body, _ = dashboard.get(f"/events/event-{rng.randrange(pairs):07}", timeout_s=_TIMEOUT_S)
        if status not in {200, 503}:
            raise RuntimeError(f"{status} {body[:500]}")


def section(workspace: Path, asks: int) -> str:
    """Measure and return the figures, in Markdown."""
    alone = waits_while(workspace, lambda: time.sleep(5), 1)
    began_s, seen_mb = time.perf_counter(), []
    with served(workspace.parent, "--workspace", str(workspace)) as dashboard:
        reading = waits_while(workspace, lambda: seen_mb.append(wait_until_read(dashboard)), 1)
        reader_mb, read_s = max(seen_mb), time.perf_counter() - began_s
        pairs = dashboard.twin("score.json")["pairs"]
        rows = [
            _row(name, *measure(dashboard, address, asks))
            for name, address in addresses(random.Random(3), pairs, dashboard).items()
        ]
        now_mb, most_mb = megabytes(dashboard.process.pid)
        asking = waits_while(workspace, lambda: ask_for_events(dashboard, pairs), ASKING)
    waits = (("alone", alone), ("beside the first reading", reading), (f"beside {ASKING} who ask for events", asking))
    heading = (
        f"{pairs:,} scored pairs, {asks} measured answers a page; wanted: p95 under {WANTED_MS} ms.\n"
        f"Read in {read_s:,.0f} s by a process that held {reader_mb:,.0f} MB at most; the server holds"
        f" {now_mb:,.0f} MB, at most {most_mb:,.0f} MB.\n\n"
        f"Machine: {describe_machine()}.\n\n"
        "| page | p50, ms | p95, ms | longest, ms | CPU, ms |\n| :-- | --: | --: | --: | --: |"
    )
    writers = [
        "\n| a writer that writes nothing | p50, ms | p95, ms | longest, ms | n |\n| :-- | --: | --: | --: | --: |",
        *(_row(name, taken, len(taken)) for name, taken in waits),
    ]
    return "\n".join([heading, *rows, *writers]) + "\n"


def _row(name: str, taken_ms: list[float], cpu: float) -> str:
    p50, p95 = (taken_ms[min(int(len(taken_ms) * share), len(taken_ms) - 1)] for share in (0.5, 0.95))
    return f"| {name} | {p50:,.0f} | {p95:,.0f} | {taken_ms[-1]:,.0f} | {cpu:,.0f} |"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--asks", type=int, default=60)
    parser.add_argument("--workspace", type=Path, help="one that is there already, made by this script")
    options = parser.parse_args()
    if options.workspace:
        print(section(options.workspace.resolve(), options.asks))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(section(make_workspace(Path(folder), options.pairs), options.asks))


if __name__ == "__main__":
    main()
