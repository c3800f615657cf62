"""The small records that a workspace gives and takes. Frozen; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Added:
    """What adding rows changed; sums add.

    Attributes:
        new_traces: traces that were not there yet.
        new_answers: student answers that were not there yet.
        seen: traces and answers that were there already.
        changed: those of the seen that now say something else; what was there first stays.
    """

    new_traces: int = 0
    new_answers: int = 0
    seen: int = 0
    changed: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(
            self.new_traces + other.new_traces,
            self.new_answers + other.new_answers,
            self.seen + other.seen,
            self.changed + other.changed,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows each table holds."""

    events: int
    traces: int
    student_answers: int
    ledger: int
    scores: int
    runs: int


@dataclass(frozen=True, slots=True)
class PairFilter:
    """Which pairs to read; None lets everything through.

    Attributes:
        since: aware; traces created then or later (those without a date are left out).
        until: aware; traces created before (those without a date are left out).
        prompt_hash: traces of this system prompt.
        student_model: answers of this student; traces it did not answer come without an answer.
        event_id: the traces of one event.
    """

    since: datetime | None = None
    until: datetime | None = None
    prompt_hash: str | None = None
    student_model: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a command that writes.

    Attributes:
        run_id: identity.
        command: as typed, without values that could be secret.
        version: of cascade.
        configuration: resolved, without secrets; what JSON can say.
        started_at: aware UTC.
        watermark: how far the inputs reached; None where that has no meaning.
        counts: what was done, by name.
        status: ``running`` until it is finished; a killed run stays so.
        finished_at: aware UTC; None while it runs.
    """

    run_id: str
    command: str
    version: str
    configuration: Mapping[str, object]
    started_at: datetime
    watermark: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    status: str = "running"
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of a source's time that was read without a gap.

    Attributes:
        since: aware UTC; None reaches back to the beginning.
        until: aware UTC; the newest moment that was read.
    """

    since: datetime | None
    until: datetime
