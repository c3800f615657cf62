"""One row of a trace and an answer -> what the metric compares, and why where it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cascade_cli.extraction import check_schema, parse_extraction, repair_extraction
from cascade_cli.policy import known_emails
from cascade_cli.records import Event, Row, StudentAnswer, Trace
from scorers import MalformedExtraction, ScoringConfig, score_extraction


@dataclass(frozen=True, slots=True)
class Reading:
    """Both sides of one recorded pair.

    Attributes:
        gold: the teacher's extraction; None where it cannot be read: the pair is unscorable.
        predicted: the student's extraction; None where there is none to read.
        known_emails: the addresses of the event; None where neither event nor prompt is at hand.
        missing_output: the student was asked and gave nothing.
        invalid_json: it gave something from which no extraction can be read.
        empty: its extraction has no items.
        repairable: invalid, but a repair of its text would yield an extraction.
    """

    gold: dict[str, object] | None
    predicted: dict[str, object] | None
    known_emails: set[str] | None
    missing_output: bool = False
    invalid_json: bool = False
    empty: bool = False
    repairable: bool = False


def read_pair(trace: Trace, answer: StudentAnswer) -> Reading:
    """Read a teacher's and a student's text as extractions."""
    gold = _usable(parse_extraction(trace.raw_response))
    known = _grounds(trace)
    if answer.response is None:
        return Reading(gold, None, known, missing_output=True)
    predicted = _usable(parse_extraction(answer.response))
    if predicted is None:
        repairable = _usable(repair_extraction(answer.response)) is not None
        return Reading(gold, None, known, invalid_json=True, repairable=repairable)
    return Reading(gold, predicted, known, empty=check_schema(predicted) == "student_empty")


def pair_agrees(trace: Trace, answer: StudentAnswer, config: ScoringConfig) -> bool | None:
    """Whether an answer agrees with a trace; None where the trace cannot be read: then it is no reference."""
    reading = read_pair(trace, answer)
    if reading.gold is None:
        return None
    try:
        return score_extraction(reading.gold, reading.predicted, config, known_emails=reading.known_emails).agrees
    except MalformedExtraction:
        return None


def answered(row: Row) -> StudentAnswer:
    """The student's answer of a row that has one.

    Raises:
        ValueError: the student was not asked.
    """
    if row.answer is None:
        raise ValueError(f"event {row.trace.event_id} has no answer")
    return row.answer


def _usable(extraction: dict[str, object] | None) -> dict[str, object] | None:
    """The extraction, unless it breaks the schema."""
    if extraction is None or check_schema(extraction) == "student_parse_fail":
        return None
    return extraction


def _grounds(trace: Trace) -> set[str] | None:
    """What grounds e-mails: the event, or the prompt that showed it; None where neither is at hand."""
    event = shown_event(trace)
    return None if event.content is None else known_emails(event)


def shown_event(trace: Trace) -> Event:
    """The event of a trace; where its content is not at hand, the prompt that showed it stands for that."""
    event = trace.event or Event(trace.event_id)
    return event if event.content is not None else replace(event, content=trace.user_prompt)
