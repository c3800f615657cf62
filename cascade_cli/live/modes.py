"""Who is called and who writes: every switch can only switch off."""

from __future__ import annotations

from dataclasses import dataclass

from cascade_cli.postgres.control import Mode, Switch


@dataclass(frozen=True, slots=True)
class Environment:
    """What was settled when the worker started.

    Attributes:
        enabled: ``CASCADE_ENABLED``.
        has_student: ``STUDENT_ENDPOINT`` is set.
        flip: ``--flip`` was given, and its guard passed.
        policy_fingerprint: of the policy in force here.
        version: of this worker.
    """

    enabled: bool
    has_student: bool
    flip: bool
    policy_fingerprint: str
    version: str

    @property
    def wanted(self) -> Mode:
        """The furthest that this worker ever goes."""
        if not self.enabled:
            return Mode.OFF
        return Mode.FLIP if self.flip and self.has_student else Mode.SHADOW


@dataclass(frozen=True, slots=True)
class InForce:
    """How far this worker goes now.

    Attributes:
        mode: in which the teacher, or the student, writes.
        asks_student: whether the student is called.
        reason: why it goes no further; None where nothing holds it back.
    """

    mode: Mode
    asks_student: bool
    reason: str | None = None

    @property
    def name(self) -> str:
        """One word for people."""
        return self.mode.name.lower() if self.asks_student or self.mode is Mode.OFF else "teacher"


def in_force(environment: Environment, switch: Switch, *, kill_file: bool) -> InForce:
    """What may be done now.

    Args:
        environment: as it was at the start.
        switch: the control row as it was read last.
        kill_file: it exists, or it cannot be seen whether it does.
    """
    if not environment.enabled:
        return InForce(Mode.OFF, asks_student=False, reason="CASCADE_ENABLED is not true")
    if kill_file:
        return InForce(Mode.OFF, asks_student=False, reason="the kill file is there")
    worker = (environment.policy_fingerprint, environment.version)
    mode = switch.lowered(environment.wanted, *worker)
    if mode is Mode.OFF:
        return InForce(mode, asks_student=False, reason=switch.refusal(*worker))
    if not environment.has_student:
        return InForce(mode, asks_student=False, reason="STUDENT_ENDPOINT is not set")
    taken = "the flip was taken away" if mode < environment.wanted else None
    return InForce(mode, asks_student=True, reason=taken)
