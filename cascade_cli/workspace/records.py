"""The small records that a workspace gives and takes. Frozen; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cascade_cli.records import StudentAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cascade_cli.records import Event


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
class Awaited:
    """Which labels a live worker's teacher still owes.

    Attributes:
        as_of: aware UTC; when the database was asked last: what was decided later may wait, too.
        events: how many wait by one reason, without a trace since the decision.
        since: aware UTC; when the first of them was decided; None where there is none.
        lost: events, whatever the reason, about which the student was asked more than a day before ``as_of`` and that
            neither wait, nor have a trace, nor were written by the student: nobody will answer them.
    """

    as_of: datetime
    events: int = 0
    since: datetime | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class PairFilter:
    """Which pairs to read; None lets everything through.

    Attributes:
        since: aware; traces created then or later (those without a date are left out).
        until: aware; traces created before (those without a date are left out).
        prompt_hash: traces of this system prompt.
        student_model: answers of this student; traces it did not answer come without an answer.
        event_id: the traces of one event.
        all_samples: further answers to the same question too, not only the one that counts.
    """

    since: datetime | None = None
    until: datetime | None = None
    prompt_hash: str | None = None
    student_model: str | None = None
    event_id: str | None = None
    all_samples: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question to the student: an answer, or an error and why.

    Attributes:
        event_id: the event it was asked about.
        student_model: who was asked.
        prompt_shape: how the event was shown; with the other three it is the key.
        sample_index: 0 for the answer that counts, 1.. for others.
        run_id: of the run that asked.
        requests: that were sent, 0 where the question could not even be asked.
        at: aware UTC; when it came.
        response: the student's text; None for an error.
        student_ms: of the last request; None for an error.
        signals: token probabilities and the like, each in [0, 1].
        prompt_tokens: counted by the endpoint, else estimated.
        completion_tokens: likewise.
        finish_reason: why the student stopped; None where unknown.
        error: the kind of failure; None for an answer.
        detail: of an error, one sentence without the event's text.
        outage: the error speaks of the endpoint, not of this event.
    """

    event_id: str
    student_model: str
    prompt_shape: str
    sample_index: int
    run_id: str
    requests: int
    at: datetime
    response: str | None = None
    student_ms: float | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    error: str | None = None
    detail: str | None = None
    outage: bool = False

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What was asked."""
        return self.event_id, self.student_model, self.prompt_shape, self.sample_index

    @property
    def answer(self) -> StudentAnswer:
        """The answer; only where there is no error."""
        return StudentAnswer(
            self.event_id,
            self.response,
            self.student_model,
            self.prompt_shape,
            self.sample_index,
            self.student_ms,
            self.signals,
        )


@dataclass(frozen=True, slots=True)
class Spooled:
    """An outcome in the spool.

    Attributes:
        seq: its number; whatever came later has a higher one.
        outcome: with the requests of those whose place it took.
        earlier: how many of the requests were theirs.
        earlier_seq: the number of the last of them; None where there was none of the same run.
    """

    seq: int
    outcome: Outcome
    earlier: int = 0
    earlier_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """What a whole run did, its earlier parts included.

    Attributes:
        answered: questions with an answer.
        failed: questions without one, by kind.
        requests: that were sent.
        prompt_tokens: of the answered.
        completion_tokens: likewise.
    """

    answered: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A question that got no answer.

    Attributes:
        event_id: about which event.
        kind: of the failure.
        detail: one sentence without the event's text.
    """

    event_id: str
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Experience:
    """What is known before anything is asked.

    Attributes:
        completion_tokens: mean of the student's earlier answers; None where it has none.
        student_ms: mean of the same; None likewise.
        teacher_chars: mean length of the teacher's answers to the same events; None where there are none.
    """

    completion_tokens: float | None
    student_ms: float | None
    teacher_chars: float | None


@dataclass(frozen=True, slots=True)
class Questions:
    """Which questions are open.

    Attributes:
        student_model: who is to be asked.
        prompt_shape: how.
        samples: answers wanted for each event, at least 1.
        since: aware; events of traces created then or later; None for all.
        run_id: of the run that asks.
        retry_errors: ask again what failed in earlier runs; outages are asked again in any case.
        most_chars: longer prompts come cut, one character above.
    """

    student_model: str
    prompt_shape: str
    samples: int
    since: datetime | None
    run_id: str
    retry_errors: bool
    most_chars: int


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An event about which something is to be asked.

    Attributes:
        event_id: identity.
        user_prompt: the block as the trace holds it, cut above the most characters; None where it holds none, or the
            prompt is to be built.
        event: with its content cut likewise; None where it is not at hand, or not needed.
        samples: the indexes that have no answer.
    """

    event_id: str
    user_prompt: str | None
    event: Event | None
    samples: tuple[int, ...]


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
class FlipGate:
    """A verdict on whether a student may write under a prompt.

    Attributes:
        run_id: of the scoring that found it.
        prompt_hash: of the teacher's prompt; all digits where its file was known.
        student_model: who was judged.
        passed: the verdict.
        threshold: that ``low`` had to reach, in [0, 1].
        low: lower bound of the agreement; None where nothing was scored.
        n: scored pairs.
        scorer: fingerprint of the metric.
        policy_fingerprint: of the policy of the settings then; None where unknown.
        judged_at: aware UTC.
    """

    run_id: str
    prompt_hash: str
    student_model: str
    passed: bool
    threshold: float
    low: float | None
    n: int
    scorer: str
    policy_fingerprint: str | None
    judged_at: datetime


@dataclass(frozen=True, slots=True)
class SimulatedRate:
    """How many events a policy sends to the teacher, as a simulation over the workspace found.

    Attributes:
        run_id: of the simulation.
        policy_fingerprint: of the policy.
        escalation: share of the events in [0, 1].
        events: that were replayed.
        events_per_min: that came in the busiest hour.
        simulated_at: aware UTC.
    """

    run_id: str
    policy_fingerprint: str
    escalation: float
    events: int
    events_per_min: float
    simulated_at: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of a source's time that was read without a gap.

    Attributes:
        since: aware UTC; None reaches back to the beginning.
        until: aware UTC; the newest moment that was read.
    """

    since: datetime | None
    until: datetime
