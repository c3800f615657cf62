"""What ``cascade kill`` does: throws every switch that there is, and says which did what."""

from __future__ import annotations

import getpass
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cascade_cli.config import LIVE_KILL_FILE, POSTGRES_SCHEMA, POSTGRES_URL
from cascade_cli.database_in_force import database_url
from cascade_cli.errors import CascadeError, DependencyError, UsageError

if TYPE_CHECKING:
    from cascade_cli.config import Settings
    from cascade_cli.postgres.control import Control, Switch

FILE: Final = "kill file"
ROW: Final = "control row"
_VERSION: Final = re.compile(r"(\d{1,9}(\.\d{1,9}){,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Throw:
    """What became of one switch.

    Attributes:
        switch: ``FILE`` or ``ROW``.
        place: which it is, without secrets.
        done: whether it stands now as was asked.
        told: what was done, or why nothing was.
        took_s: seconds.
        error: why it does not stand, or not for everybody yet; None where all is well.
        row: the control row as it is now; None for the file, or where it cannot be told.
    """

    switch: str
    place: str
    done: bool
    told: str
    took_s: float
    error: CascadeError | None = None
    row: Switch | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants of the switches.

    Attributes:
        who: for people who ask later.
        reason: likewise; None where none was given.
        clock: monotonic seconds.
    """

    who: str
    reason: str | None = None
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Approval:
    """What may run; None leaves a part as it is, an empty text lifts it."""

    policy_fingerprint: str | None = None
    oldest_worker_version: str | None = None
    rollout_stage: str | None = None


def switch_off(settings: Settings, order: Order) -> tuple[Throw, ...]:
    """Switch the student off by the file, which needs nobody, then by the row.

    Raises:
        UsageError: there is neither.
    """
    return tuple(
        _throw(settings, order, _make_file, lambda control: control.kill(who=order.who, reason=order.reason), "killed")
    )


def switch_on(settings: Settings, order: Order, *, allow_flip: bool = False) -> tuple[Throw, ...]:
    """Take both back; whatever else was switched stays.

    Args:
        settings: say where the switches are.
        order: who, and why.
        allow_flip: let students write again as well, after a breaker took that away.

    Raises:
        UsageError: there is neither.
    """

    def act(control: Control) -> Switch:
        row = control.revive(who=order.who, reason=order.reason)
        return control.allow_flip(who=order.who, reason=order.reason) if allow_flip else row

    told = "no longer killed; students may write" if allow_flip else "no longer killed"
    return tuple(_throw(settings, order, _remove_file, act, told))


def approve(settings: Settings, order: Order, approval: Approval) -> Throw:
    """Say in the control row which policy, which workers and which stage it is to be.

    Raises:
        UsageError: nothing is approved, no database is configured, or the version is none.
    """
    if approval == Approval():
        raise UsageError("Nothing is approved.", hint="Give --policy, --oldest-version or --stage.")
    if not _VERSION.fullmatch(approval.oldest_worker_version or ""):
        raise UsageError(f"{approval.oldest_worker_version!r} is no version.", hint="Write it as 1.2 or 1.2.3.")
    dsn = database_url(settings)

    def act(control: Control) -> Switch:
        return control.approve(
            who=order.who,
            reason=order.reason,
            policy_fingerprint=approval.policy_fingerprint,
            oldest_worker_version=approval.oldest_worker_version,
            rollout_stage=approval.rollout_stage,
        )

    return _throw_row(settings, dsn, order, act, "changed")


def failure_of(throws: tuple[Throw, ...], *, all_needed: bool) -> CascadeError | None:
    """What the process ends with.

    Args:
        throws: what became of each switch.
        all_needed: the student works only once all of them are taken back, but one alone switches it off. A
            transaction that goes on writing is a failure in any case.
    """
    from cascade_cli.postgres.control import StillWritingError

    errors = [throw.error for throw in throws if throw.error is not None]
    writing = [error for error in errors if isinstance(error, StillWritingError)]
    if not all_needed and any(throw.done for throw in throws):
        return writing[0] if writing else None
    return errors[0] if errors else None


def is_there(path: Path) -> bool:
    """Whether a kill file counts as there: also where nobody can see whether it is."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def who_switches() -> str:
    """The user of this process and its machine, as ``ann@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _throw(
    settings: Settings, order: Order, act_on_file: FileAct, act_on_row: Callable[[Control], Switch], told: str
) -> Iterator[Throw]:
    path, dsn = settings[LIVE_KILL_FILE], settings[POSTGRES_URL]
    if path is None and dsn is None:
        raise UsageError("There is no switch to throw.", hint="Set DATABASE_URL, or CASCADE_KILL_FILE to a path.")
    if path is not None:
        yield _throw_file(path.absolute(), order, act_on_file)
    if dsn is not None:
        yield _throw_row(settings, dsn, order, act_on_row, told)


FileAct = Callable[[Path, Order], tuple[bool, str]]


def _throw_file(path: Path, order: Order, act: FileAct) -> Throw:
    began = order.clock()
    try:
        done, told = act(path, order)
        error = None
    except OSError as refused:
        done, told = False, f"cannot be changed: {refused.strerror or type(refused).__name__}"
        error = DependencyError(f"The kill file {path} {told}.", hint="See to its folder's owner and mode.")
    return Throw(FILE, str(path), done, told, order.clock() - began, error)


def _make_file(path: Path, order: Order) -> tuple[bool, str]:
    if is_there(path):
        return True, "was there already"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    # It counts as soon as it exists; on a full disk it may stay empty.
    with suppress(OSError), os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {order.who}: {order.reason or 'no reason was given'}\n")
    return is_there(path), "made"


def _remove_file(path: Path, _order: Order) -> tuple[bool, str]:
    there = is_there(path)
    path.unlink(missing_ok=True)
    return not is_there(path), "removed" if there else "was not there"


def _throw_row(settings: Settings, dsn: str, order: Order, act: Callable[[Control], Switch], told: str) -> Throw:
    from cascade_cli.postgres import redacted
    from cascade_cli.postgres.control import Control, StillWritingError
    from cascade_cli.postgres.pool import Pool

    began = order.clock()
    # A connection string that cannot be read is told apart from the others, and not shown.
    place = ROW
    try:
        place = redacted(dsn)
        with Pool(dsn) as pool:
            row = act(Control(pool, settings[POSTGRES_SCHEMA]))
    except StillWritingError as error:
        return Throw(ROW, place, True, f"{told}, but {_WRITING}", order.clock() - began, error)
    except CascadeError as error:
        return Throw(ROW, place, False, error.message.removeprefix(f"{place}: "), order.clock() - began, error)
    return Throw(ROW, place, True, told, order.clock() - began, row=row)


_WRITING: Final = "a transaction that began before is still writing"
