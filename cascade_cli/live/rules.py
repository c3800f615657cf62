"""The settings of a worker, settled once at its start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cascade_cli.config import (
    LIVE_BATCH,
    LIVE_KILL_FILE,
    LIVE_LEASE_S,
    LIVE_MAX_ATTEMPTS,
    LIVE_MAX_ESCALATION_BACKLOG,
    LIVE_MAX_ESCALATIONS_PER_MIN,
    LIVE_METRICS_HOST,
    LIVE_METRICS_PORT,
    LIVE_MOST_PARSE_FAILURES,
    LIVE_MOST_UNGROUNDED,
    LIVE_NEVER_STUDENT_ARENAS,
    LIVE_NEVER_STUDENT_CLASSES,
    LIVE_OUTAGE_HOLD_S,
    LIVE_POLL_S,
    LIVE_STOP_S,
    LIVE_TRACE_ENABLED,
    STUDENT_CONCURRENCY,
    STUDENT_MAX_PROMPT_CHARS,
    TEACHER_CONCURRENT_CALLS,
    TEACHER_EVENTS_PER_CALL,
    Settings,
)
from cascade_cli.errors import UsageError
from cascade_cli.records import Event


@dataclass(frozen=True, slots=True)
class Rules:
    """How a worker goes about it; times in seconds.

    Attributes:
        batch: events held for the student at the same time, at most.
        student_calls: at the same time, at most.
        most_prompt_chars: a longer prompt is not sent to the student, and counts as a failed call.
        events_per_call: of the teacher.
        teacher_calls: at the same time, at most.
        lease_s: of a claim; renewed at a third of it.
        poll_s: the longest pause between two looks into an empty queue.
        stop_s: how long a worker that is to stop waits for open answers.
        outage_hold_s: how long events wait for a student that is away.
        escalations_per_min: the ceiling, for this process; None for none.
        escalation_backlog: when so many wait for the teacher, the student gets no more; None for no such limit.
        past_student_classes: disclosure classes that the student never sees.
        past_student_arenas: likewise.
        most_parse_failures: share in [0, 1] of unusable answers; above it the flip is taken away.
        most_ungrounded: likewise, of answers with made-up addresses.
        max_attempts: genuine failures of one event.
        with_traces: whether teacher answers are recorded.
        kill_file: None where none is configured.
        metrics_port: of this process; None serves nothing.
        metrics_host: the address at which it is.
    """

    batch: int = 100
    student_calls: int = 8
    most_prompt_chars: int = 200_000
    events_per_call: int = 10
    teacher_calls: int = 4
    lease_s: float = 120.0
    poll_s: float = 1.0
    stop_s: float = 30.0
    outage_hold_s: float = 900.0
    escalations_per_min: int | None = None
    escalation_backlog: int | None = None
    past_student_classes: frozenset[str] = frozenset()
    past_student_arenas: frozenset[str] = frozenset()
    most_parse_failures: float = 0.1
    most_ungrounded: float = 0.05
    max_attempts: int = 3
    with_traces: bool = True
    kill_file: Path | None = None
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"

    @staticmethod
    def of(settings: Settings, *, workers: int = 1, number: int = 0) -> Rules:
        """The rules of one of several processes, which share the ceiling and serve metrics at ports in a row.

        Args:
            settings: as resolved.
            workers: processes, at least 1.
            number: which of them, from 0.

        Raises:
            UsageError: the ceiling is too low for each of them to have a share.
        """
        classes: tuple[str, ...] = settings[LIVE_NEVER_STUDENT_CLASSES]
        arenas: tuple[str, ...] = settings[LIVE_NEVER_STUDENT_ARENAS]
        ceiling, port = settings[LIVE_MAX_ESCALATIONS_PER_MIN], settings[LIVE_METRICS_PORT]
        if ceiling is not None and ceiling < workers:
            raise UsageError(
                f"A ceiling of {ceiling} escalations a minute leaves nothing to some of {workers} workers.",
                hint="Raise MAX_ESCALATIONS_PER_MIN, or start fewer: what one of them may not escalate it holds.",
            )
        return Rules(
            batch=settings[LIVE_BATCH],
            student_calls=settings[STUDENT_CONCURRENCY],
            most_prompt_chars=settings[STUDENT_MAX_PROMPT_CHARS],
            events_per_call=settings[TEACHER_EVENTS_PER_CALL],
            teacher_calls=settings[TEACHER_CONCURRENT_CALLS],
            lease_s=settings[LIVE_LEASE_S],
            poll_s=settings[LIVE_POLL_S],
            stop_s=settings[LIVE_STOP_S],
            outage_hold_s=settings[LIVE_OUTAGE_HOLD_S],
            # What cannot be shared out evenly goes to the first ones.
            escalations_per_min=None if ceiling is None else (ceiling + workers - 1 - number) // workers,
            escalation_backlog=settings[LIVE_MAX_ESCALATION_BACKLOG],
            past_student_classes=frozenset(classes),
            past_student_arenas=frozenset(arenas),
            most_parse_failures=float(settings[LIVE_MOST_PARSE_FAILURES]),
            most_ungrounded=float(settings[LIVE_MOST_UNGROUNDED]),
            max_attempts=settings[LIVE_MAX_ATTEMPTS],
            with_traces=settings[LIVE_TRACE_ENABLED],
            kill_file=settings[LIVE_KILL_FILE],
            metrics_port=None if port is None else port + number,
            metrics_host=settings[LIVE_METRICS_HOST],
        )

    def goes_past_student(self, event: Event) -> bool:
        """Whether the student may never see an event."""
        return event.disclosure_class in self.past_student_classes or event.arena in self.past_student_arenas
