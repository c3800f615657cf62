"""Peak memory of ``cascade shadow`` over many events: ``python tests/benchmarks/bench_shadow_memory.py [EVENTS]``.

The examples' traces, repeated under other ids, from a file; the stand-in student answers at once, in another process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cascade_cli.demonstration import fixture, stand_in
from cascade_cli.records import Row
from cascade_cli.sources import read_rows

AIM_MB = 512
CONCURRENCY = 32


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


def main() -> None:
    """Print seconds and megabytes."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as scratch, stand_in() as student:
        write_traces(Path(scratch) / "traces.jsonl", count)
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
    print(f"peak memory {peak_mb:,.0f} MB (wanted: under {AIM_MB})")


if __name__ == "__main__":
    main()
