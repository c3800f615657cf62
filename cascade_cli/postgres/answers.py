"""What the student said about events that are claimed: read back by whoever has them now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import Final

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Claimed, Queue
from cascade_cli.postgres.source import ANSWERS_TABLE
from cascade_cli.records import StudentAnswer

_QUERIES: Final = read_named_sql(files("cascade_cli.postgres") / "answers.sql")


class Answers:
    """Reads one student's first answers.

    Args:
        pool: of the database.
        mapping: what the tables are called.
        queue: whose claims they are about.
        student_model: whose they are.
        prompt_shape: how events were shown to it.
    """

    def __init__(self, pool: Pool, mapping: ColumnMapping, queue: Queue, student_model: str, prompt_shape: str) -> None:
        self._pool = pool
        self._student_model = student_model
        self._prompt_shape = prompt_shape
        names = {**queue.names, "answers": mapping.table(ANSWERS_TABLE)}
        self._query = compose(_QUERIES["answers_since_enqueued"], names).as_bytes(None)

    def to(self, claims: Collection[Claimed]) -> Mapping[str, StudentAnswer]:
        """What was said, by event id, since the event was put into the queue: earlier answers are another task's.

        Empty where the queue does not say when that was.

        Raises:
            DependencyError: the server cannot be reached or refuses.
            UsageError: a table is not there.
        """
        values = {
            "student_model": self._student_model,
            "prompt_shape": self._prompt_shape,
            "queue_ids": [claim.queue_id for claim in claims],
        }
        with self._pool.explained() as connection:
            found = connection.execute(self._query, values).fetchall()
        return {
            event_id: StudentAnswer(
                event_id,
                response,
                self._student_model,
                self._prompt_shape,
                student_ms=student_ms,
                signals=signals or {},
            )
            for event_id, response, student_ms, signals in found
        }
