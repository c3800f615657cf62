"""``cascade migrate``."""

from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.console import Result, Verbatim


@command
def migrate(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL of what is missing.")] = False,
    grants: Annotated[bool, typer.Option("--grants", help="Print roles: reader, worker, mop-up, admin.")] = False,
    with_team_tables: Annotated[
        bool, typer.Option("--with-team-tables", help="Make the team's tables too, for a trial.")
    ] = False,
) -> Result:
    """Make the worker's tables in the database of the configuration.

    What exists is not altered, and running it twice does nothing. It may run beside live traffic: it waits two seconds
    at most for a lock, tries again, and indexes tables that are in use concurrently.

    Example:
      cascade migrate --dry-run
      cascade migrate
      cascade migrate --grants
    """
    from cascade_cli.migration import left_out, migrate, planned, roles

    session: Session = ctx.obj
    settings = session.settings()
    if grants or dry_run:
        script = roles(settings) if grants else planned(settings, with_team_tables=with_team_tables)
        return Result({"sql": script}, (Verbatim(script or "-- Nothing is missing."),))
    applied = migrate(settings, with_team_tables=with_team_tables)
    left = left_out(settings)
    return Result(
        {"applied": applied, "left_out": [each.name for each in left]},
        (f"Applied: {', '.join(applied)}" if applied else "Nothing was missing.",),
        warnings=tuple(each.advice for each in left),
    )
