"""Recorded pairs through ``cascade report``: seconds, the most memory a process held, bytes of the page.

python tests/benchmarks/bench_report.py [--pairs 1000000]

First the fixtures as a file, then so many pairs from a workspace: the first report scores every pair and keeps what it
finds, the second reads it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bench_million import write_pairs
from benchmarks.machine import describe_machine

from cascade_cli.demonstration import fixture

_CASCADE = [sys.executable, "-c", "from cascade_cli.app import main; main()"]


class Usage(NamedTuple):
    """What one run took: seconds of wall and of CPU, megabytes in its largest process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(folder: Path, arguments: Sequence[str]) -> Usage:
    """Run a command in a process of its own; its peak is that of all children so far, so call it in a fresh one."""
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*_CASCADE, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    wall_s, after = time.perf_counter() - start_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(wall_s, cpu_s, after.ru_maxrss / 1024)


def measure_apart(folder: Path, *arguments: str) -> Usage:
    """The same in a fresh process, since the peak of all children so far can only rise."""
    command = [sys.executable, __file__, "--measure", str(folder), json.dumps(arguments)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Usage(*json.loads(answer.stdout))


def report(pairs: int, folder: Path) -> None:
    """Measure and print a table in Markdown."""
    print(f"Machine: {describe_machine()}.\n")
    print("| | wall, s | CPU, s | largest process, MB | page, bytes |\n| --- | --: | --: | --: | --: |")
    page, shipped = folder / "page.html", str(fixture("pairs.jsonl.gz"))
    _show("report on the fixtures", measure_apart(folder, "report", shipped, "-o", str(page)), page)
    write_pairs(folder / "pairs.jsonl.gz", pairs)
    _show(f"pull of {pairs:,} pairs", measure_apart(folder, "pull", "pairs.jsonl.gz"))
    (folder / "pairs.jsonl.gz").unlink()
    for what in ("report that scores all of them", "report whose scores are known"):
        _show(what, measure_apart(folder, "report", "-o", str(page)), page)


def _show(what: str, usage: Usage, page: Path | None = None) -> None:
    told = "" if page is None else f"{page.stat().st_size:,}"
    print(f"| {what} | {usage.wall_s:,.1f} | {usage.cpu_s:,.1f} | {usage.peak_mb:,.0f} | {told} |", flush=True)


def main() -> None:
    """Print the table, or the usage of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, arguments = options.measure
        print(json.dumps(measure(Path(folder), json.loads(arguments))))
        return
    with tempfile.TemporaryDirectory() as folder:
        report(options.pairs, Path(folder))


if __name__ == "__main__":
    main()
