"""``cascade shadow``."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.config import STUDENT_CONCURRENCY, STUDENT_MODEL, STUDENT_TEMPERATURE
from cascade_cli.console import Result
from cascade_cli.moments import read_since, read_span


@command
def shadow(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Argument(help="A file to pull first, or -. Default: the database.", metavar="[SOURCE]")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Nothing older: 7d, 12h, 30m or a date.", metavar="WHEN")
    ] = None,
    student_model: Annotated[
        str | None, typer.Option("--student-model", metavar="NAME", help="The student to ask.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, metavar="N", help="Calls at the same time, at most.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=1, max=100, metavar="K", help="Answers to each event; first at temperature 0."),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", min=0, metavar="T", help="Of the samples after the first.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on beside live traffic until Ctrl-C.")] = False,
    poll: Annotated[
        float, typer.Option("--poll", min=0.1, metavar="SECONDS", help="With --follow: between two looks.")
    ] = 10.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask nothing; count calls, tokens, cost.")] = False,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", min=0, metavar="USD", help="Stop cleanly at this cost.")
    ] = None,
    max_items: Annotated[
        int | None, typer.Option("--max-items", min=1, metavar="N", help="Stop cleanly after N questions.")
    ] = None,
    max_duration: Annotated[
        str | None, typer.Option("--max-duration", metavar="TIME", help="Stop cleanly after 90s, 10m or 2h.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the latest unfinished run.")] = False,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="Ask again what failed earlier.")] = False,
    score: Annotated[bool, typer.Option("--score", help="Score and simulate what was answered.")] = False,
    max_error_rate: Annotated[
        float,
        typer.Option(
            "--max-error-rate", min=0, max=1, metavar="RATE", help="More questions without an answer: exit 6."
        ),
    ] = 0.05,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first line that is bad.")] = False,
) -> Result:
    """Ask the student about every event that it has not answered; the graph is never touched.

    Pulls what is new first. Each answer is safe the moment it arrives: the first Ctrl-C ends the intake and saves,
    and the same command, or --resume, goes on where it stopped. Errors are kept as errors, never as disagreements.

    Example:
      cascade shadow --since 7d
      cascade shadow traces.jsonl.gz --dry-run
      cascade shadow --follow --score
      cascade shadow --samples 3 --max-cost 5
    """
    from cascade_cli.shadow_run import Shadow, run_shadow

    session: Session = ctx.obj
    settings = session.settings(
        {STUDENT_MODEL: student_model, STUDENT_CONCURRENCY: concurrency, STUDENT_TEMPERATURE: temperature}
    )
    asked = Shadow(
        source,
        since=read_since(since, datetime.now(UTC)) if since else None,
        samples=samples,
        retry_errors=retry_errors,
        resume=resume,
        follow=follow,
        poll_s=poll,
        dry_run=dry_run,
        max_items=max_items,
        max_cost_usd=max_cost,
        max_duration_s=read_span(max_duration) if max_duration else None,
        score=score,
        max_error_rate=max_error_rate,
        strict=strict,
    )
    return run_shadow(asked, settings, session.console)
