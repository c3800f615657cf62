"""``cascade runs``."""

from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.config import WORKSPACE_PATH
from cascade_cli.console import Column, Result, Table, moment

_COLUMNS = (
    Column("run_id", "run"),
    Column("started_at", "started", show=moment),
    Column("command", "command"),
    Column("status", "status"),
    Column("counts", "counts"),
)


@command
def runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many, newest first.")] = 20,
) -> Result:
    """List what was run in this workspace, newest first.

    With --json each run carries its settings (without secrets) and how far its inputs reached.

    Example:
      cascade runs
      cascade runs --limit 1 --json
    """
    from dataclasses import asdict

    from cascade_cli.workspace import Workspace

    session: Session = ctx.obj
    with Workspace.open(session.settings()[WORKSPACE_PATH]) as workspace:
        records = [asdict(run) for run in workspace.runs(limit)]
    return Result({"runs": records}, blocks=(Table(_COLUMNS, records),))
