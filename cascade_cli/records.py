"""The records that travel between sources, workspace, scoring and policy. Frozen; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One input to distil.

    Attributes:
        id: identity; the sampler's only input besides domain and salt.
        arena: where it happened (a channel, an account); None when unknown.
        content: the text; None where only a trace is at hand.
        attributes: the structured envelope, as decoded JSON.
        participant_set: who may see it; ``(arena,)`` unless given.
        disclosure_class: ``private`` unless given.
        source_kind: what sort of source it came from; None when unknown.
        emitted_at: aware UTC; None when absent or unreadable.
    """

    id: str
    arena: str | None = None
    content: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    participant_set: tuple[str, ...] = ()
    disclosure_class: str = "private"
    source_kind: str | None = None
    emitted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One recorded teacher answer.

    Attributes:
        event_id: the event it answers.
        raw_response: the teacher's text for this event alone.
        trace_id: identity in its source; sources without one derive it from the content, so that reading twice
            gives the same id.
        system_prompt_hash: which teacher prompt was in force; None when unknown.
        llm_model: the teacher's name; None when unknown.
        user_prompt: the event block the teacher was shown; grounds e-mails where the event is missing.
        llm_ms: milliseconds of the call (of its chunk); None when unknown.
        created_at: aware UTC; None when unknown.
        event: the event itself; None where the trace stands alone.
    """

    event_id: str
    raw_response: str
    trace_id: str
    system_prompt_hash: str | None = None
    llm_model: str | None = None
    user_prompt: str | None = None
    llm_ms: float | None = None
    created_at: datetime | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class StudentAnswer:
    """What a student said about one event.

    Attributes:
        event_id: the event it was asked about.
        response: the raw text; None when it was asked and gave nothing.
        student_model: the student's name; empty when unknown.
        prompt_shape: how the event was shown to it; part of the key, so that another shape is another answer.
        sample_index: 0 for the first answer, 1.. for further samples of the same question.
        student_ms: milliseconds of the call; None when unknown.
        signals: what else is known of the answer, by name: numbers in [0, 1], such as ``verifier``, the expected chance
            that it disagrees with the teacher's.
        decided_at: when a live worker decided about the event by it; aware UTC; None where none did.
    """

    event_id: str
    response: str | None
    student_model: str = ""
    prompt_shape: str = "event_block"
    sample_index: int = 0
    student_ms: float | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AwaitedEvent:
    """An event that waits for the teacher, by a live worker's decision.

    Attributes:
        event_id: as in the queue.
        reason: why it escalates.
        decided_at: aware UTC; when the student had answered, by which labels are ordered, else when it was decided.
    """

    event_id: str
    reason: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """A trace and, where the student was asked, its answer; ``answer`` is None where it was not asked."""

    trace: Trace
    answer: StudentAnswer | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line or table row that could not be read: counted and reported, never scored.

    Attributes:
        where: file and line, or table and key.
        cause: what is wrong with it, in one sentence, without its content.
    """

    where: str
    cause: str
