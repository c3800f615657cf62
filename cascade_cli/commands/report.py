"""``cascade report``."""

from typing import Annotated

import typer

from cascade_cli.commands.declare import (
    BurnInEvents,
    ClusterBy,
    Cost,
    Floor,
    HighValue,
    Preset,
    Processes,
    Salt,
    Session,
    Since,
    Strict,
    StudentModel,
    TargetResidual,
    VerifierThresholds,
    VipArena,
    WithoutGate,
    command,
    policy_flags,
)
from cascade_cli.config import POLICY_BURN_IN_EVENTS, SCORE_CLUSTER_BY, read_assignments
from cascade_cli.console import Result


@command
def report(
    ctx: typer.Context,
    source: Annotated[str | None, typer.Argument(metavar="[FILE]", help="Recorded pairs. Default: workspace.")] = None,
    redact: Annotated[bool, typer.Option("--redact", help="Leave out texts, names and values.")] = False,
    worst: Annotated[int, typer.Option("--worst", min=0, metavar="N", help="Show the N events that agree least.")] = 10,
    floor: Floor = None,
    target_residual: TargetResidual = 0.05,
    sample_rate: Annotated[
        list[str] | None,
        typer.Option("--sample-rate", metavar="RATE", help="The rate in force, then others to draw; repeats, sweeps."),
    ] = None,
    high_value: HighValue = None,
    vip_arena: VipArena = None,
    salt: Salt = None,
    without_gate: WithoutGate = None,
    verifier_threshold: VerifierThresholds = None,
    burn_in_events: BurnInEvents = None,
    cost: Cost = None,
    since: Since = None,
    student_model: StudentModel = None,
    preset: Preset = "default",
    cluster_by: ClusterBy = None,
    strict: Strict = False,
    processes: Processes = 1,
) -> Result:
    """Lay the evidence out on one page: may the student do the work?

    One HTML file that needs nothing else, into reports/ or where -o says; with -o FILE.md, or --format md, Markdown
    for a pull request. Its figures are those of score, simulate and monitor. It holds texts of events unless --redact
    leaves them out.

    Example:
      cascade report
      cascade report pairs.jsonl.gz -o reports/pairs.html
      cascade report --since 30d --redact --format md
    """
    from cascade_cli.policy_in_force import read_wanted
    from cascade_cli.report import Report, rates_to_draw, run_report
    from cascade_cli.scoring import PairSource

    session: Session = ctx.obj
    settings = session.settings(
        {
            **policy_flags(high_value, vip_arena, salt),
            POLICY_BURN_IN_EVENTS: burn_in_events,
            SCORE_CLUSTER_BY: cluster_by,
            **read_assignments(cost or (), ("cost", "fleet")),
        }
    )
    wanted = read_wanted(
        settings, rates_to_draw(sample_rate or (), settings), without_gate or (), verifier_threshold or ()
    )
    pairs = PairSource(source, since, strict, processes, student_model)
    asked = Report(pairs, wanted, preset, worst, floor, target_residual, redact)
    return run_report(asked, settings, session.console)
