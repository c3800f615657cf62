"""``cascade config show``."""

from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command, group
from cascade_cli.console import Column, Result, Table


@command
def show(
    ctx: typer.Context,
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value came from.")] = False,
) -> Result:
    """Show every setting as the commands would see it here and now.

    Secrets are shown as ***.

    Example:
      cascade config show --origin
      CASCADE_SALT=other cascade config show --json
    """
    from cascade_cli.live.simulated import with_ceiling
    from cascade_cli.policy_in_force import policy_in_force

    session: Session = ctx.obj
    settings = session.settings()
    found = with_ceiling(settings, policy_in_force(settings).fingerprint).resolved.values()
    records = [{"key": each.key, "value": each.shown, "origin": each.origin} for each in found]
    columns = (Column("key", "setting"), Column("value", "value"), Column("origin", "from"))
    return Result({"settings": records}, blocks=(Table(columns if origin else columns[:2], records),))


config = group("config", "Show every setting and where it came from.", show)
