"""Connecting, and every refusal of the server as one clear message without secrets."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cascade_cli.errors import CascadeError, DependencyError, UsageError
from cascade_cli.postgres.blaming import Blame, blame_of, code_of, cure_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_S: Final = 10
# A machine that is gone says nothing: without these a query over the network would wait for it a quarter of an hour.
_PATIENCE: Final = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_PREPARED_AFTER: Final = 1
"""What is sent once is not worth being prepared."""


def redacted(dsn: str) -> str:
    """A connection string as it may be shown: ``postgresql://user:***@host:port/database``."""
    parts = _parts(dsn)
    user = quote(str(parts["user"]), safe="") if parts.get("user") else ""
    password = ":***" if parts.get("password") else ""
    at = "@" if user or password else ""
    return f"postgresql://{user}{password}{at}{place(dsn)}"


def place(dsn: str) -> str:
    """``host:port/database`` of a connection string: which database it is, whoever asks."""
    parts = _parts(dsn)
    host, port = parts.get("host") or parts.get("hostaddr") or "local socket", parts.get("port")
    database = parts.get("dbname") or parts.get("user") or ""
    return f"{host}{f':{port}' if port else ''}/{database}"


@contextmanager
def connect(dsn: str) -> Iterator[Connection]:
    """A connection in autocommit mode that works through pgbouncer's transaction mode.

    Raises:
        UsageError: the connection string cannot be read, or the database does not exist.
        DependencyError: the server cannot be reached, refuses, or goes away.
    """
    with explained(dsn):
        connection = open_connection(dsn)
    try:
        yield connection
    finally:
        connection.close()


def open_connection(dsn: str, *, prepare: bool = False) -> Connection:
    """The same for whoever closes it, with the server's own errors; ``prepare`` is not for pgbouncer."""
    given = _parts(dsn)
    patience = {name: value for name, value in _PATIENCE.items() if given.get(name) is None}
    return psycopg.connect(
        make_conninfo(dsn, application_name="cascade", client_encoding="utf8", **patience),
        autocommit=True,
        # Behind pgbouncer a prepared statement would be looked for on another server connection.
        prepare_threshold=_PREPARED_AFTER if prepare else None,
    )


@contextmanager
def explained(dsn: str) -> Iterator[None]:
    """Turn what the server says into one clear message with its cure."""
    try:
        yield
    except psycopg.Error as error:
        raise explanation(error, dsn) from error
    except UnicodeDecodeError as error:
        raise DependencyError(f"{redacted(dsn)} sent text that is not UTF-8 ({error.reason}).") from error


def is_passing(error: BaseException) -> bool:
    """Whether the same may work later: a lost connection, a deadlock, a full disk, a server that starts or stops."""
    return blame_of(error) is Blame.PASSING


def told(error: BaseException) -> str:
    """What went wrong, in one line without the data that it was about."""
    if isinstance(error, psycopg.Error):
        return _said(error)
    # The text of what nobody expected may quote an event; its type does not.
    return error.message if isinstance(error, CascadeError) else type(error).__name__


def compose(query: str, names: Mapping[str, sql.Composable]) -> sql.Composed:
    """A named query with its names in braces filled in."""
    return sql.SQL(query).format(**names)


def _parts(dsn: str) -> dict[str, str | int | None]:
    unreadable = UsageError(
        "The connection string cannot be read.",
        hint="Write it as a postgresql address: user:password@host:5432/database, special characters as %XX.",
    )
    try:
        parts = dict(conninfo_to_dict(dsn))
    except psycopg.Error:
        # The parser quotes what it stumbled over, which may well be the password.
        raise unreadable from None
    # A password with @, # or / in the clear ends early, and its rest is taken for the host: never to be shown.
    if dsn.count("@") > 1 or any(sign in str(parts.get("host", "")) for sign in "@#"):
        raise unreadable
    return parts


def explanation(error: psycopg.Error, dsn: str) -> CascadeError:
    """What the server says as one clear message with its cure."""
    where, said = redacted(dsn), _said(error)
    match error:
        case errors.QueryCanceled():
            return DependencyError(
                f"{where}: a query took longer than allowed and was stopped ({said}).",
                hint="Raise postgres.statement_timeout_s, or index the traces on (created_at, id).",
            )
        case errors.InsufficientPrivilege():
            return DependencyError(
                f"{where}: {said}.", hint="Ask for GRANT USAGE on the schema and GRANT SELECT on the tables."
            )
        case errors.UndefinedTable() if _is_ours(said):
            return UsageError(f"{where}: {said}.", hint="Run: cascade migrate")
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.UndefinedFunction():
            return UsageError(f"{where}: {said}.", hint="Check [postgres.traces] and [postgres.events].")
        case psycopg.DataError():
            return UsageError(
                f"{where}: a column holds what it should not: {said}.",
                hint="Check [postgres.traces] and [postgres.events].",
            )
    return _refused(where, said, error)


def _is_ours(said: str) -> bool:
    return "cascade_" in said or "event_distillations" in said


def _refused(where: str, said: str, error: psycopg.Error) -> CascadeError:
    """Failures to connect have no code of their own, only their text."""
    if "password authentication failed" in said or "no password supplied" in said:
        return DependencyError(f"{where} refuses: {said}.", hint="Check user and password in DATABASE_URL.")
    if "database" in said and "does not exist" in said:
        return UsageError(f"{where}: {said}.", hint="Check the end of DATABASE_URL.")
    if not is_passing(error):
        return DependencyError(f"{where} refuses: {said}.", hint=cure_of(code_of(error)))
    return DependencyError(f"{where}: {said}.", hint="Is it running, and reachable from here?")


def _said(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error) or type(error).__name__
    return text.strip().partition("\n")[0].rstrip(".")[:300]
