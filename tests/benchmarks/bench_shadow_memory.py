"""Peak memory of ``cascade shadow``: ``python tests/benchmarks/bench_shadow_memory.py [EVENTS [LONG_EVENTS]]``.

The examples' traces, repeated under other ids, from a file, and then some whose prompt and content are long and random;
the stand-in student answers at once, in another process.
"""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cascade_cli.demonstration import fixture, stand_in
from cascade_cli.records import Row
from cascade_cli.sources import read_rows

AIM_MB = 512
CONCURRENCY = 32
LONG_CHARACTERS = 100_000


def write_traces(file: Path, count: int) -> None:
    """So many traces with their events, without answers of a student."""
    traces = [row.trace for row in read_rows(fixture("pairs.jsonl.gz")) if isinstance(row, Row)]
    with file.open("w", encoding="utf-8") as out:
        for number in range(count):
            trace = traces[number % len(traces)]
            line = {
                "event_id": f"{trace.event_id}-{number}",
                "id": f"{trace.trace_id}-{number}",
                "system_prompt_hash": trace.system_prompt_hash,
                "user_prompt": trace.user_prompt,
                "raw_response": trace.raw_response,
                "event": {"content": trace.event.content if trace.event else None},
            }
            out.write(json.dumps(line) + "\n")


def write_long_traces(file: Path, count: int) -> None:
    """So many traces with prompts, and events with contents, that no compression makes short."""
    letters = bytes(ord(string.ascii_letters[number % 52]) for number in range(256))
    with file.open("w", encoding="utf-8") as out:
        for number in range(count):
            text = random.Random(number).randbytes(LONG_CHARACTERS).translate(letters).decode()
            line = {"event_id": f"long-{number}", "id": f"long-{number}", "user_prompt": text, "raw_response": "{}"}
            out.write(json.dumps({**line, "event": {"content": text}}) + "\n")


def measure(write: Callable[[Path, int], None], count: int) -> None:
    """Print seconds and megabytes."""
    with tempfile.TemporaryDirectory() as scratch, stand_in() as student:
        write(Path(scratch) / "traces.jsonl", count)
        environment = {**os.environ, "STUDENT_ENDPOINT": student, "CASCADE_WORKSPACE": f"{scratch}/ws"}
        command = [sys.executable, "-m", "cascade_cli", "shadow", "traces.jsonl", "--json", "-q"]
        command += ["--concurrency", str(CONCURRENCY)]
        began_s = time.monotonic()
        with subprocess.Popen(command, env=environment, cwd=scratch, stdout=subprocess.PIPE) as shadow:
            told = json.loads(shadow.stdout.read() if shadow.stdout else b"")["data"]
            _, _, used = os.wait4(shadow.pid, 0)
            shadow.returncode = 0
        seconds, peak_mb = time.monotonic() - began_s, used.ru_maxrss / 1024
    print(f"{count:,} events: {told['answered']:,} answered, {sum(told['errors'].values())} errors")
    print(f"{seconds:.0f} s in all, {told['seconds']:.0f} s of asking, {told['answers_per_s']:.0f} answers a second")
    print(f"peak memory {peak_mb:,.0f} MB (wanted: under {AIM_MB})", flush=True)


def main() -> None:
    """Ordinary events, then long ones."""
    given = [int(each) for each in sys.argv[1:]]
    counts = [*given, *(100_000, 3_000)[len(given) :]]
    for write, count in zip((write_traces, write_long_traces), counts, strict=True):
        if count:
            print(write.__name__)
            measure(write, count)


if __name__ == "__main__":
    main()
