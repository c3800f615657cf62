"""Which source a pull reads: a file, standard input, or the database of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_cli.config import (
    LIVE_MAX_ATTEMPTS,
    POSTGRES_OVERLAP_S,
    POSTGRES_STATEMENT_TIMEOUT_S,
    POSTGRES_URL,
    WORKSPACE_PATH,
)
from cascade_cli.database_in_force import columns_in_force
from cascade_cli.errors import CascadeError, TooManyItemErrors, UsageError
from cascade_cli.pulling import pull, pull_postgres
from cascade_cli.records import Row
from cascade_cli.sources import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from cascade_cli.config import Settings
    from cascade_cli.pulling import PullReport
    from cascade_cli.records import BadRow


def require_source(location: str | None, settings: Settings) -> None:
    """See that there is something to pull from, before anything is made or recorded.

    Raises:
        UsageError: neither a file is given nor a database configured.
    """
    if location is None and settings[POSTGRES_URL] is None:
        raise UsageError(
            "There is nothing to pull from.",
            hint="Give a file (JSON Lines or Parquet, - for standard input), or set DATABASE_URL.",
        )


def pull_file(
    location: str,
    settings: Settings,
    since: datetime | None,
    *,
    strict: bool,
    advance: Callable[[], None],
) -> PullReport:
    """Bring a file into the workspace.

    Args:
        location: a path, or ``-`` for standard input.
        settings: say where the workspace is.
        since: aware; older traces are left out, those without a date are taken.
        strict: the first bad line ends it.
        advance: called for each row read.
    """
    wanted = _not_before(read_rows(location, strict=strict), since, advance)
    return pull(wanted, settings[WORKSPACE_PATH])


def pull_database(settings: Settings, since: datetime | None) -> PullReport:
    """Bring what is new in the configured database into the workspace.

    Raises:
        UsageError: the mapping does not fit the database.
        DependencyError: it cannot be reached or refuses.
    """
    from cascade_cli.postgres import PostgresSource

    mapping, timeout_s = columns_in_force(settings), settings[POSTGRES_STATEMENT_TIMEOUT_S]
    with PostgresSource.open(settings[POSTGRES_URL] or "", mapping, statement_timeout_s=timeout_s) as source:
        return pull_postgres(
            source,
            settings[WORKSPACE_PATH],
            since=since,
            overlap_s=settings[POSTGRES_OVERLAP_S],
            max_attempts=settings[LIVE_MAX_ATTEMPTS],
        )


def too_many_bad(report: PullReport, max_error_rate: float) -> CascadeError | None:
    """The failure of a pull of which more rows than this share could not be read; the others are kept all the same."""
    rows = report.read + report.bad
    if not rows or report.bad / rows <= max_error_rate:
        return None
    return TooManyItemErrors(
        f"{report.bad:,} of {rows:,} rows cannot be read, more than {max_error_rate:.1%}; the others are kept.",
        hint="Mend the source and pull again, or raise --max-error-rate if you know why they are there.",
    )


def told(report: PullReport) -> tuple[str, ...]:
    """What a reader of the counts should know besides, a sentence each."""
    bad = tuple(f"{row.where}: {row.cause}" for row in report.first_bad)
    if not report.changed:
        return (*bad, *report.warnings)
    changed = f"{report.changed:,} answers differ from what was pulled before under the same key; the first ones stay. "
    return (
        *bad,
        *report.warnings,
        changed + "Name another student_model for a new student, or use another --workspace.",
    )


def _not_before(
    rows: Iterable[Row | BadRow], since: datetime | None, advance: Callable[[], None]
) -> Iterator[Row | BadRow]:
    for row in rows:
        advance()
        made = row.trace.created_at if isinstance(row, Row) else None
        if since is None or made is None or made >= since:
            yield row
