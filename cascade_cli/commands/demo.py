"""``cascade demo``."""

from pathlib import Path

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.config import WORKSPACE_PATH
from cascade_cli.console import Result

_FOLDER = Path(".cascade-demo")


@command
def demo(ctx: typer.Context) -> Result:
    """See the whole of it on shipped examples: offline, nothing left running.

    Starts an embedded PostgreSQL and a student's endpoint, loads made-up events with a teacher's answers, asks the
    student about each as production would, scores by prompt hash, explains one disagreement and replays the policy.
    Only the database and the answers are stand-ins. The workspace stays in .cascade-demo unless --workspace names
    another folder.

    Example:
      cascade demo
      cascade demo --json | jq .data.score.total.agreement
    """
    from cascade_cli.demonstration import run_demo

    session: Session = ctx.obj
    workspace = session.workspace or _FOLDER
    return run_demo(session.settings({WORKSPACE_PATH: workspace}), session.console, workspace)
