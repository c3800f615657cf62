"""Typed errors; each carries the exit status that the process ends with, and what to do next.

CascadeError (1)
├── UsageError (2)           a flag, a file or the configuration is wrong
├── GateFailed (3)           a gate that was asked for did not hold
├── DependencyError (4)      a database, an endpoint or a disk cannot be reached or refuses
├── NothingEvaluated (5)     no item, or fewer than ``--min-n``
├── TooManyItemErrors (6)    item errors above ``--max-error-rate``
├── Interrupted (130)        Ctrl-C
└── Terminated (143)         SIGTERM
"""

from __future__ import annotations

import traceback
from typing import ClassVar


class CascadeError(Exception):
    """Something went wrong inside cascade.

    Args:
        message: what happened and where, one to three lines, without secrets.
        hint: what to do next, one line; None where nothing sensible can be advised.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CascadeError):
    """A flag, an input file or the configuration is wrong."""

    exit_code = 2


class GateFailed(CascadeError):  # noqa: N818 - a failed gate is a verdict, not a mistake
    """A gate that the user asked for did not hold."""

    exit_code = 3


class DependencyError(CascadeError):
    """A database, an endpoint or a disk cannot be reached or refuses."""

    exit_code = 4


class NothingEvaluated(CascadeError):  # noqa: N818 - an empty result is an outcome
    """No item was evaluated, or fewer than asked for."""

    exit_code = 5


class TooManyItemErrors(CascadeError):  # noqa: N818 - reads as the sentence it reports
    """More items failed than ``--max-error-rate`` allows."""

    exit_code = 6


class Interrupted(CascadeError):  # noqa: N818 - an order, not a mistake
    """Ctrl-C."""

    exit_code = 130


class Terminated(CascadeError):  # noqa: N818 - as above
    """SIGTERM."""

    exit_code = 143


def why_unread(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read, in words that quote nothing of it."""
    return (error.strerror or "").lower() if isinstance(error, OSError) else "it is not text in UTF-8"


def internal_error(error: Exception, *, hint: str | None = None) -> CascadeError:
    """A mistake of our own, told by its type and its place: the message of a foreign exception may quote an event.

    Args:
        error: as it was caught; it becomes the cause.
        hint: what to do next.
    """
    places = [
        f"{frame.f_globals.get('__name__', '?')}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    own = [place for place in places if place.startswith(("cascade_cli.", "scorers."))]
    failure = CascadeError(f"Internal error: {type(error).__name__} at {(own or places or ['?'])[-1]}.", hint=hint)
    failure.__cause__ = error
    return failure
