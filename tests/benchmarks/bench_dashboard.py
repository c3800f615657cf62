"""``cascade dashboard`` over a million scored pairs: how long each page takes, and what it holds in memory.

python tests/benchmarks/bench_dashboard.py [--pairs 1000000] [--asks 60] [--workspace FOLDER]

Each page is asked for a few times to warm up, then so many times that are measured, by one client on loopback. Lists
are filtered and entered at random places, events chosen at random, knobs turned to another place each time. What is
measured is the time until the whole answer is there.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from benchmarks.bench_million import HASHES, write_pairs
from benchmarks.machine import describe_machine
from serving import Served, cascade, served

from scorers import KINDS

WARM_UPS = 5
WANTED_MS = 300
_TIMEOUT_S = 7_200.0
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


def measure(dashboard: Served, address: Callable[[], str], asks: int) -> list[float]:
    """Milliseconds of each answer, sorted."""
    taken = []
    for number in range(WARM_UPS + asks):
        path = address()
        began_s = time.perf_counter()
        status, body, _ = dashboard.get(path)
        taken_ms = (time.perf_counter() - began_s) * 1_000
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body[:500]}")
        if number >= WARM_UPS:
            taken.append(taken_ms)
    return sorted(taken)


def megabytes(dashboard: Served) -> tuple[float, float]:
    """What the process holds now, and the most it ever held."""
    lines = Path(f"/proc/{dashboard.process.pid}/status").read_text(encoding="utf-8").splitlines()
    found = {line.partition(":")[0]: line.partition(":")[2] for line in lines}
    return int(found["VmRSS"].split()[0]) / 1024, int(found["VmHWM"].split()[0]) / 1024


def section(workspace: Path, asks: int) -> str:
    """Measure and return the figures, in Markdown."""
    began_s = time.perf_counter()
    with served(workspace.parent, "--workspace", str(workspace)) as dashboard:
        dashboard.wait_until_read(_TIMEOUT_S)
        read_s = time.perf_counter() - began_s
        pairs = dashboard.twin("score.json")["pairs"]
        rows = [
            _row(name, measure(dashboard, address, asks))
            for name, address in addresses(random.Random(3), pairs, dashboard).items()
        ]
        now_mb, most_mb = megabytes(dashboard)
    heading = (
        f"{pairs:,} scored pairs, {asks} measured answers a page; wanted: p95 under {WANTED_MS} ms.\n"
        f"Read in {read_s:,.0f} s. Memory {now_mb:,.0f} MB, at most {most_mb:,.0f} MB.\n\n"
        f"Machine: {describe_machine()}.\n\n"
        "| page | p50, ms | p95, ms | longest, ms |\n| :-- | --: | --: | --: |"
    )
    return "\n".join([heading, *rows]) + "\n"


def _row(name: str, taken_ms: list[float]) -> str:
    p50, p95 = (taken_ms[min(int(len(taken_ms) * share), len(taken_ms) - 1)] for share in (0.5, 0.95))
    return f"| {name} | {p50:,.0f} | {p95:,.0f} | {taken_ms[-1]:,.0f} |"


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
