"""Rows a second of ``read_rows`` beside the floor, ``json.loads`` over the same lines, and the peak of memory.

Run with ``python tests/benchmarks/bench_sources.py [FILE.jsonl] [--rows 100000]``; without a file it writes rows
of about one kilobyte. Each way of packing is read in a process of its own, so that the peak of memory is its own.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import resource
import sys
import tempfile
from itertools import islice
from pathlib import Path
from time import process_time

import polars as pl

from cascade_cli.sources import read_rows


def answer(number: int, size: int) -> str:
    names = [f"Person {number + offset}" for offset in range(size)]
    facts = [{"subject": name, "predicate": "works at", "object": f"Company {number}"} for name in names]
    return json.dumps({"entities": [{"type": "person", "name": name} for name in names], "facts": facts})


def record(number: int) -> dict[str, object]:
    return {
        "event_id": f"event-{number}",
        "system_prompt_hash": "f1e0ff",
        "created_at": "2026-06-18T09:00:00Z",
        "event": {"id": f"event-{number}", "arena": "sales", "content": f"Text {number} " * 8, "attributes": {}},
        "raw_response": answer(number, 3),
        "student_model": "student",
        "student_response": answer(number, 2),
    }


def bare_rows_a_second(path: Path) -> float:
    start = process_time()
    with path.open("rb") as lines:
        count = sum(1 for line in lines if json.loads(line))
    return count / (process_time() - start)


def measure(path: Path) -> tuple[float, float]:
    """Return rows a second of CPU and the peak of memory in MB, of this process."""
    start = process_time()
    count = sum(1 for _ in read_rows(path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return count / (process_time() - start), peak / (2**20 if sys.platform == "darwin" else 2**10)


def packed(plain: Path, folder: Path) -> list[Path]:
    """Write the same rows as gzip and as Parquet, objects as their JSON text."""
    zipped, table = folder / "rows.jsonl.gz", folder / "rows.parquet"
    with plain.open("rb") as lines, gzip.open(zipped, "wb", 1) as target:
        target.writelines(lines)
    with plain.open("rb") as lines:
        pl.DataFrame([as_texts(json.loads(line)) for line in lines]).write_parquet(table)
    return [plain, zipped, table]


def as_texts(fields: dict[str, object]) -> dict[str, object]:
    return {name: json.dumps(value) if isinstance(value, dict) else value for name, value in fields.items()}


def write_rows(path: Path, count: int) -> None:
    with path.open("w") as target:
        target.writelines(json.dumps(record(number)) + "\n" for number in range(count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        plain = arguments.file or folder / "rows.jsonl"
        if arguments.file is None:
            write_rows(plain, arguments.rows)
        with plain.open("rb") as lines:
            line_bytes = sum(map(len, islice(lines, 1000))) / 1000
        floor = bare_rows_a_second(plain)
        print(f"about {line_bytes:.0f} bytes a line; json.loads: {floor:,.0f} rows a second of CPU")
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            for path in pool.apply(packed, (plain, folder)):
                rate, peak_mb = pool.apply(measure, (path,))
                times = floor / rate
                print(f"{path.name:16}{rate:9,.0f} rows a second, {times:5.2f} x json.loads, peak {peak_mb:4.0f} MB")


if __name__ == "__main__":
    main()
