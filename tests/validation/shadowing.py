"""A stand-in endpoint and a ``cascade`` beside it, each in a process of its own, as tests of ``shadow`` need them."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cascade_cli
from cascade_cli.app import run
from cascade_cli.config import SETTINGS

PACKAGE_PARENT = Path(cascade_cli.__file__).parents[1]
FIXTURES = Path(__file__).parents[2] / "fixtures"
PATIENCE_S = 60.0
Json = dict[str, object]


@dataclass(frozen=True)
class StandIn:
    """A running stand-in.

    Attributes:
        url: as STUDENT_ENDPOINT takes it.
        port: of it.
        log: the server's own, a line a request.
        process: ends with the test.
    """

    url: str
    port: int
    log: Path
    process: subprocess.Popen[str]

    def asked(self) -> list[Json]:
        """The lines about questions to the student, in their order."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return [line for line in lines if line["kind"] == "student"]

    def outcomes(self) -> Counter[str]:
        """How many requests ended in which way."""
        return Counter(line["outcome"] for line in self.asked())

    def answered(self) -> Counter[tuple[str, object]]:
        """How often each question, an event and a seed, was answered."""
        return Counter((line["event_id"], line["sample"]) for line in self.asked() if line["outcome"] == "answered")


@contextmanager
def stand_in(folder: Path, *options: object) -> Iterator[StandIn]:
    """A stand-in with its log in a folder."""
    log = folder / "server.log"
    command = [sys.executable, str(FIXTURES / "stand_in.py"), "--exit-with-parent", "--log", str(log)]
    with subprocess.Popen([*command, *map(str, options)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            yield StandIn(ready["url"], ready["port"], log, process)
        finally:
            process.kill()


def environment(url: str | None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without any setting of ours but the student's address."""
    ours = {setting.env for setting in SETTINGS} | {"COLUMNS", "NO_COLOR"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    address = {} if url is None else {"STUDENT_ENDPOINT": url}
    return {**kept, "PYTHONPATH": str(PACKAGE_PARENT), **address, **(more or {})}


def start(
    folder: Path,
    url: str | None,
    *words: str,
    env: Mapping[str, str] | None = None,
    largest_file: int | None = None,
    stderr: IO[bytes] | int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """``cascade`` with these words, in a folder; the caller waits for it.

    ``largest_file`` in bytes is what it can write at most to one file, as on a disk that is full.
    """

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return subprocess.Popen(
        [sys.executable, "-m", "cascade_cli", *words],
        cwd=folder,
        env=environment(url, env),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        preexec_fn=limit,  # noqa: PLW1509 - no thread of the tests holds a lock that the limit needs
    )


@dataclass(frozen=True)
class Ended:
    """What a process said and ended with."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Json:
        """``data`` of its one JSON document."""
        data: Json = json.loads(self.out)["data"]
        return data


def ended(process: subprocess.Popen[str], timeout_s: float = PATIENCE_S) -> Ended:
    """Wait for a process."""
    out, err = process.communicate(timeout=timeout_s)
    return Ended(process.returncode, out, err)


def cascade(folder: Path, url: str | None, *words: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run ``cascade`` to its end within this process, which saves the second that a start takes."""
    out, err, before = io.StringIO(), io.StringIO(), dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment(url, env))
        with chdir(folder), redirect_stdout(out), redirect_stderr(err):
            code = run(words)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Ended(code, out.getvalue(), err.getvalue())


def traces(count: int, **more: object) -> list[Json]:
    """The shipped traces without what the recorded student said."""
    with gzip.open(FIXTURES / "pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    return [{key: value for key, value in row.items() if not key.startswith("student")} | more for row in rows]


def write(folder: Path, rows: list[Json], name: str = "traces.jsonl") -> str:
    """Write rows as JSON Lines; returns the name of the file."""
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return name
