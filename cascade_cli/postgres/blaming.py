"""Who is to blame for what the server refuses, by its SQLSTATE alone: the one table that everybody asks.

Codes: PostgreSQL documentation, appendix A. A class, the first two characters, stands for all its codes that are not
named themselves. What has no code was said by no server: then the connection was lost, or the fault is ours.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import psycopg

from cascade_cli.errors import CascadeError, DependencyError


class Blame(Enum):
    """Whose fault an error is, as far as the error itself says."""

    PASSING = "passing"
    """Nobody's, and the same may work in a moment: it is tried again, and charged to nobody."""
    STATEMENT = "statement"
    """The statement's, whatever it writes: a missing table, privilege or index. Nobody is charged for that alone."""
    BATCH = "batch"
    """Something in the batch, as it seems: it is halved until an event is alone."""


_BY_CLASS: Final = {
    "08": Blame.PASSING,  # connection
    "25": Blame.PASSING,  # a server that only reads; a transaction that took too long
    "40": Blame.PASSING,  # deadlock, serialisation
    "53": Blame.PASSING,  # disk, memory or connections used up
    "57": Blame.PASSING,  # shutdown, cancelling
    "58": Blame.PASSING,  # the server's own files
    "0A": Blame.STATEMENT,  # not supported, as on a view
    "28": Blame.STATEMENT,  # user
    "3D": Blame.STATEMENT,  # database
    "3F": Blame.STATEMENT,  # schema
    "42": Blame.STATEMENT,  # table, column, type, privilege, unique index
    "55": Blame.STATEMENT,  # a table in no state for it
}
_BY_CODE: Final = {
    "55006": Blame.PASSING,  # in use
    "55P03": Blame.PASSING,  # locked for too long
}
_CURES: Final = {
    "42501": "Grant what is missing: cascade migrate --grants prints what a worker needs.",
    "42P10": "A unique index is missing: cascade doctor prints it.",
    "P0001": "A trigger of the table refuses it.",
    "22": "Look at the types and lengths of the table's columns.",
    "23": "Look at the table's constraints and at columns that must not be empty.",
    "42": "Tables and columns are not as configured: cascade doctor says which.",
}


def blame_of(error: BaseException) -> Blame:
    """Whose fault an error is.

    Args:
        error: the server's own, one of ours that explains it, or any other.
    """
    theirs = _theirs(error)
    if theirs is None:
        return Blame.PASSING if isinstance(error, DependencyError) else Blame.BATCH
    code = theirs.sqlstate
    if code is None:
        lost = isinstance(theirs, psycopg.OperationalError | psycopg.InterfaceError)
        return Blame.PASSING if lost else Blame.BATCH
    return _BY_CODE.get(code) or _BY_CLASS.get(code[:2], Blame.BATCH)


def code_of(error: BaseException) -> str:
    """The SQLSTATE of an error, or where the server gave none the name of its type."""
    theirs = _theirs(error)
    return (theirs and theirs.sqlstate) or type(error).__name__


def cure_of(code: str) -> str | None:
    """What to do about a SQLSTATE, in a sentence; None where nothing sensible can be advised."""
    return _CURES.get(code) or _CURES.get(code[:2])


def _theirs(error: BaseException) -> psycopg.Error | None:
    said = error.__cause__ if isinstance(error, CascadeError) else error
    return said if isinstance(said, psycopg.Error) else None
