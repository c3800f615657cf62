"""``cascade simulate``."""

from pathlib import Path
from typing import Annotated

import typer

from cascade_cli.commands.declare import (
    BurnInEvents,
    ClusterBy,
    Cost,
    HighValue,
    MaxErrorRate,
    Preset,
    Processes,
    Salt,
    Session,
    Since,
    Strict,
    StudentModel,
    VerifierThresholds,
    VipArena,
    WithoutGate,
    command,
    policy_flags,
)
from cascade_cli.config import (
    POLICY_BURN_IN_EVENTS,
    SCORE_CLUSTER_BY,
    SCORE_MIN_N,
    read_assignments,
)
from cascade_cli.console import Result


@command
def simulate(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Recorded pairs; - for standard input. Default: workspace.")
    ] = None,
    sample_rate: Annotated[
        list[str] | None,
        typer.Option("--sample-rate", metavar="RATE", help="Share sampled, or a sweep 0:0.2:0.01; repeats."),
    ] = None,
    high_value: HighValue = None,
    vip_arena: VipArena = None,
    salt: Salt = None,
    without_gate: WithoutGate = None,
    verifier_threshold: VerifierThresholds = None,
    burn_in_events: BurnInEvents = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="WHAT", help="Change gates or categories, one at a time; repeats."),
    ] = None,
    target_residual: Annotated[
        float | None, typer.Option("--target-residual", min=0, max=1, metavar="SHARE", help="Most that may stay wrong.")
    ] = None,
    logged_rate: Annotated[
        str | None,
        typer.Option("--logged-rate", metavar="RATE", help="The pairs are a worker's log at this rate: weigh them."),
    ] = None,
    rollout: Annotated[bool, typer.Option("--rollout", help="Plan careful stages towards the target.")] = False,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", min=0, metavar="N", help="Joint intervals from N resamples.")
    ] = 0,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Replay arrivals through a teacher that scales to zero.")
    ] = False,
    cost: Cost = None,
    since: Since = None,
    student_model: StudentModel = None,
    decisions: Annotated[
        Path | None, typer.Option("--decisions", metavar="FILE", help="Write each decision as a line of JSON.")
    ] = None,
    preset: Preset = "default",
    cluster_by: ClusterBy = None,
    min_n: Annotated[int | None, typer.Option("--min-n", min=1, metavar="N", help="Fewer events: exit 5.")] = None,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Fewer events are no failure.")] = False,
    max_error_rate: MaxErrorRate = 0.05,
    strict: Strict = False,
    processes: Processes = 1,
) -> Result:
    """Replay the policy: which events escalate, why, what it costs, what stays wrong.

    The same gates and the same sampler as the live worker's. Several rates make a sweep; the first is shown in full.
    With --logged-rate the settings say which policy was in force, and the flags which one to replay.

    Example:
      cascade simulate pairs.jsonl.gz --sample-rate 0.05
      cascade simulate --sample-rate 0:0.2:0.01 --target-residual 0.02
      cascade simulate pairs.jsonl --vip-arena board --vary gates --json
    """
    from cascade_cli.policy_in_force import read_wanted
    from cascade_cli.scoring import PairSource
    from cascade_cli.simulate import Simulation, read_ways, run_simulate

    session: Session = ctx.obj
    settings = session.settings(
        {
            **policy_flags(high_value, vip_arena, salt),
            POLICY_BURN_IN_EVENTS: burn_in_events,
            SCORE_CLUSTER_BY: cluster_by,
            SCORE_MIN_N: min_n,
            **read_assignments(cost or (), ("cost", "fleet")),
        }
    )
    wanted = read_wanted(settings, sample_rate or (), without_gate or (), verifier_threshold or ())
    pairs = PairSource(source, since, strict, processes, student_model)
    simulation = Simulation(
        pairs,
        wanted,
        preset,
        target_residual=target_residual,
        logged=read_wanted(session.settings(), [logged_rate], most_rates=1).base if logged_rate is not None else None,
        rollout=rollout,
        bootstrap=bootstrap,
        fleet=fleet,
        vary=read_ways(vary or ()),
        decisions=decisions,
        min_n=settings[SCORE_MIN_N],
        allow_empty=allow_empty,
        max_error_rate=max_error_rate,
    )
    return run_simulate(simulation, settings, session.console)
