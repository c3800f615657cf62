"""``cascade status``."""

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.console import Result


@command
def status(ctx: typer.Context) -> Result:
    """See at one look what the workers do, what waits, and which switch is off.

    Reads figures alone. What cannot be read, for want of a table or a privilege, is said and leaves the rest; the exit
    status is 4 where the database itself cannot be reached.

    Example:
      cascade status
      cascade status --json | jq .data.lanes.teacher.depth
    """
    from cascade_cli.live.status_run import run_status
    from cascade_cli.policy_in_force import policy_in_force

    session: Session = ctx.obj
    settings = session.settings()
    return run_status(settings, policy_in_force(settings).fingerprint)
