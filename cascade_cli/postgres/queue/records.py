"""What the queue gives and takes. Frozen; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cascade_cli.records import Event


class Lane(Enum):
    """Who a waiting event is for."""

    STUDENT = "student"
    """Every event at first, whoever writes it in the end."""
    TEACHER = "teacher"
    """Events of which it is decided that the student's answer does not do."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The rules of a queue.

    Attributes:
        max_attempts: genuine failures that an event may have, at least 1; the last of them is final.
        lease_s: seconds that a claim is held unless it is renewed, above 0.
        retry_base_s: the longest wait after the first failure; it doubles with each further one.
        retry_cap_s: the longest wait of all.
        alone_from: interruptions from which an event is claimed with no other.
        quarantine_at: interruptions at which it counts as failed, for it seems to kill workers.
    """

    max_attempts: int = 3
    lease_s: float = 120.0
    retry_base_s: float = 2.0
    retry_cap_s: float = 300.0
    alone_from: int = 2
    quarantine_at: int = 5

    def longest_wait_s(self, attempts: int) -> float:
        """The upper end of the wait after a failure that ``attempts`` others came before."""
        # Beyond 2**30 the cap has long been reached, and the power would grow without end.
        return min(self.retry_cap_s, self.retry_base_s * 2.0 ** min(attempts, 30))


@dataclass(frozen=True, slots=True)
class Escalation:
    """A decision that an event goes to the teacher, which stands however often it is tried.

    Attributes:
        reason: the first gate that fired.
        decided_at: aware UTC, by the server's clock.
    """

    reason: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A queue row that is held for a while.

    Attributes:
        queue_id: of the row, as text.
        event_id: as text.
        fence: proves that the row is held by this claim and no later one.
        attempts: genuine failures before this try.
        interruptions: how often a claim of it was lost with its worker.
        event: None where it is missing or cannot be read; ``problem`` says which.
        problem: one sentence without content; None where there is an event.
        escalation: None where nothing was decided yet.
    """

    queue_id: str
    event_id: str
    fence: str
    attempts: int
    interruptions: int
    event: Event | None
    problem: str | None = None
    escalation: Escalation | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What a genuine failure led to.

    Attributes:
        attempts: failures so far, this one among them.
        final: whether the event has failed for good.
        wait_s: seconds until it may be tried again; 0 where it is not.
    """

    attempts: int
    final: bool
    wait_s: float


@dataclass(frozen=True, slots=True)
class Reaped:
    """One expired claim that was taken back.

    Attributes:
        queue_id: as text.
        event_id: as text.
        interruptions: this one among them.
        failed: whether it counts as failed now: in quarantine, or out of attempts.
    """

    queue_id: str
    event_id: str
    interruptions: int
    failed: bool


@dataclass(frozen=True, slots=True)
class LaneState:
    """How much a lane holds.

    Attributes:
        waiting: events that could be claimed, those that wait for another try among them.
        delayed: of these, the ones whose time has not come.
        claimed: events that are being worked on, by whichever worker.
        oldest_age_s: how long ago the oldest of all of them came; None where there is none or ages are unknown.
        next_try_in_s: seconds until the first delayed one may be claimed; None where there is none.
    """

    waiting: int
    delayed: int
    claimed: int
    oldest_age_s: float | None
    next_try_in_s: float | None

    @property
    def depth(self) -> int:
        """Waiting and claimed together: what an autoscaler needs."""
        return self.waiting + self.claimed
