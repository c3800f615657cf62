"""``cascade pull``."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.config import WORKSPACE_PATH
from cascade_cli.console import Column, Result, Table
from cascade_cli.moments import read_since

_COUNTS = ("read", "new_traces", "new_answers", "seen", "changed", "bad", "ledger")
_NAMES = {"read": "traces read", "seen": "seen before", "changed": "of these changed", "bad": "bad rows"}
_COLUMNS = tuple(Column(name, _NAMES.get(name, name.replace("_", " ")), align="right") for name in _COUNTS)


@command
def pull(
    ctx: typer.Context,
    source: Annotated[str | None, typer.Argument(help="A file, or - for standard input.", metavar="[SOURCE]")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Nothing older: 7d, 12h, 30m or a date.", metavar="WHEN")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first line that is bad.")] = False,
    max_error_rate: Annotated[
        float, typer.Option("--max-error-rate", min=0, max=1, metavar="RATE", help="More bad rows: exit 6.")
    ] = 0.05,
) -> Result:
    """Bring traces and events from PostgreSQL or a file into the workspace.

    Without SOURCE the database is read from where the last pull ended. What is there already is not brought twice.

    Example:
      cascade pull --since 7d
      cascade pull pairs.jsonl.gz
      zstdcat traces.jsonl.zst | cascade pull -
    """
    from cascade_cli.pull_sources import pull_database, pull_file, require_source, told, too_many_bad
    from cascade_cli.recording import recorded_run

    session: Session = ctx.obj
    settings, start = session.settings(), read_since(since, datetime.now(UTC)) if since else None
    require_source(source, settings)
    with recorded_run(settings[WORKSPACE_PATH], "pull", settings) as run, session.console.progress("rows") as advance:
        if source is None:
            report = pull_database(settings, start)
        else:
            report = pull_file(source, settings, start, strict=strict, advance=advance)
        run.counts.update({name: getattr(report, name) for name in _COUNTS})
    data, failure = asdict(report), too_many_bad(report, max_error_rate)
    return Result(data, (Table(_COLUMNS, [data]),), warnings=told(report), run_id=run.run_id, failure=failure)
