"""``cascade dashboard``."""

from typing import Annotated

import typer

from cascade_cli.commands.declare import ClusterBy, Floor, Preset, Session, Since, StudentModel, TargetResidual, command
from cascade_cli.config import SCORE_CLUSTER_BY
from cascade_cli.console import Result


@command
def dashboard(
    ctx: typer.Context,
    source: Annotated[str | None, typer.Argument(metavar="[FILE]", help="Recorded pairs. Default: workspace.")] = None,
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="Where to listen; 0 takes a free one.")] = 8765,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="Another than this machine's own needs a token.")
    ] = "127.0.0.1",
    floor: Floor = None,
    target_residual: TargetResidual = 0.05,
    since: Since = None,
    student_model: StudentModel = None,
    preset: Preset = "default",
    cluster_by: ClusterBy = None,
) -> Result:
    """Show the report live: a local page over the workspace, or over a file, until Ctrl-C.

    Nothing is written, and writers beside it are never held up. Pages follow the workspace as it changes. On another
    host than this machine's own, every request needs a token: CASCADE_DASHBOARD_TOKEN, or one that is made and printed
    with the address. With --json the one document comes first, with the address.

    Example:
      cascade dashboard
      cascade dashboard pairs.jsonl.gz --port 9000
      cascade dashboard --port 0 --json
    """
    from cascade_cli.dashboard import Dashboard, run_dashboard
    from cascade_cli.policy_in_force import read_wanted
    from cascade_cli.report import Report, rates_to_draw
    from cascade_cli.scoring import PairSource

    session: Session = ctx.obj
    settings = session.settings({SCORE_CLUSTER_BY: cluster_by})
    pairs = PairSource(source, since, student_model=student_model)
    wanted = read_wanted(settings, rates_to_draw((), settings))
    report = Report(pairs, wanted, preset, worst=0, floor=floor, target_residual=target_residual)
    return run_dashboard(Dashboard(report, host, port), settings, session.console)
