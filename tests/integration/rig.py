"""Queues, writers and the switch over a database, and events that tell by whom they were written."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from random import Random
from typing import Self

import psycopg
from psycopg import sql

from cascade_cli.policy import Policy, decide
from cascade_cli.postgres import ColumnMapping
from cascade_cli.postgres.control import Control
from cascade_cli.postgres.graph import Graph
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Claimed, Lane, Queue, QueueSettings
from cascade_cli.postgres.writing import Author, JudgedAnswer, Standing, TeacherWritten, ToEscalate, Writer
from cascade_cli.records import StudentAnswer, Trace

RULES = QueueSettings(max_attempts=3, lease_s=600.0)
AUTHOR = Author("student-4b", "teacher-27b", "f1e0ff", Policy().fingerprint, "1.0")


class Rig:
    """What a worker is made of, as often as a test wants it."""

    def __init__(self, dsn: str, mapping: ColumnMapping | None = None) -> None:
        self.dsn = dsn
        self.mapping = mapping or ColumnMapping()
        self.pool = Pool(dsn)
        self.control = Control(self.pool)
        self._opened = ExitStack()
        self._opened.callback(self.pool.close)
        self._own = self._opened.enter_context(psycopg.connect(dsn, autocommit=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def execute(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        cursor = self._own.execute(sql.SQL(statement), parameters)
        return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *parameters: object) -> object:
        ((value,),) = self.execute(statement, *parameters)
        return value

    def enqueue(self, *event_ids: str) -> None:
        ids = list(event_ids)
        self.execute("INSERT INTO events (id, arena, content) SELECT unnest(%s::text[]), 'sales', 'hi'", ids)
        self.execute("INSERT INTO distillation_queue (event_id) SELECT unnest(%s::text[])", ids)

    def queue(self, worker: str = "w", rules: QueueSettings = RULES, pool: Pool | None = None) -> Queue:
        return Queue.open(pool or self.pool, self.mapping, rules, worker, random=Random(0))

    def writer(self, queue: Queue, author: Author = AUTHOR, pool: Pool | None = None) -> Writer:
        used = pool or self.pool
        control = Control(used)
        return Writer.open(used, self.mapping, queue, Graph(), control, author, random=Random(0))

    def claimed(self, *event_ids: str, lane: Lane = Lane.STUDENT) -> tuple[Claimed, ...]:
        """Enqueue these and claim all that waits."""
        self.enqueue(*event_ids)
        return self.queue().claim(lane, 1_000)

    def expire(self, *event_ids: str) -> None:
        self.execute(
            "UPDATE distillation_queue SET claim_expires_at = now() - interval '1 s'"
            " WHERE event_id = ANY(%s) AND status = 'claimed'",
            list(event_ids),
        )

    def statuses(self) -> dict[object, object]:
        return dict(self.execute("SELECT event_id, status FROM distillation_queue ORDER BY id"))


def extraction_of(claim: Claimed) -> dict[str, object]:
    """One entity that tells which claim wrote it, so that a second write of the same event shows."""
    return {"entities": [{"type": "fence", "name": f"{claim.event_id} {claim.fence}"}]}


def answer_of(claim: Claimed, response: str = "{}") -> JudgedAnswer:
    assert claim.event is not None
    answer = StudentAnswer(claim.event_id, response, AUTHOR.student_model, student_ms=9.5)
    return JudgedAnswer(answer, parsed=True, decision=decide(claim.event, {"entities": ["x"]}, Policy()))


def standing(claim: Claimed) -> Standing:
    return Standing(claim, extraction_of(claim), answer_of(claim))


def escalated(claim: Claimed) -> ToEscalate:
    return ToEscalate(claim, "high_value_class", answer_of(claim))


def taught(claim: Claimed) -> TeacherWritten:
    return TeacherWritten(claim, extraction_of(claim), trace=trace_of(claim))


def taught_after_escalation(claim: Claimed) -> TeacherWritten:
    assert claim.escalation is not None
    return replace(taught(claim), escalated=True, reason=claim.escalation.reason)


def trace_of(claim: Claimed) -> Trace:
    return Trace(
        claim.event_id, "{}", f"trace of {claim.fence} {claim.event_id}", "f1e0ff", "teacher-27b", "block", 840.0
    )
