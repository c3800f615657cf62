"""``cascade undo``."""

from dataclasses import asdict
from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.console import Result


@command
def undo(
    ctx: typer.Context,
    receipt: Annotated[int, typer.Argument(metavar="RECEIPT", min=1, help="The number that a superseding left.")],
) -> Result:
    """Bring back what the student wrote for one event, row for row, the ledger included.

    Exit status 4, and nothing is changed, where a row is no longer as the superseding left it: what came since would be
    lost.

    Example:
      cascade undo 17
    """
    from cascade_cli.mopping_up import undo

    session: Session = ctx.obj
    undone = undo(session.settings(), receipt)
    rows = f"{len(undone.restored)} rows are as before, {len(undone.removed)} that the teacher made are gone"
    return Result(asdict(undone), (f"Event {undone.event_id} is the student's again: {rows}.",))
