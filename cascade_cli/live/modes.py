"""Who is called and who writes: every switch can only switch off."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mode(Enum):
    """What the worker does with an event."""

    OFF = "off"
    """The teacher writes every event, the student is not called, no ledger row: as if there were no cascade."""
    TEACHER = "teacher"
    """The teacher writes every event and the ledger says so; there is no student to call."""
    SHADOW = "shadow"
    """The teacher writes every event; the student is asked beside it, without effect on the graph."""
    FLIPPED = "flipped"
    """The student writes first; the gates send the rest to the teacher."""

    @property
    def asks_student(self) -> bool:
        """Whether the student is called."""
        return self in {Mode.SHADOW, Mode.FLIPPED}

    @property
    def keeps_ledger(self) -> bool:
        """Whether the ledger is written."""
        return self is not Mode.OFF


@dataclass(frozen=True, slots=True)
class Environment:
    """What was settled when the worker started.

    Attributes:
        enabled: ``CASCADE_ENABLED``.
        has_student: ``STUDENT_ENDPOINT`` is set.
        flip: ``--flip`` was given, and its guard passed.
        policy_fingerprint: of the policy in force here.
        version: of this worker, as ``(1, 2, 3)``.
    """

    enabled: bool
    has_student: bool
    flip: bool
    policy_fingerprint: str
    version: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Switches:
    """What is looked at again and again while it runs.

    Attributes:
        kill_file: it exists, or it cannot be seen whether it does.
        killed: by the control row; true where that cannot be read.
        flip_allowed: no breaker took the flip away since a person gave it.
        policy_fingerprint: the approved one; None approves every one.
        oldest_version: that may ask the student; None allows every one.
    """

    kill_file: bool = False
    killed: bool = False
    flip_allowed: bool = True
    policy_fingerprint: str | None = None
    oldest_version: tuple[int, ...] | None = None


UNREADABLE = Switches(killed=True)
"""What counts where the control row cannot be read."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The mode, and why it is not a further one; ``reason`` None where nothing holds it back."""

    mode: Mode
    reason: str | None = None


def mode_of(environment: Environment, switches: Switches) -> Standing:
    """The mode that is in force now.

    A worker whose policy or version is not the approved one goes on as if it had no student: its answers would be
    judged by rules that nobody approved.
    """
    if (reason := _why_off(environment, switches)) is not None:
        return Standing(Mode.OFF, reason)
    if (reason := _why_teacher(environment, switches)) is not None:
        return Standing(Mode.TEACHER, reason)
    if not environment.flip:
        return Standing(Mode.SHADOW)
    return Standing(Mode.FLIPPED) if switches.flip_allowed else Standing(Mode.SHADOW, "a breaker took the flip away")


def _why_off(environment: Environment, switches: Switches) -> str | None:
    if not environment.enabled:
        return "CASCADE_ENABLED is not true"
    if switches.kill_file:
        return "the kill file is there"
    return "the control row says killed, or cannot be read" if switches.killed else None


def _why_teacher(environment: Environment, switches: Switches) -> str | None:
    approved, ours = switches.policy_fingerprint, environment.policy_fingerprint
    if not environment.has_student:
        return "STUDENT_ENDPOINT is not set"
    if approved not in {None, ours}:
        return f"policy {ours} is not the approved one, {approved}"
    if switches.oldest_version is not None and environment.version < switches.oldest_version:
        return f"this worker is older than {_dotted(switches.oldest_version)}"
    return None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
