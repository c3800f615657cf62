"""CPU of starting ``cascade``, as a multiple of a bare interpreter's; the aim is at most 12.

Usage: python tests/benchmarks/bench_startup.py [RUNS]
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

import cascade_cli

AIM = 12
WHAT = {
    "bare interpreter": ["-c", "pass"],
    "cascade --version": ["-m", "cascade_cli", "--version"],
    "cascade --help": ["-m", "cascade_cli", "--help"],
    "cascade config show --help": ["-m", "cascade_cli", "config", "show", "--help"],
}


def cpu_s(arguments: list[str]) -> float:
    """Return user and system seconds of one run, its output thrown away."""
    child = os.fork()
    if child == 0:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.environ["PYTHONPATH"] = str(Path(cascade_cli.__file__).parents[1])
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - what is measured is our own command
    _, _, used = os.wait4(child, 0)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the median of each, in turns so that a busy moment hits all alike."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    taken: dict[str, list[float]] = {name: [] for name in WHAT}
    for _ in range(runs):
        for name, arguments in WHAT.items():
            taken[name].append(cpu_s(arguments))
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    bare = medians["bare interpreter"]
    for name, median in medians.items():
        print(f"{name:<28} {median * 1000:6.1f} ms CPU  {median / bare:5.1f} times bare (aim {AIM})")


if __name__ == "__main__":
    main()
