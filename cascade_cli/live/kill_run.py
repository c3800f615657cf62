"""``cascade kill`` from end to end: throw the switches, or look at them, and tell.

What only looking needs is loaded then: whoever throws a switch is not to wait for it, nor the kill file for the driver.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cascade_cli.config import POSTGRES_URL
from cascade_cli.console import Column, Result, Table
from cascade_cli.errors import UsageError
from cascade_cli.live.killing import Approval, Order, Throw, approve, failure_of, switch_off, switch_on, who_switches

if TYPE_CHECKING:
    from cascade_cli.config import Settings

_LATEST: Final = 5
_COLUMNS: Final = (
    Column("switch", "switch"),
    Column("place", "where"),
    Column("done", "done"),
    Column("told", "how"),
    Column("took_ms", "ms", lambda value: f"{value:.1f}", "right"),
)
_NOTHING: Final = Approval()


@dataclass(frozen=True, slots=True)
class KillOptions:
    """What was asked of ``cascade kill``.

    Attributes:
        turn: ``on``, ``off`` or ``approve``; None shows the state.
        reason: kept with the switch; None where none was given.
        allow_flip: with ``off``, students may write again.
        approval: with ``approve``.
    """

    turn: str | None = None
    reason: str | None = None
    allow_flip: bool = False
    approval: Approval = _NOTHING


def run_kill(options: KillOptions, settings: Settings) -> Result:
    """Do what was asked.

    Args:
        options: as typed.
        settings: say where the switches are.

    Raises:
        UsageError: flags that do nothing here, or no switch is configured.
    """
    _check(options)
    if options.turn is None:
        return _shown(settings)
    began = time.monotonic()
    order = Order(who_switches(), options.reason)
    if options.turn == "on":
        throws = switch_off(settings, order)
    elif options.turn == "off":
        throws = switch_on(settings, order, allow_flip=options.allow_flip)
    else:
        throws = (approve(settings, order, options.approval),)
    return _told(options.turn, throws, time.monotonic() - began)


def _check(options: KillOptions) -> None:
    """Refuse flags that would do nothing: whoever gave them expects that they do."""
    if options.allow_flip and options.turn != "off":
        raise UsageError("--allow-flip goes with cascade kill off.")
    if options.approval != _NOTHING and options.turn != "approve":
        raise UsageError("--policy, --oldest-version and --stage go with cascade kill approve.")
    if options.reason is not None and options.turn is None:
        raise UsageError("--reason goes with on, off or approve.", hint="Say which: cascade kill on --reason TEXT")


def _shown(settings: Settings) -> Result:
    from cascade_cli.live.standing import read_standing, switch_tables
    from cascade_cli.policy_in_force import policy_in_force
    from cascade_cli.postgres.pool import Pool

    dsn, policy_fingerprint = settings[POSTGRES_URL], policy_in_force(settings).fingerprint
    if dsn is None:
        standing = read_standing(settings, None, policy_fingerprint, _LATEST)
        return Result(standing.data, switch_tables(standing))
    with Pool(dsn) as pool:
        standing = read_standing(settings, pool, policy_fingerprint, _LATEST)
    return Result(standing.data, switch_tables(standing), failure=standing.problem)


def _told(turn: str, throws: tuple[Throw, ...], took_s: float) -> Result:
    from cascade_cli.live.standing import row_told

    failure = failure_of(throws, all_needed=turn != "on")
    records = [_record(throw) for throw in throws]
    data = {"turn": turn, "switches": records, "took_ms": took_s * 1_000}
    warnings = [throw.error.message for throw in throws if throw.error is not None and throw.error is not failure]
    rows = [throw.row for throw in throws if throw.row is not None]
    blocks: tuple[Table | str, ...] = (
        f"{_headline(turn, throws)} ({took_s * 1_000:,.0f} ms)",
        Table(_COLUMNS, records),
        *(f"The control row: {row_told(row)}." for row in rows),
    )
    hints = tuple(_TAKEN for row in rows if turn == "off" and not row.flip_allowed)
    if turn == "on" and not any(throw.done for throw in throws):
        hints += (_OTHERWISE,)
    return Result(data, blocks, warnings=tuple(warnings), hints=hints, failure=failure)


def _record(throw: Throw) -> dict[str, object]:
    return {
        "switch": throw.switch,
        "place": throw.place,
        "done": throw.done,
        "told": throw.told,
        "took_ms": throw.took_s * 1_000,
    }


def _headline(turn: str, throws: tuple[Throw, ...]) -> str:
    done = sum(throw.done for throw in throws)
    counted = f"{done} of {len(throws)} switches" if len(throws) > 1 else "its switch"
    if turn == "on":
        return f"The student is off, by {counted}." if done else "The student could not be switched off."
    if turn == "off":
        back = done == len(throws)
        return "The student is no longer killed." if back else f"The student is still off: {counted} taken back."
    return "Approved." if done else "Nothing was approved."


_OTHERWISE: Final = (
    "While the database is away no student can write. A switch that needs none is a file that workers and this command"
    " both name (CASCADE_KILL_FILE); or stop the workers, or start them with CASCADE_ENABLED=false."
)
_TAKEN: Final = (
    "Students may still not write: a breaker took the flip away. cascade kill off --allow-flip gives it back."
)
