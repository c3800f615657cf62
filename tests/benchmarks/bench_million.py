"""A million recorded pairs through ``cascade score``: seconds, and the most memory a process held.

python tests/benchmarks/bench_million.py [--pairs 1000000] [--processes 1 2]
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.corpus import SMALL, Pairing, make_corpus
from benchmarks.machine import describe_machine

HASHES = ("bbdaba", "f1e0ff", "77c01d")
_BEGINNING, _PAUSE = datetime(2026, 3, 1, tzinfo=UTC), timedelta(seconds=8)
MEMORY_LIMIT_MB = 1000
"""Wanted: less than this, in the largest process."""

INTRODUCTION = """\
## A million pairs

`python tests/benchmarks/bench_million.py --pairs {pairs}`: {pairs:,} recorded pairs, each about 3 entities, 3 facts and
2 relationships a side with names that recur, in one gzipped file, through `cascade score FILE --by-prompt-hash --json`.
Memory is the largest resident set of any one process, and is wanted under {limit} MB.

Machine: {machine}.

| processes | wall, s | CPU, s | pairs a second | largest process, MB |
| --: | --: | --: | --: | --: |"""


class Usage(NamedTuple):
    """What one run took: seconds of wall and of CPU, and megabytes in its largest process."""

    processes: int
    wall_s: float
    cpu_s: float
    peak_mb: float


def write_pairs(path: Path, pairs: int) -> None:
    """Write recorded pairs in the file form of the contract, one at a time."""
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        for line in _lines(make_corpus("recurring", pairs, SMALL)):
            file.write(line)


def _lines(corpus: Iterator[Pairing]) -> Iterator[str]:
    for number, pairing in enumerate(corpus):
        event_id = f"event-{number:07}"
        content = " ".join(str(fact["statement"]) + "." for fact in pairing.gold["facts"])
        attributes = {"to_emails": sorted(pairing.known_emails)}
        row = {
            "event_id": event_id,
            "system_prompt_hash": HASHES[number % len(HASHES)],
            "created_at": (_BEGINNING + number * _PAUSE).isoformat(),
            "llm_chunk_ms": 900.0,
            "event": {"id": event_id, "arena": "sales", "content": content, "attributes": attributes},
            "raw_response": json.dumps(pairing.gold, ensure_ascii=False),
            "student_response": json.dumps(pairing.predicted, ensure_ascii=False),
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"


def score_file(path: Path, pairs: int, processes: int) -> Usage:
    """Score a file in a process of its own and measure that process and its children."""
    code = "from cascade_cli.app import main; main()"
    options = ["--by-prompt-hash", "--json", "--processes", str(processes)]
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", code, "score", str(path), *options]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=path.parent)
    wall_s, after = time.perf_counter() - start_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    scored = json.loads(answer.stdout)["data"]["scored"]
    if scored != pairs:
        raise RuntimeError(f"{scored} of {pairs} pairs were scored; look at the command's messages above")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(processes, wall_s, cpu_s, after.ru_maxrss / 1024)


def section(pairs: int = 1_000_000, processes: Sequence[int] = (1, 2)) -> str:
    """Measure and return the report's section, in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl.gz"
        write_pairs(path, pairs)
        usages = [_score_apart(path, pairs, number) for number in processes]
    rows = [
        f"| {processes} | {wall_s:,.0f} | {cpu_s:,.0f} | {pairs / wall_s:,.0f} | {peak_mb:,.0f} |"
        for processes, wall_s, cpu_s, peak_mb in usages
    ]
    heading = INTRODUCTION.format(pairs=pairs, limit=MEMORY_LIMIT_MB, machine=describe_machine())
    return "\n".join([heading, *rows]) + "\n"


def _score_apart(path: Path, pairs: int, processes: int) -> Usage:
    """Measure in a fresh process, since the peak of all children so far can only rise."""
    command = [sys.executable, __file__, "--measure", str(path), "--pairs", str(pairs), "--processes", str(processes)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Usage(*json.loads(answer.stdout))


def main() -> None:
    """Print the section, or the usage of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(score_file(options.measure, options.pairs, options.processes[0])))
    else:
        print(section(options.pairs, options.processes))


if __name__ == "__main__":
    main()
