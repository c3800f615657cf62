"""Seconds until the student is off: ``python tests/benchmarks/bench_kill.py [REPEATS] [EVENTS]``.

Two workers, flipped, write without a pause over endpoints that answer at once; ``cascade kill on`` is started as a
person would. What counts is the last student decision: the last commit in which the student wrote, and the last one in
which anything it said was recorded. Asking it may go on for a moment, for what it then says is thrown away. After each
repeat the workers finish, and everything is compared: queue, ledger, records of the student, traces and graph.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from machine import describe_machine

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("integration", "validation"))

from killing import Killed, check_nothing_is_half_written, kill_under_load, tracked_stage
from live_rig import Stage
from shadowing import cascade

WRITTEN_BEFORE = 300


def measured(live: Stage, switches: dict[str, str], repeats: int, events: int) -> list[Killed]:
    """Kill so often, each time over a full queue."""
    found = []
    for _ in range(repeats):
        live.enqueue_again()
        assert cascade(live.folder, None, "kill", "off", env=live.environment(switches)).code == 0
        found.append(kill_under_load(live, switches, WRITTEN_BEFORE))
        check_nothing_is_half_written(live, events)
    return found


def told(what: str, taken_s: Sequence[float]) -> None:
    """Median and worst."""
    print(f"  {what:<58}{statistics.median(taken_s):>8.2f}{max(taken_s):>8.2f}", flush=True)


def tell(by: str, found: Sequence[Killed]) -> None:
    """All that was measured with one kind of switch."""
    print(f"{f'by {by}, {len(found)} times, seconds':<60}{'median':>8}{'worst':>8}")
    told("the command, from its start to its end", [each.ended_at - each.began_at for each in found])
    told("from its start to the last write of the student's", [each.written_at - each.began_at for each in found])
    told("from its start to the last decision about an answer", [each.decided_at - each.began_at for each in found])
    told("from its start to the last question to the student", [each.asked_at - each.began_at for each in found])
    told("from its end to the last decision; below 0 is before", [each.decided_at - each.ended_at for each in found])


def main(repeats: int = 10, events: int = 4_000) -> None:
    """Measure both switches."""
    print(describe_machine())
    with TemporaryDirectory() as name, tracked_stage(Path(name), events) as live:
        for by, switches in (("the row", {}), ("file and row", {"CASCADE_KILL_FILE": str(live.folder / "kill")})):
            tell(by, measured(live, switches, repeats, events))
    print(f"{2 * repeats} times {events:,} events: each done once, and queue, ledger, records, traces and graph agree")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
