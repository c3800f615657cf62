"""``cascade monitor``."""

from typing import Annotated

import typer

from cascade_cli.commands.declare import (
    ClusterBy,
    Floor,
    HighValue,
    MaxErrorRate,
    Preset,
    Processes,
    RolloutStage,
    Salt,
    Session,
    Since,
    Strict,
    StudentModel,
    VipArena,
    WithoutGate,
    command,
    policy_flags,
)
from cascade_cli.config import (
    POLICY_BURN_IN_EVENTS,
    POLICY_TEACHER_TWICE_RATE,
    POLICY_VERIFIER_THRESHOLD,
    SCORE_CLUSTER_BY,
    SCORE_MIN_N,
)
from cascade_cli.console import Result


@command
def monitor(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Recorded pairs; - for standard input. Default: workspace.")
    ] = None,
    sample_rate: Annotated[
        str | None, typer.Option("--sample-rate", metavar="RATE", help="The rate in force; 1 uses every label.")
    ] = None,
    high_value: HighValue = None,
    vip_arena: VipArena = None,
    verifier_threshold: Annotated[
        str | None, typer.Option("--verifier-threshold", metavar="SCORE", help="A higher score escalates.")
    ] = None,
    salt: Salt = None,
    without_gate: WithoutGate = None,
    burn_in_events: Annotated[
        int | None,
        typer.Option("--burn-in-events", min=0, metavar="N", help="So many of a new prompt hash were all sampled."),
    ] = None,
    rollout_stage: RolloutStage = None,
    target_residual: Annotated[
        float | None,
        typer.Option("--target-residual", min=0, max=1, metavar="SHARE", help="With a stage: what may stay wrong."),
    ] = None,
    teacher_twice: Annotated[
        str | None,
        typer.Option("--teacher-twice", metavar="RATE", help="Share of events the teacher was asked about twice."),
    ] = None,
    floor: Floor = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="HASH", help="Take the floor from this prompt hash.")
    ] = None,
    baseline_labels: Annotated[
        int, typer.Option("--baseline-labels", min=30, metavar="N", help="So many of its first labels make the floor.")
    ] = 200,
    alpha: Annotated[
        float, typer.Option("--alpha", min=0.0001, max=0.5, help="Chance of any false alarm against the floor.")
    ] = 0.05,
    unflip: Annotated[
        bool, typer.Option("--unflip", help="An alarm under the prompt in force takes the flip from every worker.")
    ] = False,
    since: Since = None,
    student_model: StudentModel = None,
    preset: Preset = "default",
    cluster_by: ClusterBy = None,
    min_n: Annotated[int | None, typer.Option("--min-n", min=1, help="Fewer labels: exit 5.")] = None,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Fewer labels are no failure.")] = False,
    max_error_rate: MaxErrorRate = 0.05,
    strict: Strict = False,
    processes: Processes = 1,
) -> Result:
    """Watch agreement by prompt hash, label by label; exit 3 when it has fallen.

    Only sampled standing events speak, one of each thread, in the order of the decisions. The alarms may be looked at
    as often as you like, as long as each look sees all labels since the beginning: they keep their promise at all times
    together. With --unflip an alarm under the prompt in force takes the flip away, until cascade kill off --allow-flip
    gives it back. With the stage of a rollout and what may stay wrong it says whether the next stage is justified.

    Example:
      cascade monitor --floor 0.85 --unflip
      cascade monitor pairs.jsonl.gz --sample-rate 1 --baseline f1e0ff
      cascade monitor --rollout-stage 1 --target-residual 0.02
    """
    from cascade_cli.monitor import Watch, read_rollout, run_monitor
    from cascade_cli.policy_in_force import at_stage, read_policy
    from cascade_cli.scoring import PairSource

    session: Session = ctx.obj
    settings = session.settings(
        {
            **policy_flags(high_value, vip_arena, salt),
            POLICY_BURN_IN_EVENTS: burn_in_events,
            POLICY_VERIFIER_THRESHOLD: verifier_threshold,
            POLICY_TEACHER_TWICE_RATE: teacher_twice,
            SCORE_CLUSTER_BY: cluster_by,
            SCORE_MIN_N: min_n,
        }
    )
    policy = read_policy(settings, sample_rate, without_gate or ())
    pairs = PairSource(source, since, strict, processes, student_model)
    asked = Watch(
        pairs,
        at_stage(policy, rollout_stage),
        floor,
        baseline,
        alpha,
        preset,
        baseline_labels,
        settings[SCORE_MIN_N],
        allow_empty,
        max_error_rate,
        read_rollout(policy, rollout_stage, target_residual),
        unflip,
    )
    return run_monitor(asked, settings, session.console)
