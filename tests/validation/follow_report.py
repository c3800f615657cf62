"""Readers beside a standing writer: ``score --json`` fifty times while ``shadow --follow`` answers; who waits how long.

python tests/validation/follow_report.py [--scores 50]

Needs the extra `demo`. Starts an embedded PostgreSQL with the examples' traces and the stand-in student, lets ``cascade
shadow --follow`` ask about them slowly, so that it writes all the while, and meanwhile runs ``cascade score --json``
again and again. Beside both it opens the workspace for reading ten times a second and takes the time of each opening.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from cascade_cli.demonstration import fixture, stand_in
from cascade_cli.postgres import apply_migrations, embedded_postgres, load_rows
from cascade_cli.records import Row
from cascade_cli.sources import read_rows
from cascade_cli.workspace import Bookmark, Workspace

LATENCY_MS, CONCURRENCY = 500, 8
AIM_S = 1.0


class Reader(threading.Thread):
    """Opens the workspace again and again and keeps how long each opening took, in seconds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.waits_s: list[float] = []
        self.done = threading.Event()
        self._folder = folder

    def run(self) -> None:
        """Read a page ten times a second."""
        while not self.done.wait(0.1):
            began_s = time.monotonic()
            with Workspace.open(self._folder) as workspace:
                self.waits_s.append(time.monotonic() - began_s)
                workspace.page_of_pairs(Bookmark())


def main() -> int:
    """Print what was seen; exit status 1 where a run failed or somebody waited for more than a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=int, default=50)
    runs = parser.parse_args().scores
    with (
        tempfile.TemporaryDirectory() as scratch,
        embedded_postgres() as server,
        stand_in("--latency-ms", str(LATENCY_MS)) as student,
    ):
        apply_migrations(server.dsn, with_team_tables=True)
        load_rows(server.dsn, (Row(row.trace) for row in read_rows(fixture("pairs.jsonl.gz")) if isinstance(row, Row)))
        folder = Path(scratch) / "ws"
        environment = {**os.environ, "DATABASE_URL": server.dsn, "STUDENT_ENDPOINT": student}
        environment["CASCADE_WORKSPACE"] = str(folder)
        return watch(runs, folder, environment, scratch)


def watch(runs: int, folder: Path, environment: dict[str, str], scratch: str) -> int:
    """Score while the shadow answers."""
    command = [sys.executable, "-m", "cascade_cli", "shadow", "--follow", "--poll", "2", "-q"]
    command += ["--concurrency", str(CONCURRENCY), "--json"]
    with subprocess.Popen(command, env=environment, cwd=scratch, stdout=subprocess.PIPE, text=True) as shadow:
        while not (folder / "spool.sqlite").exists():
            time.sleep(0.1)
        time.sleep(5)
        reader = Reader(folder)
        reader.start()
        seconds, failures, pairs = [], 0, []
        for _ in range(runs):
            began_s = time.monotonic()
            score = [sys.executable, "-m", "cascade_cli", "score", "--json", "-q"]
            done = subprocess.run(score, env=environment, cwd=scratch, capture_output=True, text=True, check=False)
            seconds.append(time.monotonic() - began_s)
            failures += done.returncode != 0
            pairs.append(json.loads(done.stdout)["data"]["pairs"])
        reader.done.set()
        reader.join()
        still_writing = shadow.poll() is None
        shadow.send_signal(signal.SIGINT)
        told = json.loads(shadow.communicate()[0])["data"]
    longest = max(reader.waits_s)
    print(f"{runs} scores beside a writer: {failures} failed; pairs seen {pairs[0]:,} to {pairs[-1]:,}")
    print(f"seconds a score: median {statistics.median(seconds):.2f}, longest {max(seconds):.2f}")
    print(
        f"{len(reader.waits_s):,} openings of the workspace: median {statistics.median(reader.waits_s):.3f} s,", end=""
    )
    print(f" longest {longest:.3f} s (wanted: below {AIM_S:g})")
    print(f"the writer answered {told['answered']:,} meanwhile and stopped on Ctrl-C: {still_writing}")
    return int(failures > 0 or longest > AIM_S or pairs != sorted(pairs))


if __name__ == "__main__":
    sys.exit(main())
