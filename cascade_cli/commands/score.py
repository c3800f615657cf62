"""``cascade score``."""

from typing import Annotated

import typer

from cascade_cli.commands.declare import ClusterBy, MaxErrorRate, Preset, Processes, Session, Since, Strict, command
from cascade_cli.config import SCORE_CLUSTER_BY, SCORE_MIN_N
from cascade_cli.console import Result


@command
def score(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Recorded pairs; - for standard input. Default: workspace.")
    ] = None,
    by_prompt_hash: Annotated[bool, typer.Option("--by-prompt-hash", help="Group by the teacher's prompt.")] = False,
    by: Annotated[list[str] | None, typer.Option("--by", metavar="COLUMN", help="Group by a column; repeats.")] = None,
    since: Since = None,
    worst: Annotated[int, typer.Option("--worst", min=0, metavar="N", help="List the N that agree least.")] = 0,
    explain: Annotated[
        list[str] | None, typer.Option("--explain", metavar="EVENT", help="Show the diff of an event; repeats.")
    ] = None,
    explain_all: Annotated[bool, typer.Option("--explain-all", help="Every diff; whole with --format jsonl.")] = False,
    preset: Preset = "default",
    cluster_by: ClusterBy = None,
    fail_under: Annotated[
        float | None, typer.Option("--fail-under", min=0, max=1, metavar="RATE", help="Gate on agreement: exit 3.")
    ] = None,
    each_hash: Annotated[bool, typer.Option("--each-hash", help="Every prompt hash must pass the gate.")] = False,
    on_rate: Annotated[bool, typer.Option("--on-rate", help="Judge the rate, not its lower bound.")] = False,
    gate_for_flip: Annotated[
        bool, typer.Option("--gate-for-flip", help="Keep the verdict on the prompt in force for cascade run --flip.")
    ] = False,
    min_n: Annotated[
        int | None, typer.Option("--min-n", min=1, metavar="N", help="Fewer scored pairs: exit 5.")
    ] = None,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Fewer pairs are no failure.")] = False,
    max_error_rate: MaxErrorRate = 0.05,
    strict: Strict = False,
    processes: Processes = 1,
) -> Result:
    """Measure how far the student agrees with the teacher, item by item.

    Reads recorded pairs from a file (Parquet or JSON Lines, also compressed), or from the workspace. With
    --gate-for-flip the gate is judged on the answers of STUDENT_MODEL under the teacher prompt that is in force (the
    file's, else the newest trace's), at least 30 of them, and the verdict is kept: cascade run --flip asks for one.

    Example:
      cascade score pairs.jsonl.gz --by-prompt-hash
      cascade score pairs.jsonl.gz --explain evt-00571
      cascade score --by-prompt-hash --fail-under 0.85 --each-hash
      cascade score --fail-under 0.85 --gate-for-flip
    """
    from cascade_cli.policy_in_force import policy_in_force
    from cascade_cli.scoring import Conditions, FlipGateWanted, Inquiry, PairSource, run_score

    session: Session = ctx.obj
    settings = session.settings({SCORE_CLUSTER_BY: cluster_by, SCORE_MIN_N: min_n})
    columns = [*(["system_prompt_hash"] if by_prompt_hash or each_hash else []), *(by or [])]
    conditions = Conditions(settings[SCORE_MIN_N], allow_empty, max_error_rate, fail_under, each_hash, on_rate)
    pairs = PairSource(source, since, strict, processes)
    for_flip = FlipGateWanted(policy_in_force(settings).fingerprint) if gate_for_flip else None
    inquiry = Inquiry(pairs, tuple(columns), preset, worst, tuple(explain or ()), explain_all, conditions, for_flip)
    return run_score(inquiry, settings, session.console)
