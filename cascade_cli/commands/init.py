"""``cascade init``."""

from pathlib import Path
from typing import Annotated

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.config import template
from cascade_cli.console import Result, write_new_file


@command
def init(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Where to write it; made where it is not there.", metavar="[FOLDER]")
    ] = Path(),
) -> Result:
    """Write a commented cascade.toml, in which every setting stands with its default.

    A file that exists is left as it is.

    Example:
      cascade init
      cascade init deploy/
    """
    from cascade_cli.database_in_force import names_by_default

    session: Session = ctx.obj
    session.console.detail(f"writing into {folder.resolve()}")
    file = folder / "cascade.toml"
    write_new_file(file, template(names_by_default()))
    return Result(
        {"file": file},
        blocks=(f"Wrote {file}",),
        hints=("Secrets do not go in there: set DATABASE_URL in the environment.", "Next: cascade doctor"),
    )
