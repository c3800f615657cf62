"""How a command is declared: the options that all share, or those that decide; its result, shown after it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cascade_cli.config import (
    POLICY_HIGH_VALUE_CATEGORIES,
    POLICY_SALT,
    POLICY_VIP_ARENAS,
    WORKSPACE_PATH,
    Setting,
    Settings,
    load_settings,
)
from cascade_cli.console import Console, Format, Output, Result, chosen_format
from cascade_cli.errors import UsageError

HighValue = Annotated[
    list[str] | None, typer.Option("--high-value", metavar="NAMES", help="Categories that escalate; repeats.")
]
VipArena = Annotated[
    list[str] | None, typer.Option("--vip-arena", metavar="NAMES", help="Arenas that escalate; repeats.")
]
Salt = Annotated[str | None, typer.Option("--salt", metavar="TEXT", help="Another salt samples others.")]
Floor = Annotated[
    float | None, typer.Option("--floor", min=0.01, max=0.999, metavar="RATE", help="Agreement to be reached and kept.")
]
TargetResidual = Annotated[
    float, typer.Option("--target-residual", min=0, max=1, metavar="SHARE", help="Most that may stay wrong.")
]
WithoutGate = Annotated[
    list[str] | None, typer.Option("--without-gate", metavar="REASON", help="Leave a gate out; repeats.")
]
Since = Annotated[str | None, typer.Option("--since", metavar="WHEN", help="Nothing older: 7d, 12h or a date.")]
StudentModel = Annotated[
    str | None, typer.Option("--student-model", metavar="NAME", help="Answers of this student alone.")
]
Preset = Annotated[str, typer.Option("--preset", help="default, strict or exact.")]
ClusterBy = Annotated[
    str | None, typer.Option("--cluster-by", metavar="COLUMN", help="Events sharing it are not independent.")
]
MaxErrorRate = Annotated[float, typer.Option("--max-error-rate", min=0, max=1, help="More unreadable rows: exit 6.")]
Strict = Annotated[bool, typer.Option("--strict", help="The first unreadable line ends the run.")]
Processes = Annotated[int, typer.Option("--processes", min=1, help="Processes to use.")]
Cost = Annotated[
    list[str] | None, typer.Option("--cost", metavar="NAME=USD", help="A price of [cost] or fleet.NAME; repeats.")
]
BurnInEvents = Annotated[
    int | None,
    typer.Option("--burn-in-events", min=0, metavar="N", help="So many of a new prompt hash are all sampled."),
]
VerifierThresholds = Annotated[
    list[str] | None,
    typer.Option("--verifier-threshold", metavar="SCORE", help="A higher score escalates, or off; repeats, sweeps."),
]
RolloutStage = Annotated[
    int | None,
    typer.Option("--rollout-stage", min=1, metavar="N", help="A careful stage on the way to the policy, from 1."),
]


# Any: settings of several types stand side by side in one mapping.
def policy_flags(
    high_value: Iterable[str] | None, vip_arena: Iterable[str] | None, salt: str | None
) -> dict[Setting[Any], object]:
    """The flags that every command has that decides, as the settings over which they win."""
    return {
        POLICY_HIGH_VALUE_CATEGORIES: _names(high_value),
        POLICY_VIP_ARENAS: _names(vip_arena),
        POLICY_SALT: salt,
    }


def _names(texts: Iterable[str] | None) -> tuple[str, ...] | None:
    """Names as they are typed, parted by commas or given one by one; None where the flag was not given."""
    if texts is None:
        return None
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


@dataclass(frozen=True, slots=True)
class Session:
    """What every command is given besides its own options.

    Attributes:
        console: reports progress; the result is returned instead.
        workspace: the ``--workspace`` flag; None where it was not given.
    """

    console: Console
    workspace: Path | None

    # Any: settings of several types stand side by side in one mapping.
    def settings(self, flags: Mapping[Setting[Any], object] | None = None) -> Settings:
        """Settle the settings.

        Args:
            flags: the command's own flags; None as a value where one was not given.

        Raises:
            UsageError: an environment variable or a configuration file is wrong.
        """
        return load_settings({WORKSPACE_PATH: self.workspace, **(flags or {})})


def _shared_options(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing rounded.")] = False,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the result: table, json, jsonl, csv, md, html.", metavar="FORM"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to a file; its suffix gives the form.", metavar="FILE"),
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", help="Folder of pulled and scored data.", metavar="FOLDER"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notes or hints.")] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Details; -vv: tracebacks.", show_default=False)
    ] = 0,
) -> Session:
    path = None if output is None or str(output) == "-" else output
    chosen = Output(chosen_format(json=json, named=format_, path=path), path, quiet, verbose)
    return Session(Console(chosen), workspace)


class Command(TyperCommand):
    """A command with the shared options, which returns its result to be shown."""

    # Any, here and below: typer hides the types of what it passes on.
    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(*arguments, **settings)
        self.params = [*self.params, *_SHARED.params]

    def invoke(self, ctx: Any) -> Result:  # noqa: ANN401 - as above
        """Run the body with a ``Session`` as ``ctx.obj``, then show what it returns."""
        shared = {option.name: ctx.params.pop(option.name) for option in _SHARED.params}
        session: Session = _SHARED.callback(**shared)
        if session.console.output.format is Format.HTML and self.name not in _WITH_PAGES:
            raise UsageError("Only cascade report writes HTML.", hint="Use --format, or another suffix after -o.")
        _keep_inputs(session.console.output.path, ctx.params.values())
        ctx.obj = session
        result: Result = super().invoke(ctx)
        session.console.show(ctx.command_path.removeprefix("cascade "), result)
        # What ends it later is no second result: the one document stands.
        return result if result.goes_on is None else replace(result, failure=result.goes_on())


def _keep_inputs(output: Path | None, arguments: Iterable[object]) -> None:
    """Refuse to write the result over a file that was given to be read."""
    if output is None or not output.exists():
        return
    given = [Path(argument) for argument in arguments if isinstance(argument, str)]
    if any(path.exists() and path.samefile(output) for path in given):
        raise UsageError(f"{output} is an input and would be overwritten.", hint="Give -o another file.")


def command(function: Callable[..., Result]) -> TyperCommand:
    """Declare a command of the function's name, which takes a ``typer.Context`` whose ``obj`` is the ``Session``.

    An underscore in the name is a hyphen on the command line.
    The docstring is the help; what stands from ``Example:`` on keeps its lines.
    """
    declared: TyperCommand = _built(function, Command)
    return declared


def group(name: str, summary: str, *commands: TyperCommand) -> TyperGroup:
    """Declare a command that is only a word before others, as ``config`` is before ``show``."""
    members: dict[str, Any] = {member.name or "": member for member in commands}
    return TyperGroup(name=name, help=summary, commands=members, rich_markup_mode=None)


def _built(function: Callable[..., object], cls: type[TyperCommand]) -> Any:  # noqa: ANN401 - as above
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    # The control character tells the formatter to leave the lines of this paragraph alone.
    text = cleandoc(function.__doc__ or "").replace("Example:", "\b\nExample:")
    app.command(function.__name__.replace("_", "-"), cls=cls, help=text)(function)
    return typer.main.get_command(app)


_WITH_PAGES = frozenset({"report"})
_SHARED = _built(_shared_options, TyperCommand)
