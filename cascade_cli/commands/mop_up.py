"""``cascade mop-up``."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.console import Column, Result, Table, moment, prompt_hash
from cascade_cli.errors import NothingEvaluated
from cascade_cli.moments import read_since

_COLUMNS = (
    Column("event_id", "event"),
    Column("distilled_at", "written", show=moment),
    Column("llm_model", "by"),
    Column("system_prompt_hash", "prompt", show=prompt_hash),
)


@command
def mop_up(
    ctx: typer.Context,
    event: Annotated[list[str] | None, typer.Option("--event", metavar="ID", help="This event; repeats.")] = None,
    events: Annotated[
        Path | None, typer.Option("--events", metavar="FILE", help="Ids, one a line, or JSON lines with event_id.")
    ] = None,
    gate: Annotated[
        str | None, typer.Option("--reason", metavar="GATE", help="Events for which this gate would fire today.")
    ] = None,
    verifier_threshold: Annotated[
        str | None,
        typer.Option("--verifier-threshold", metavar="SCORE", help="Events of a higher verifier's score than this."),
    ] = None,
    prompt_hash: Annotated[
        str | None,
        typer.Option("--prompt-hash", metavar="HASH", help="Written under this prompt; it may be cut."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="Written then or later: 7d, 12h or a date.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Written before then.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000_000, metavar="N", help="No more than N, the oldest first.")
    ] = 100,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; kept with the order.")] = "mop-up",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be ordered; order nothing.")] = False,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Nothing to order is no failure.")] = False,
) -> Result:
    """Order that the teacher distils again what the student wrote.

    Chooses events that the student wrote and the teacher did not, and puts them into the teacher's lane. When the
    teacher answers, the worker takes back what the student wrote, as far as nobody else supports it, and keeps a
    receipt for cascade undo. Without a worker nothing happens but the order.

    Example:
      cascade mop-up --prompt-hash f1e0ff --since 7d --dry-run
      cascade mop-up --reason high_value_class --because "new categories"
      cascade mop-up --verifier-threshold 0.6 --since 2d
      cascade mop-up --events disagreeing.jsonl --limit 500
    """
    from cascade_cli.live.killing import who_switches
    from cascade_cli.mopping_up import Wish, choose_gate, mop_up, read_event_ids, told
    from cascade_cli.policy_in_force import read_policy
    from cascade_cli.postgres.superseding import Selection

    session: Session = ctx.obj
    settings, now = session.settings(), datetime.now(UTC)
    policy = read_policy(settings, threshold=verifier_threshold)
    gate = choose_gate(gate, policy, by_score=verifier_threshold is not None)
    ids = (*(event or ()), *(read_event_ids(events) if events else ()))
    start, end = (read_since(text, now) if text else None for text in (since, until))
    selection = Selection(prompt_hash, start, end, ids if event or events else None)
    wish = Wish(selection, gate, limit, because, who_switches())
    done = mop_up(settings, wish, policy, dry_run=dry_run)
    records = [asdict(each) for each in done.chosen]
    failure = None if done.chosen or allow_empty else NothingEvaluated("No event was found that could be ordered.")
    data = {"events": records, "chosen": len(records), "ordered": done.ordered, "more": done.more}
    return Result(data, (Table(_COLUMNS, records), *told(done)), failure=failure)
