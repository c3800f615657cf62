"""A queue of shipped events, stand-in endpoints in a process of their own, and ``cascade run`` over both."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql
from shadowing import FIXTURES, Ended, StandIn, cascade, stand_in, start

from cascade_cli.postgres import load_rows
from cascade_cli.records import Row
from cascade_cli.sources import read_rows

PAIRS = FIXTURES / "pairs.jsonl.gz"
TEACHER = "teacher-27b"


def examples(count: int) -> list[Row]:
    """The first shipped pairs, the student's answers left out."""
    rows = islice(read_rows(PAIRS), count)
    return [Row(replace(row.trace, trace_id=f"old {row.trace.trace_id}")) for row in rows if isinstance(row, Row)]


def _whole(words: Sequence[str]) -> list[str]:
    """The command; a flip needs no gate here, which is tested elsewhere."""
    forced = ["--force", "a test", "--yes"] if "--flip" in words and "--force" not in words else []
    return ["run", *words, *forced, "--json"]


@dataclass(frozen=True)
class Stage:
    """A database with a queue, endpoints, and a folder to run in.

    Attributes:
        dsn: of the database.
        folder: a configuration would be looked for here.
        endpoint: answers for student and teacher.
    """

    dsn: str
    folder: Path
    endpoint: StandIn

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {
            "DATABASE_URL": self.dsn,
            "CASCADE_ENABLED": "true",
            "LLM_ENDPOINT": self.endpoint.url,
            "LLM_MODEL": TEACHER,
            "TEACHER_SYSTEM_PROMPT_FILE": str(self.folder / "prompt.txt"),
            **(more or {}),
        }

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> Ended:
        """``cascade run`` to its end within this process."""
        return cascade(self.folder, self.endpoint.url, *_whole(words), env=self.environment(env))

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, stderr: IO[bytes] | int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """``cascade run`` in a process of its own."""
        more = self.environment(env)
        return start(self.folder, self.endpoint.url, *_whole(words), env=more, stderr=stderr)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(query), values)
            return cursor.fetchall() if cursor.description else []

    def value(self, query: str, *values: object) -> object:
        ((value,),) = self.rows(query, *values)
        return value

    def configure(self, text: str) -> None:
        (self.folder / "cascade.toml").write_text(text, encoding="utf-8")

    def requests(self) -> list[dict[str, object]]:
        """What the endpoints were asked, in order."""
        if not self.endpoint.log.exists():
            return []
        return [json.loads(line) for line in self.endpoint.log.read_text(encoding="utf-8").splitlines()]

    def enqueue(self, count: int) -> None:
        """Load the first shipped events and put them into the queue, in the order of time."""
        load_rows(self.dsn, examples(count))
        self.rows("DELETE FROM distillation_traces")
        self.rows("INSERT INTO distillation_queue (event_id) SELECT id FROM events ORDER BY emitted_at, id")

    def enqueue_copies(self, events: int, prefix: str) -> None:
        """Put shipped events into the queue under other names; the endpoints know them by their text."""
        self.rows(
            "WITH chosen AS (SELECT *, row_number() OVER (ORDER BY id) AS place FROM events WHERE id LIKE 'evt-%%'),"
            " many AS (SELECT generate_series(0, %s - 1) AS number),"
            " copied AS (INSERT INTO events SELECT %s || number, arena, content, attributes, participant_set,"
            " disclosure_class, source_kind, emitted_at FROM many"
            " JOIN chosen ON place = number %% (SELECT count(*) FROM chosen) + 1 RETURNING id)"
            " INSERT INTO distillation_queue (event_id) SELECT id FROM copied",
            events,
            prefix,
        )

    def enqueue_again(self) -> None:
        """Put everything back to the beginning."""
        self.rows(
            "TRUNCATE distillation_queue, distillation_traces, entities, facts, relationships, event_distillations,"
            " cascade_escalations, cascade_queue_marks, cascade_touched_rows, cascade_student_answers RESTART IDENTITY"
        )
        self.rows("INSERT INTO distillation_queue (event_id) SELECT id FROM events ORDER BY emitted_at, id")

    def check_each_written_once(self, events: int) -> None:
        """Every event done, and by one of the two alone; asserted on ledger and touched rows, not on the graph."""
        assert self.rows("SELECT status, count(*) FROM distillation_queue GROUP BY 1") == [("done", events)]
        assert self.value("SELECT count(*) FROM cascade_escalations") == 0
        counted = (
            "SELECT queue.event_id, claimed_by, array_agg(producer) FROM distillation_queue AS queue"
            " LEFT JOIN event_distillations AS ledger ON ledger.event_id = queue.event_id"
            " GROUP BY 1, 2 HAVING count(producer) <> 1"
        )
        strange = self.rows(counted)
        assert not strange, strange
        assert self.value("SELECT count(*) FROM event_distillations") == events
        by_teacher = "SELECT event_id FROM event_distillations WHERE producer = 'teacher'"
        assert self.value(f"SELECT count(*) FROM cascade_touched_rows WHERE event_id IN ({by_teacher})") == 0
        assert self.value("SELECT count(*) FROM distillation_traces") == self.value(
            f"SELECT count(*) FROM ({by_teacher}) AS taught"
        )


@contextmanager
def stage(dsn: str, folder: Path, count: int, *options: object) -> Iterator[Stage]:
    """Enqueue ``count`` events over stand-ins with these options."""
    (folder / "prompt.txt").write_text("Distil these events.", encoding="utf-8")
    with stand_in(folder, *options) as endpoint:
        opened = Stage(dsn, folder, endpoint)
        opened.enqueue(count)
        yield opened
