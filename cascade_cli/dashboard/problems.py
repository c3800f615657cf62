"""Why a page cannot be shown, and what a browser is told of it."""

from __future__ import annotations

from cascade_cli.errors import CascadeError, DependencyError, UsageError


class NotYet(CascadeError):  # noqa: N818 - a state, not a mistake
    """Nothing has been read yet."""


class NotAnswered(NotYet):
    """The database has been asked, and is silent."""


class NothingThere(CascadeError):  # noqa: N818 - likewise
    """There is no such page, event or student."""

    exit_code = UsageError.exit_code


def http_status(error: CascadeError) -> int:
    """What a browser or a program is told an error is."""
    if isinstance(error, NothingThere):
        return 404
    if isinstance(error, UsageError):
        return 400
    return 503 if isinstance(error, NotYet | DependencyError) else 500
