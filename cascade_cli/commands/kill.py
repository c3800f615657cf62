"""``cascade kill``."""

from enum import StrEnum
from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.console import Result


class Turn(StrEnum):
    """What is to be done with the switch."""

    ON = "on"
    OFF = "off"
    APPROVE = "approve"


@command
def kill(
    ctx: typer.Context,
    turn: Annotated[
        Turn | None, typer.Argument(metavar="[on|off|approve]", help="Without it the state is shown.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept with the switch.")] = None,
    allow_flip: Annotated[
        bool, typer.Option("--allow-flip", help="With off: students may write again, after a breaker.")
    ] = False,
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="FINGERPRINT", help="With approve: no other policy; '' lifts it.")
    ] = None,
    oldest_version: Annotated[
        str | None, typer.Option("--oldest-version", metavar="X.Y", help="With approve: no older worker; '' lifts it.")
    ] = None,
    stage: Annotated[
        str | None, typer.Option("--stage", metavar="TEXT", help="With approve: the rollout's stage; '' lifts it.")
    ] = None,
) -> Result:
    """Switch the student off everywhere, or on again; without an argument, show how it stands.

    kill on throws every switch there is, the kill file first, then the control row, and says which did what. One is
    enough. Once the row is switched, no student write can be committed any more, by any worker; the file works with the
    database down, for workers that see it. The exit status is 4 where no switch could be reached, or where a
    transaction that began before goes on writing; it is 2 where there is none, or its table was never made. kill off
    takes both back; a flip that a breaker took away comes back with --allow-flip alone. Every change is kept with who
    made it.

    Example:
      cascade kill on --reason "made-up addresses since noon"
      cascade kill
      cascade kill off --allow-flip --reason "student restored"
      cascade kill approve --policy 3f2a9c01b7de --oldest-version 0.2
    """
    from cascade_cli.live.kill_run import KillOptions, run_kill
    from cascade_cli.live.killing import Approval

    session: Session = ctx.obj
    options = KillOptions(turn and turn.value, reason, allow_flip, Approval(policy, oldest_version, stage))
    return run_kill(options, session.settings())
