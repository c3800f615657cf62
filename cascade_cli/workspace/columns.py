"""Records to columns and back: how a batch of rows is shown to DuckDB, how a stored row becomes a record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

import numpy as np

from cascade_cli.records import Event, Row, StudentAnswer, Trace
from cascade_cli.storable import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping

    from numpy.typing import NDArray

    from cascade_cli.ledger import LedgerEntry
    from cascade_cli.workspace.records import Spooled

T = TypeVar("T")
Columns = dict[str, "NDArray[Any]"]
# Envelopes from Parquet may hold dates and decimals, which JSON has no word for.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=str)
AnswerKey = tuple[str, str, str, int]


@overload
def naive_utc(moment: datetime) -> datetime: ...
@overload
def naive_utc(moment: None) -> None: ...
def naive_utc(moment: datetime | None) -> datetime | None:
    """An aware moment as the zoneless UTC that the tables hold."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


@overload
def aware_utc(moment: datetime) -> datetime: ...
@overload
def aware_utc(moment: None) -> None: ...
def aware_utc(moment: datetime | None) -> datetime | None:
    """The reverse of `naive_utc`."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def trace_columns(rows: Iterable[Row]) -> Columns:
    """The first trace of each id."""
    traces = _first_of_each((row.trace for row in rows), lambda trace: trace.trace_id)
    return {
        "trace_id": _texts(trace.trace_id for trace in traces),
        "event_id": _texts(trace.event_id for trace in traces),
        "raw_response": _texts(trace.raw_response for trace in traces),
        "system_prompt_hash": _texts(trace.system_prompt_hash for trace in traces),
        "llm_model": _texts(trace.llm_model for trace in traces),
        "user_prompt": _texts(trace.user_prompt for trace in traces),
        "llm_ms": _numbers(trace.llm_ms for trace in traces),
        "created_at": _moments(trace.created_at for trace in traces),
    }


def event_columns(rows: Iterable[Row]) -> Columns:
    """The first event of each id; traces that stand alone bring none."""
    events = _first_of_each((row.trace.event for row in rows if row.trace.event), lambda event: event.id)
    return {
        "event_id": _texts(event.id for event in events),
        "arena": _texts(event.arena for event in events),
        "content": _texts(event.content for event in events),
        "attributes": _texts(_ENCODER.encode(dict(event.attributes)) for event in events),
        "participant_set": _texts(_ENCODER.encode(event.participant_set) for event in events),
        "disclosure_class": _texts(event.disclosure_class for event in events),
        "source_kind": _texts(event.source_kind for event in events),
        "emitted_at": _moments(event.emitted_at for event in events),
    }


def answer_columns(answers: Iterable[StudentAnswer]) -> Columns:
    """The first answer of each key."""
    kept = _first_of_each(answers, answer_key)
    return {
        "event_id": _texts(answer.event_id for answer in kept),
        "student_model": _texts(answer.student_model for answer in kept),
        "prompt_shape": _texts(answer.prompt_shape for answer in kept),
        "sample_index": np.array([answer.sample_index for answer in kept], dtype=np.int32),
        "response": _texts(answer.response for answer in kept),
        "student_ms": _numbers(answer.student_ms for answer in kept),
        "signals": _texts(_ENCODER.encode(dict(answer.signals)) if answer.signals else None for answer in kept),
        "answered_at": _moments(answer.decided_at for answer in kept),
    }


def outcome_columns(spooled: Iterable[Spooled]) -> Columns:
    """What is in the spool, with its numbers; each key is there once."""
    taken = list(spooled)
    kept = [each.outcome for each in taken]
    return {
        "seq": np.array([each.seq for each in taken], dtype=np.int64),
        "earlier": np.array([each.earlier for each in taken], dtype=np.int32),
        "earlier_seq": _counts(each.earlier_seq for each in taken),
        "event_id": _texts(outcome.event_id for outcome in kept),
        "student_model": _texts(outcome.student_model for outcome in kept),
        "prompt_shape": _texts(outcome.prompt_shape for outcome in kept),
        "sample_index": np.array([outcome.sample_index for outcome in kept], dtype=np.int32),
        "response": _texts(outcome.response for outcome in kept),
        "student_ms": _numbers(outcome.student_ms for outcome in kept),
        "signals": _texts(_ENCODER.encode(dict(outcome.signals)) if outcome.signals else None for outcome in kept),
        "run_id": _texts(outcome.run_id for outcome in kept),
        "requests": np.array([outcome.requests for outcome in kept], dtype=np.int32),
        "prompt_tokens": _counts(outcome.prompt_tokens for outcome in kept),
        "completion_tokens": _counts(outcome.completion_tokens for outcome in kept),
        "finish_reason": _texts(outcome.finish_reason for outcome in kept),
        "came_at": _moments(outcome.at for outcome in kept),
        "error": _texts(outcome.error for outcome in kept),
        "detail": _texts(outcome.detail or "" for outcome in kept),
        "outage": np.array([outcome.outage for outcome in kept], dtype=np.bool_),
    }


def said_by_teacher(rows: Collection[Row]) -> Columns:
    """What each trace says, repeated ones included."""
    return {
        "trace_id": _texts(row.trace.trace_id for row in rows),
        "said": _texts(row.trace.raw_response for row in rows),
    }


def said_by_student(answers: Collection[StudentAnswer]) -> Columns:
    """What each answer says, repeated ones included."""
    return {
        "event_id": _texts(answer.event_id for answer in answers),
        "student_model": _texts(answer.student_model for answer in answers),
        "prompt_shape": _texts(answer.prompt_shape for answer in answers),
        "sample_index": np.array([answer.sample_index for answer in answers], dtype=np.int32),
        "said": _texts(answer.response for answer in answers),
    }


def ledger_columns(entries: Iterable[LedgerEntry]) -> Columns:
    """The last entry of each key: a second write refreshes the row."""
    kept = {(entry.event_id, entry.producer): entry for entry in entries}.values()
    return {
        "event_id": _texts(entry.event_id for entry in kept),
        "producer": _texts(entry.producer for entry in kept),
        "llm_model": _texts(entry.llm_model for entry in kept),
        "system_prompt_hash": _texts(entry.system_prompt_hash for entry in kept),
        "escalated": _texts(None if entry.escalated is None else str(entry.escalated) for entry in kept),
        "escalate_reason": _texts(entry.escalate_reason for entry in kept),
        "distilled_at": _moments(entry.distilled_at for entry in kept),
    }


def event_of(stored: tuple[Any, ...]) -> Event:
    """A row of ``events_of`` as a record."""
    event_id, arena, content, attributes, participants, disclosure, source_kind, emitted_at = stored
    return Event(
        id=event_id,
        arena=arena,
        content=content,
        attributes=cast("Mapping[str, object]", json.loads(attributes)),
        participant_set=tuple(json.loads(participants)),
        disclosure_class=disclosure,
        source_kind=source_kind,
        emitted_at=aware_utc(emitted_at),
    )


def trace_of(stored: tuple[Any, ...], event: Event | None) -> Trace:
    """A row of ``page_of_traces``, without its last column, as a record."""
    trace_id, event_id, raw_response, prompt_hash, llm_model, user_prompt, llm_ms, created_at = stored
    return Trace(
        event_id=event_id,
        raw_response=raw_response,
        trace_id=trace_id,
        system_prompt_hash=prompt_hash,
        llm_model=llm_model,
        user_prompt=user_prompt,
        llm_ms=llm_ms,
        created_at=aware_utc(created_at),
        event=event,
    )


def answer_of(stored: tuple[Any, ...]) -> StudentAnswer:
    """A row of ``answers_of`` as a record."""
    event_id, student_model, prompt_shape, sample_index, response, student_ms, signals, decided_at = stored
    known, moment = json.loads(signals) if signals else {}, aware_utc(decided_at)
    return StudentAnswer(event_id, response, student_model, prompt_shape, sample_index, student_ms, known, moment)


def _first_of_each(items: Iterable[T], key: Callable[[T], Hashable]) -> Collection[T]:
    kept: dict[Hashable, T] = {}
    for item in items:
        kept.setdefault(key(item), item)
    return kept.values()


def answer_key(answer: StudentAnswer) -> AnswerKey:
    """What names an answer."""
    return (answer.event_id, answer.student_model, answer.prompt_shape, answer.sample_index)


def _texts(values: Iterable[str | None]) -> NDArray[Any]:
    return np.array([storable(value) for value in values], dtype=np.object_)


def _numbers(values: Iterable[float | None]) -> NDArray[Any]:
    """None becomes NaN, which the statements turn into NULL."""
    return np.array(list(values), dtype=np.float64)


def _counts(values: Iterable[int | None]) -> NDArray[Any]:
    """None becomes -1, which the statements turn into NULL."""
    return np.array([-1 if value is None else value for value in values], dtype=np.int32)


def _moments(values: Iterable[datetime | None]) -> NDArray[Any]:
    return np.array([naive_utc(value) for value in values], dtype="datetime64[us]")
