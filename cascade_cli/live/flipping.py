"""The guard of the flip: no student writes before its agreement under the prompt in force was measured, and lately."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cascade_cli.config import STUDENT_MODEL, WORKSPACE_PATH
from cascade_cli.console import moment
from cascade_cli.errors import CascadeError, UsageError
from cascade_cli.live.killing import is_there
from cascade_cli.prompt_in_force import PromptInForce, prompt_in_force

if TYPE_CHECKING:
    from pathlib import Path

    from cascade_cli.config import Settings
    from cascade_cli.postgres.control import Control
    from cascade_cli.postgres.graph import GraphMapping
    from cascade_cli.postgres.pool import Pool
    from cascade_cli.workspace import FlipGate

VALID_FOR: Final = timedelta(days=7)
_CURE: Final = (
    "cascade pull, then cascade score --fail-under 0.85 --gate-for-flip; or --force REASON, which is recorded."
)

_REVIVE: Final = "cascade kill off takes that back; without --flip the teacher works alone meanwhile."


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a student may write.

    Attributes:
        granted: it may.
        why: one sentence: the gate that it passed, or what is missing.
        gate: the verdict that counts; None where there is none.
    """

    granted: bool
    why: str
    gate: FlipGate | None = None


@dataclass(frozen=True, slots=True)
class FlipWish:
    """How somebody asks for the flip.

    Attributes:
        who: for people who ask later, as ``ann@host``.
        force: a reason to flip without a passing gate; None to insist on one.
        yes: it is confirmed already.
        ask: shows a question and returns whether it was confirmed; None where there is no terminal.
        stage: of a rollout, from 1; None where there is none.
    """

    who: str
    force: str | None = None
    yes: bool = False
    ask: Callable[[str], bool] | None = None
    stage: int | None = None


def may_flip(settings: Settings, now: datetime) -> Permission:
    """Look for a verdict of ``cascade score --gate-for-flip`` that lets the configured student write.

    It counts when it is of the last seven days, of this student, and of the teacher prompt that is in force: that of
    ``TEACHER_SYSTEM_PROMPT_FILE``, else of the newest trace in the workspace; stored hashes may be cut. Of several
    the latest counts, so a later failure takes an earlier pass back. Reads the workspace and nothing else.

    Args:
        settings: name workspace, prompt file and student.
        now: aware.

    Returns:
        Never granted where anything is missing or cannot be read; ``why`` says what.
    """
    from cascade_cli.workspace import Workspace

    try:
        prompt = prompt_in_force(settings)
        with Workspace.open(settings[WORKSPACE_PATH]) as workspace:
            gates = workspace.flip_gates(now - VALID_FOR)
    except CascadeError as error:
        return Permission(granted=False, why=error.message)
    return _judged(prompt, settings[STUDENT_MODEL], gates, now)


def check_graph(pool: Pool, mapping: GraphMapping) -> None:
    """See that every graph table can be written: without a unique index over what conflicts no write can accrete.

    No ``--force`` gets past this: each student write would fail, and so would the teacher's in its place.

    Raises:
        UsageError: a table, a column or the index is not there; says which, and what makes it.
        DependencyError: the database cannot be reached.
    """
    from cascade_cli.postgres.graph import check_writable

    with pool.explained() as connection:
        check_writable(connection, mapping)


def check_switches(control: Control, kill_file: Path | None) -> None:
    """See that the student may be called at all: whoever asks for a flip and gets none is to know it.

    Args:
        control: of the database that the worker writes to.
        kill_file: None where none is configured.

    Raises:
        UsageError: the student is killed, or the control row cannot be read, which counts as that.
    """
    if kill_file is not None and is_there(kill_file):
        raise UsageError(f"--flip is refused: the kill file {kill_file} is there.", hint=_REVIVE)
    if (row := control.read()).killed:
        raise UsageError(
            f"--flip is refused: the student is killed: {row.reason or 'no reason was given'}.", hint=_REVIVE
        )


def permit_flip(settings: Settings, control: Control, wish: FlipWish, now: datetime) -> Permission:
    """Let a worker flip, or refuse; to be called once by whoever starts it, before anything is claimed.

    Insists on :func:`may_flip` unless it is forced, asks for confirmation, and then writes down who flipped and why
    among the switches of the database, as ``flip`` or ``force_flip``. It opens no switch: a flip that a breaker took
    away holds the worker in shadow all the same.

    Args:
        settings: as for :func:`may_flip`.
        control: of the database that the worker writes to.
        wish: how it was asked for.
        now: aware.

    Returns:
        What was granted, as it stands among the switches; with ``force``, whatever the gate said.

    Raises:
        UsageError: no gate was passed, nobody confirmed, or the reason is empty.
        DependencyError: the database cannot be reached, so that nothing can be written down.
    """
    if wish.force is not None and not wish.force.strip():
        raise UsageError("--force needs a reason.", hint='Say why, as in --force "first day in staging".')
    permission = may_flip(settings, now)
    if wish.force is not None:
        permission = Permission(
            granted=True, why=f"forced: {wish.force.strip()} ({permission.why})", gate=permission.gate
        )
    if not permission.granted:
        raise UsageError(f"--flip is refused: {permission.why}", hint=_CURE)
    if wish.stage is not None:
        permission = replace(permission, why=f"rollout stage {wish.stage}; {permission.why}")
    _confirm(wish, permission)
    control.note("flip" if wish.force is None else "force_flip", who=wish.who, reason=permission.why)
    return permission


def _confirm(wish: FlipWish, permission: Permission) -> None:
    if wish.yes:
        return
    if wish.ask is None:
        raise UsageError("--flip asks for confirmation, and there is no terminal.", hint="Add --yes.")
    if not wish.ask(f"{permission.why}\nLet the student write to the graph?"):
        raise UsageError("Not flipped: it was not confirmed.")


def _judged(prompt: PromptInForce, student: str, gates: list[FlipGate], now: datetime) -> Permission:
    # A verdict of the future comes from a clock that is wrong, and would be valid for ever.
    latest = next(
        (
            gate
            for gate in gates
            if gate.student_model == student and prompt.is_that_of(gate.prompt_hash) and gate.judged_at <= now
        ),
        None,
    )
    who = f"{student} under prompt {prompt.hash[:12]}"
    if latest is None:
        return Permission(granted=False, why=f"no gate of the last {VALID_FOR.days} days for {who}.")
    low = "nothing" if latest.low is None else f"{latest.low:.1%}"
    told = f"the gate for {who}: {low}, asked for {latest.threshold:.1%}, n = {latest.n:,}, {moment(latest.judged_at)}."
    return Permission(latest.passed, f"{'passed' if latest.passed else 'not passed'} {told}", latest)
