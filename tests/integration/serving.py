"""A dashboard in a process of its own, and the commands beside it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cascade_cli
from cascade_cli.config import SETTINGS

PACKAGE_PARENT = Path(cascade_cli.__file__).parents[1]
FIXTURES = Path(__file__).parents[2] / "fixtures"
PATIENCE_S = 60.0


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without any setting of ours."""
    ours = {setting.env for setting in SETTINGS} | {"COLUMNS", "NO_COLOR"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PYTHONPATH": str(PACKAGE_PARENT), **(more or {})}


def cascade(folder: Path, *words: str, env: Mapping[str, str] | None = None, timeout_s: float = PATIENCE_S) -> Any:
    """``data`` of a command's one JSON document."""
    command = [sys.executable, "-m", "cascade_cli", *words, "--json"]
    done = subprocess.run(
        command, cwd=folder, env=environment(env), capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)["data"]


def write_pairs(path: Path, pairs: Sequence[Mapping[str, object]]) -> Path:
    """Recorded pairs as JSON Lines."""
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    return path


def shipped_pairs(every: int = 8) -> list[dict[str, Any]]:
    """Some of the shipped pairs, of every prompt hash."""
    with gzip.open(FIXTURES / "pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for number, line in enumerate(lines) if number % every == 0]


def two_students(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The pairs, and beside them a second student that says on every third event what the teacher said."""
    return [
        {**pair, "student_model": model, "student_response": pair["raw_response" if learnt else "student_response"]}
        for place, pair in enumerate(pairs)
        for model, learnt in (("student-4b-v1", False), ("student-4b-v2", place % 3 == 0))
    ]


@dataclass(frozen=True)
class Served:
    """A running dashboard.

    Attributes:
        url: of its first page, without the last slash.
        document: its one JSON document.
        process: ends with the test.
    """

    url: str
    document: Mapping[str, Any]
    process: subprocess.Popen[str]

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, timeout_s: float = PATIENCE_S
    ) -> tuple[int, str, Mapping[str, str]]:
        """Status, body and headers of one address."""
        request = urllib.request.Request(f"{self.url}{path}", headers=dict(headers or {}))  # noqa: S310 - our own http
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - as above
                return answer.status, answer.read().decode("utf-8"), dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode("utf-8"), dict(error.headers)

    def twin(self, name: str) -> Any:
        """``data`` of a JSON twin."""
        status, body, _ = self.get(f"/api/{name}")
        assert status == 200, body
        return json.loads(body)["data"]

    def wait_until_read(self, timeout_s: float = PATIENCE_S) -> None:
        """Until the first pairs are there, or that there are none is known."""
        give_up_at = time.monotonic() + timeout_s
        while self.get("/api/score.json", timeout_s=timeout_s)[0] == 503:
            assert time.monotonic() < give_up_at, self.get("/")[1]
            time.sleep(0.1)


@contextmanager
def served(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """``cascade dashboard`` with these words on a free port."""
    command = [sys.executable, "-m", "cascade_cli", "dashboard", "--port", "0", "--json", *words]
    with subprocess.Popen(
        command, cwd=folder, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _listening(process)
        finally:
            process.kill()


def _listening(process: subprocess.Popen[str]) -> Served:
    assert process.stdout is not None
    lines = []
    # The document's last line is the only one that is a brace alone.
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
        assert lines[-1], process.communicate()
    document = json.loads("".join(lines))
    data = document["data"]
    return Served(f"http://{data['host']}:{data['port']}", document, process)
