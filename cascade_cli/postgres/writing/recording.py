"""The records beside a write: ledger rows, student answers and teacher traces, each kind in one statement a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from psycopg import sql

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.cleansing import cleansed
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.source import ANSWERS_TABLE, LEDGER_TABLE
from cascade_cli.postgres.tables import types_of_columns
from cascade_cli.postgres.writing.records import Author, JudgedAnswer, Standing, TeacherWritten
from cascade_cli.records import Trace

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

QUERIES: Final = read_named_sql(files("cascade_cli.postgres.writing") / "writing.sql")
_TEXT_TYPES: Final = frozenset({"text", "varchar", "bpchar", "uuid"})
_TRACE_KEY: Final = ("event_id", "raw_response", "created_at")
_TRACE_COLUMNS: Final = ("event_id", "system_prompt_hash", "llm_model", "user_prompt", "raw_response", "llm_chunk_ms")


class Records:
    """The statements that record, made once for a mapping.

    Args:
        mapping: what the tables are called.
        author: who writes.
        with_trace_ids: whether the trace table takes our ids; else it gives its own.
    """

    def __init__(self, mapping: ColumnMapping, author: Author, *, with_trace_ids: bool) -> None:
        self._author = author
        self._trace_columns = _trace_columns(mapping, with_trace_ids=with_trace_ids)
        columns = (sql.Identifier(theirs) for theirs in self._trace_columns.values())
        names: Mapping[str, sql.Composable] = {
            "ledger": mapping.table(LEDGER_TABLE),
            "answers": mapping.table(ANSWERS_TABLE),
            "traces": mapping.table(mapping.traces.table),
            "columns": sql.SQL(", ").join(columns),
            **{name: sql.Identifier(getattr(mapping.traces, name)) for name in _TRACE_KEY},
        }
        kinds = ("record_ledger", "record_answers", "record_traces", "record_missing_traces")
        self._missing_traces = "record_traces" if with_trace_ids else "record_missing_traces"
        self.queries = {kind: compose(QUERIES[kind], names).as_bytes(None) for kind in kinds}

    @staticmethod
    def open(pool: Pool, mapping: ColumnMapping, author: Author) -> Records:
        """Look at what the trace table's ids are.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        with pool.explained() as connection:
            types = types_of_columns(connection, mapping, mapping.traces.table)
        # A table that is not there may come; until then each trace is missed and counted.
        _, id_type = types.get(mapping.traces.id, ("pg_catalog", "text"))
        return Records(mapping, author, with_trace_ids=id_type in _TEXT_TYPES)

    def student(self, connection: Connection, standing: Sequence[Standing]) -> None:
        """Record that the student wrote."""
        event_ids = [each.claim.event_id for each in standing]
        self._ledger(
            connection, "student", self._author.student_model, [(event_id, False, None) for event_id in event_ids]
        )

    def answers(self, connection: Connection, answers: Sequence[JudgedAnswer]) -> None:
        """Record what the student said and what the gates made of it."""
        if answers:
            rows = json.dumps([_answer_row(answer) for answer in answers])
            values = {"answers": rows, "policy_fingerprint": self._author.policy_fingerprint}
            connection.execute(self.queries["record_answers"], values)

    def audits(
        self, taught: Sequence[TeacherWritten], *, with_ledger: bool, again: bool = False
    ) -> Iterator[tuple[str, Callable[[Connection], None]]]:
        """What is to be recorded beside the teacher's writes, by the name of its kind.

        Args:
            taught: what the teacher wrote.
            with_ledger: False where the cascade is off: then there are traces alone, as ever.
            again: they may have been recorded by an earlier try.
        """
        traces = [each.trace for each in taught if each.trace is not None]
        answers = [each.answer for each in taught if each.answer is not None]
        # Superseding has made its own ledger row, and not as an audit.
        entered = [each for each in taught if not each.mops_up]
        if entered and with_ledger:
            yield "ledger", partial(self._teacher, taught=entered)
        if answers and with_ledger:
            yield "answer", partial(self.answers, answers=answers)
        if traces:
            query = self._missing_traces if again else "record_traces"
            yield "trace", partial(self._traces, query=query, traces=traces)

    def _teacher(self, connection: Connection, taught: Sequence[TeacherWritten]) -> None:
        rows = [(each.claim.event_id, each.escalated, each.reason) for each in taught]
        self._ledger(connection, "teacher", self._author.llm_model, rows)

    def _ledger(
        self, connection: Connection, producer: str, model: str, rows: Sequence[tuple[str, bool | None, str | None]]
    ) -> None:
        event_ids, escalated, reasons = zip(*rows, strict=True) if rows else ((), (), ())
        values = {
            "producer": producer,
            "llm_model": model,
            "system_prompt_hash": self._author.system_prompt_hash,
            "event_ids": list(event_ids),
            "escalated": list(escalated),
            "reasons": list(reasons),
        }
        if rows:
            connection.execute(self.queries["record_ledger"], values)

    def _traces(self, connection: Connection, query: str, traces: Sequence[Trace]) -> None:
        rows = [{theirs: _of_trace(trace)[ours] for ours, theirs in self._trace_columns.items()} for trace in traces]
        connection.execute(self.queries[query], {"traces": json.dumps(rows)})


def _trace_columns(mapping: ColumnMapping, *, with_trace_ids: bool) -> dict[str, str]:
    """Our names of the columns that are written to the team's."""
    ours = ("id", *_TRACE_COLUMNS) if with_trace_ids else _TRACE_COLUMNS
    return {name: theirs for name in ours if (theirs := getattr(mapping.traces, name))}


def _of_trace(trace: Trace) -> dict[str, object]:
    return {
        "id": cleansed(trace.trace_id),
        "event_id": cleansed(trace.event_id),
        "system_prompt_hash": cleansed(trace.system_prompt_hash),
        "llm_model": cleansed(trace.llm_model),
        "user_prompt": cleansed(trace.user_prompt),
        "raw_response": cleansed(trace.raw_response),
        "llm_chunk_ms": trace.llm_ms,
    }


def _answer_row(judged: JudgedAnswer) -> dict[str, object]:
    answer, decision = judged.answer, judged.decision
    row: dict[str, object] = {
        "event_id": cleansed(answer.event_id),
        "student_model": cleansed(answer.student_model),
        "prompt_shape": answer.prompt_shape,
        "sample_index": answer.sample_index,
        "response": cleansed(answer.response),
        "parsed": judged.parsed,
        "fired": [] if decision is None else decision.fired,
        "student_ms": answer.student_ms,
        "signals": dict(answer.signals) or None,
    }
    if decision is not None:
        row |= {
            "sampled": decision.sampled,
            "u": decision.unit,
            # As a text, so that the decimal stays exact.
            "rate": str(decision.rate),
            "pi": decision.inclusion_probability,
        }
    return row
