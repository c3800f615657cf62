"""What may be done now, and what was switched. Frozen; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

_NUMBERS: Final = re.compile(r"\d+")
_VERSION: Final = re.compile(r"\d{1,9}(\.\d{1,9}){,9}", re.ASCII)


class Mode(IntEnum):
    """How far the student may go; each switch can only lower it."""

    OFF = 0
    """The teacher alone, as if there were no cascade: no student call, no ledger row."""
    TEACHER = 1
    """The teacher alone, with its ledger rows: there is no student to ask, or this worker may not ask it."""
    SHADOW = 2
    """The teacher writes; the student's answers and what the gates make of them are recorded."""
    FLIP = 3
    """The student writes what the gates let stand."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The control row, or what is assumed where it cannot be read.

    Attributes:
        killed: the student is off.
        flip_allowed: students may write; a breaker takes it away, a person gives it back.
        policy_fingerprint: the approved policy; None approves any.
        oldest_worker_version: older workers keep to the teacher; None admits any.
        rollout_stage: as it was set; None where none was.
        changed_at: aware UTC; None where the row could not be read.
        changed_by: who changed it last; None as above.
        reason: of that change.
    """

    killed: bool
    flip_allowed: bool
    policy_fingerprint: str | None = None
    oldest_worker_version: str | None = None
    rollout_stage: str | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None
    reason: str | None = None

    def refusal(self, policy_fingerprint: str, worker_version: str) -> str | None:
        """Why this worker may not ask the student, in one sentence; None where it may."""
        if self.killed:
            return f"killed: {self.reason or 'no reason was given'}"
        if self.policy_fingerprint not in {None, policy_fingerprint}:
            return f"policy {policy_fingerprint} is not the approved one, {self.policy_fingerprint}"
        oldest = self.oldest_worker_version
        if oldest is not None and not _VERSION.fullmatch(oldest):
            return "the oldest version that is admitted is no version"
        if oldest is not None and _parts(worker_version) < _parts(oldest):
            return f"version {worker_version} is older than {oldest}, the oldest that is admitted"
        return None

    def lowered(self, wanted: Mode, policy_fingerprint: str, worker_version: str) -> Mode:
        """The mode in which this worker may run when it wants to run in another."""
        if self.killed:
            return Mode.OFF
        if self.refusal(policy_fingerprint, worker_version) is not None:
            return min(wanted, Mode.TEACHER)
        return wanted if self.flip_allowed else min(wanted, Mode.SHADOW)


UNREADABLE: Final = Switch(killed=True, flip_allowed=False, reason="the control row is absent or cannot be read")
"""What counts where there is no row, no table, no privilege or no server."""


@dataclass(frozen=True, slots=True)
class Switched:
    """One change of the control row.

    Attributes:
        at: aware UTC, by the server's clock.
        who: a person or a worker.
        action: ``kill``, ``revive``, ``unflip``, ``allow_flip``, ``approve`` or ``flip``.
        reason: as it was given; None where none was.
    """

    at: datetime
    who: str
    action: str
    reason: str | None


def _parts(version: str) -> tuple[int, ...]:
    """A version as numbers that compare; ``1.0`` is ``1``."""
    numbers = [int(number) for number in _NUMBERS.findall(version)]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
