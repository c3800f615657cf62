"""``cascade demo``."""

from pathlib import Path

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.console import Result

_FOLDER = Path(".cascade-demo")


@command
def demo(ctx: typer.Context) -> Result:
    """See the whole of it on shipped examples: offline, nothing left running.

    Starts an embedded PostgreSQL and endpoints for student and teacher, asks the student about made-up events, scores,
    explains one disagreement and replays the policy; then lets events arrive, works in shadow, passes the gate, flips,
    kills, has the teacher replace one event, undoes that, and watches. All by the code of production; only the
    database and the answers are stand-ins. The workspace stays in .cascade-demo unless --workspace names
    another folder.

    Example:
      cascade demo
      cascade demo --json | jq .data.run_flip.ends
    """
    from cascade_cli.demonstration import run_demo

    session: Session = ctx.obj
    return run_demo(session.console, session.workspace or _FOLDER)
