"""``cascade compare``."""

from typing import Annotated

import typer

from cascade_cli.commands.declare import ClusterBy, Preset, Session, command
from cascade_cli.config import SCORE_CLUSTER_BY, SCORE_MIN_N
from cascade_cli.console import Result


@command
def compare(
    ctx: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A file of recorded pairs, or a student's name.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same for the other side.")],
    preset: Preset = "default",
    cluster_by: ClusterBy = None,
    list_n: Annotated[int, typer.Option("--list", min=0, metavar="N", help="Changes to list of each sort.")] = 10,
    fail_on_regression: Annotated[
        float | None,
        typer.Option("--fail-on-regression", min=0, max=1, metavar="LOSS", help="Gate on B less A: exit 3."),
    ] = None,
    min_n: Annotated[
        int | None, typer.Option("--min-n", min=1, metavar="N", help="Fewer common events: exit 5.")
    ] = None,
) -> Result:
    """Compare two students, or two versions of one, on the events that both answered.

    Paired: McNemar's exact test on the verdicts, the bootstrap on the differences, and which events changed.

    Example:
      cascade compare old.jsonl.gz new.jsonl.gz
      cascade compare student-v1 student-v2 --fail-on-regression 0.01
    """
    from cascade_cli.scoring import run_compare

    session: Session = ctx.obj
    settings = session.settings({SCORE_CLUSTER_BY: cluster_by, SCORE_MIN_N: min_n})
    return run_compare(
        (first, second),
        settings,
        session.console,
        preset=preset,
        listed=list_n,
        fail_on_regression=fail_on_regression,
        min_n=settings[SCORE_MIN_N],
    )
