"""All that a worker is told, how time passes for it, and what it says. Frozen, but for whom it tells; no I/O."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from cascade_cli.clients import Endpoint, Limits, StudentRequest
from cascade_cli.endpoints import Shape, SystemPrompt
from cascade_cli.errors import CascadeError
from cascade_cli.event_loop import Stop
from cascade_cli.live.logs import Write
from cascade_cli.live.measures import Measures
from cascade_cli.live.modes import Environment
from cascade_cli.live.rules import Rules
from cascade_cli.policy import Policy
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.writing import Author
from cascade_cli.records import StudentAnswer, Trace
from cascade_cli.token_prices import TokenPrices

WaitFor = Callable[[Stop, float], Awaitable[bool]]
"""Waits so many seconds, or until the stop happens; whether it has."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How time passes; tests let an hour pass in seconds.

    Attributes:
        now: monotonic seconds.
        within: waits so long, or until the stop happens; whether it has.
        rest: the same, until the stop is urgent.
    """

    now: Callable[[], float] = time.monotonic
    within: WaitFor = Stop.within
    rest: WaitFor = Stop.rest


@dataclass(frozen=True, slots=True)
class Student:
    """How the student is asked, and what its tokens cost; None where nobody says."""

    endpoint: Endpoint
    limits: Limits
    request: StudentRequest
    shape: Shape
    prices: TokenPrices | None = None


@dataclass(frozen=True, slots=True)
class TeacherPlan:
    """How the teacher is asked, and what its tokens cost; None where nobody says."""

    endpoint: Endpoint
    limits: Limits
    prompt: SystemPrompt
    max_tokens: int | None = None
    prices: TokenPrices | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one worker is told.

    Attributes:
        name: of the worker, unique among those that run.
        dsn: of the database.
        mapping: what the team's tables are called.
        graph: what its graph tables are called.
        environment: what was settled at the start.
        policy: by which it decides.
        rules: how it goes about it.
        student: None where none is configured.
        teacher: how it is asked.
        agrees: the scorer's verdict on what both said; None where nobody shows it.
        once: stop when the queue is empty.
        most: claims after which it stops; None for no limit.
        parent: process id of whoever started it; it stops when that is gone. None for a worker of its own.
        prepare: whether its statements may be prepared, as no pooler of transactions stands between.
    """

    name: str
    dsn: str
    mapping: ColumnMapping
    graph: GraphMapping
    environment: Environment
    policy: Policy
    rules: Rules
    student: Student | None
    teacher: TeacherPlan
    agrees: Callable[[Trace, StudentAnswer], bool | None] | None = None
    once: bool = False
    most: int | None = None
    parent: int | None = None
    prepare: bool = False

    @property
    def author(self) -> Author:
        """Who writes, as the ledger has it."""
        return Author(
            self.student.endpoint.model if self.student else "",
            self.teacher.endpoint.model,
            self.teacher.prompt.hash,
            self.environment.policy_fingerprint,
            self.environment.version,
        )


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker did.

    Attributes:
        claimed: claims it was given.
        ends: how each ended, by word.
        stopped_by: why it claimed no more.
        failure: what the process ends with; None where stopping is no failure.
        unanswered: events that the teacher wrote without what the student would have said beside it, by why.
    """

    claimed: int
    ends: Mapping[str, int]
    stopped_by: str | None
    failure: CascadeError | None
    unanswered: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Voice:
    """Whom the worker tells what.

    Attributes:
        note: a sentence for people.
        log: a line an event; None for none.
        measures: counts.
    """

    note: Callable[[str], None]
    log: Write | None = None
    measures: Measures = field(default_factory=Measures)
