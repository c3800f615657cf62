"""The command line: finds a command, runs it, and alone turns errors into exit codes.

A command's module is imported when that command runs or its own help is asked, so that ``cascade --help``,
``--version`` and completion stay quick: they read the list below, not the modules.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from importlib import import_module
from itertools import pairwise
from threading import Event
from typing import TYPE_CHECKING, Annotated, Never, cast

import typer
from typer.core import TyperCommand, TyperGroup

from cascade_cli import __version__
from cascade_cli.console import Result, discard, error_envelope, json_document, sanitize_lines, say
from cascade_cli.errors import CascadeError, Interrupted, Terminated, UsageError, internal_error
from cascade_cli.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# The module and the function have the command's name (mop_up that of mop-up); the sentence stands in the list.
COMMANDS = {
    "demo": "See the whole of it on shipped examples, offline.",
    "init": "Write a commented cascade.toml to start from.",
    "doctor": "Check whatever the others depend on; say what cures it.",
    "config": "Show every setting and where it came from.",
    "pull": "Bring traces and events from PostgreSQL or a file.",
    "shadow": "Ask the student about past or live events; change nothing.",
    "score": "Measure how far the student agrees with the teacher.",
    "simulate": "Replay the policy: what escalates and why, what stays wrong.",
    "migrate": "Make the worker's tables in a database, beside live traffic.",
    "kill": "Switch the student off everywhere, or on again.",
    "status": "See at one look what the worker does and what waits.",
    "run": "Work through the queue, in shadow or with the student writing.",
    "mop-up": "Order that the teacher distils again what the student wrote.",
    "undo": "Bring back what the teacher replaced for one event.",
    "monitor": "Watch agreement by prompt hash; alarm when it has fallen.",
    "report": "Lay the evidence out on one page: may the student do the work?",
    "dashboard": "Look at the same live, on this machine alone.",
    "compare": "Compare two runs on the events that both answered.",
    "runs": "List what was run in this workspace.",
}
_GROUPS = frozenset({"config"})

_SECRET_VARIABLES = ("DATABASE_URL", "STUDENT_API_KEY", "LLM_API_KEY", "PGPASSWORD", "CASCADE_DASHBOARD_TOKEN")
_VERBOSE_ENOUGH_FOR_TRACEBACKS = 2
# typer names only this one of its usage errors; the base is what all of them have in common.
_TyperUsageError: type[Exception] = typer.BadParameter.__bases__[0]


class _TerminateSignal(BaseException):
    """Unwinds as Ctrl-C does, so that whatever is open is closed."""


# A library may swallow what the handler raises and report an interruption of its own.
_terminated = Event()


class LazyGroup(TyperGroup):
    """Commands that are listed from a table, each imported when it is called."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        for name, summary in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=summary, rich_markup_mode=None)

    def resolve_command(self, ctx, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - typer hides these types
        """Find a command in the list, then load the real one in its place."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, (_load(name) if name and listed else None), rest


def main() -> None:
    """Run the command line and end the process with its exit status."""
    signal.signal(signal.SIGTERM, _on_terminate)
    _prepare_streams()
    status = run(sys.argv[1:])
    if not say(sys.stderr, ""):
        # What a full disk left in the buffer would else become the exit status.
        discard(sys.stderr)
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status."""
    failure: CascadeError
    try:
        return _verdict(_root().main(list(arguments), prog_name="cascade", standalone_mode=False))
    except CascadeError as error:
        failure = error
    except _TyperUsageError as error:
        failure = _usage_error(error, arguments)
    except (KeyboardInterrupt, typer.Abort):
        failure = Terminated("Terminated.") if _terminated.is_set() else Interrupted("Interrupted.")
    except _TerminateSignal:
        failure = Terminated("Terminated.")
    except SystemExit as ending:
        # typer ends like this where nobody reads the help to its end.
        return 0 if isinstance(ending.__context__, BrokenPipeError) else int(ending.code or 0)
    except BrokenPipeError:
        discard(sys.stdout)
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a user unasked
        failure = internal_error(error, hint="Run it again with -vv for the traceback.")
    return _report(failure, arguments)


def _root() -> TyperGroup:
    root = typer.Typer(cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False)

    @root.callback(invoke_without_command=True, epilog="Help on one command: cascade score --help")
    def cascade(
        context: typer.Context,
        version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    ) -> None:
        """Decide, with evidence, when a cheap extraction model may do an expensive model's work."""
        if version:
            typer.echo(f"cascade {__version__}")
        elif context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return cast("TyperGroup", typer.main.get_command(root))


def _load(name: str) -> TyperCommand | TyperGroup:
    name = name.replace("-", "_")
    loaded: TyperCommand | TyperGroup = getattr(import_module(f"cascade_cli.commands.{name}"), name)
    return loaded


def _verdict(outcome: object) -> int:
    if isinstance(outcome, Result):
        if outcome.failure is not None:
            _complain(outcome.failure)
            return outcome.failure.exit_code
        return 0
    if outcome == Interrupted.exit_code:  # typer turns Ctrl-C into this number
        raise KeyboardInterrupt
    return outcome if isinstance(outcome, int) else 0


def _usage_error(error: Exception, arguments: Sequence[str]) -> UsageError:
    context: typer.Context | None = getattr(error, "ctx", None)
    path = context.command_path if context else f"cascade {_command_name(arguments)}".strip()
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return UsageError(message, hint=f"See: {path} --help")


def _report(failure: CascadeError, arguments: Sequence[str]) -> int:
    if _verbosity(arguments) >= _VERBOSE_ENOUGH_FOR_TRACEBACKS:
        _say("".join(traceback.format_exception(failure)))
    _complain(failure)
    if _asks_for_json(arguments):
        document = json_document(error_envelope(_command_name(arguments), failure))
        if not say(sys.stdout, redact(document, _secrets())):
            discard(sys.stdout)
    return failure.exit_code


def _complain(failure: CascadeError) -> None:
    _say(f"error: {failure.message}")
    if failure.hint:
        _say(f"hint: {failure.hint}")


def _say(text: str) -> None:
    say(sys.stderr, sanitize_lines(redact(text, _secrets())) + "\n")


def _secrets() -> list[str]:
    return [os.environ[name] for name in _SECRET_VARIABLES if name in os.environ]


def _verbosity(arguments: Sequence[str]) -> int:
    # Read from the words themselves: the error may be that they could not be parsed.
    short = sum(len(argument) - 1 for argument in arguments if set(argument[1:]) == {"v"} and argument[0] == "-")
    return short + arguments.count("--verbose")


def _asks_for_json(arguments: Sequence[str]) -> bool:
    before_files = arguments[: arguments.index("--")] if "--" in arguments else arguments
    named = "--format=json" in before_files or ("--format", "json") in pairwise(before_files)
    return named or "--json" in before_files


def _command_name(arguments: Sequence[str]) -> str:
    words = list(arguments[:1]) if arguments and arguments[0] in COMMANDS else []
    if words and words[0] in _GROUPS:
        words += [word for word in arguments[1:2] if not word.startswith("-")]
    return " ".join(words)


def _on_terminate(_signal: int, _frame: FrameType | None) -> Never:
    _terminated.set()
    raise _TerminateSignal


def _prepare_streams() -> None:
    # A closed stream is None; an encoding that lacks a letter must not end a report half-way.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
