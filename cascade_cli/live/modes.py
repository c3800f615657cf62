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
        if not self.has_student:
            return Mode.TEACHER
        return Mode.FLIP if self.flip else Mode.SHADOW


@dataclass(frozen=True, slots=True)
class InForce:
    """How far this worker goes now.

    Attributes:
        mode: in which the teacher, or the student, writes.
        reason: why it goes no further; None where nothing holds it back.
    """

    mode: Mode
    reason: str | None = None

    @property
    def asks_student(self) -> bool:
        """Whether the student is called."""
        return self.mode >= Mode.SHADOW

    @property
    def name(self) -> str:
        """One word for people."""
        return self.mode.name.lower()


def in_force(environment: Environment, switch: Switch, *, kill_file: bool) -> InForce:
    """What may be done now.

    Args:
        environment: as it was at the start.
        switch: the control row as it was read last.
        kill_file: it exists, or it cannot be seen whether it does.
    """
    if not environment.enabled:
        return InForce(Mode.OFF, "CASCADE_ENABLED is not true")
    if kill_file:
        return InForce(Mode.OFF, "the kill file is there")
    worker = (environment.policy_fingerprint, environment.version)
    mode = switch.lowered(environment.wanted, *worker)
    if (refusal := switch.refusal(*worker)) is not None:
        return InForce(mode, refusal)
    if not environment.has_student:
        return InForce(mode, "STUDENT_ENDPOINT is not set")
    return InForce(mode, "the flip was taken away" if mode < environment.wanted else None)
