"""``cascade run``."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from cascade_cli.commands.declare import HighValue, RolloutStage, Salt, Session, VipArena, command, policy_flags
from cascade_cli.console import Result


class Log(StrEnum):
    """What is logged of each event."""

    NONE = "none"
    JSON = "json"


@command
def run(
    ctx: typer.Context,
    flip: Annotated[bool, typer.Option("--flip", help="The student writes what the gates let stand.")] = False,
    force: Annotated[
        str | None, typer.Option("--force", metavar="REASON", help="Flip without a passing gate; recorded.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="The flip is confirmed.")] = False,
    once: Annotated[bool, typer.Option("--once", help="End when the queue is empty, retries included.")] = False,
    max_events: Annotated[
        int | None, typer.Option("--max-events", min=1, metavar="N", help="End after N claims.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, metavar="N", help="Processes.")] = 1,
    worker_name: Annotated[
        str | None, typer.Option("--worker-name", metavar="NAME", help="Stands in the queue and in logs.")
    ] = None,
    log: Annotated[Log, typer.Option("--log", help="json: a line an event on standard error.")] = Log.NONE,
    sample_rate: Annotated[
        str | None, typer.Option("--sample-rate", metavar="RATE", help="Share that the teacher sees anyway.")
    ] = None,
    high_value: HighValue = None,
    vip_arena: VipArena = None,
    salt: Salt = None,
    verifier_threshold: Annotated[
        str | None, typer.Option("--verifier-threshold", metavar="SCORE", help="A higher score escalates, or off.")
    ] = None,
    rollout_stage: RolloutStage = None,
    max_error_rate: Annotated[
        float, typer.Option("--max-error-rate", min=0, max=1, metavar="RATE", help="Events that may fail for good.")
    ] = 0.05,
) -> Result:
    """Work through the queue: in shadow the teacher writes, with --flip the student where the gates let it.

    Without CASCADE_ENABLED, or killed, the teacher does everything, as if there were no cascade. Any number of workers
    may run at the same time; each event is written once. The first Ctrl-C or SIGTERM finishes what is in hand and
    gives back the rest, the second ends at once. --flip wants a gate that cascade score --gate-for-flip passed within a
    week, or --force with a reason, and a confirmation. --rollout-stage 1 begins carefully: half of the events are
    sampled and every category escalates; cascade monitor says when the next stage is justified.

    Example:
      cascade run
      cascade run --flip --yes --sample-rate 0.2 --workers 2 --log json
      cascade run --flip --yes --rollout-stage 1
      cascade run --once --json
    """
    from cascade_cli.live.run import Live, run_live
    from cascade_cli.policy_in_force import at_stage, read_policy

    session: Session = ctx.obj
    settings = session.settings(policy_flags(high_value, vip_arena, salt))
    policy = at_stage(read_policy(settings, sample_rate, threshold=verifier_threshold), rollout_stage)
    ask = typer.confirm if sys.stdin.isatty() else None
    asked = (policy, flip, once, max_events, workers, worker_name, log is Log.JSON, force, yes, ask, rollout_stage)
    return run_live(Live(*asked, max_error_rate), settings, session.console)
