"""The control row: one place from which every worker is switched off at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import errors
from psycopg.rows import class_row

from cascade_cli.errors import CascadeError, DependencyError
from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.cleansing import cleansed
from cascade_cli.postgres.connection import compose, redacted
from cascade_cli.postgres.control.records import UNREADABLE, Switch, Switched
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

QUERIES: Final = read_named_sql(files("cascade_cli.postgres.control") / "control.sql")
LONGEST_WAIT_S: Final = 5.0
"""How long switching off waits for transactions that are writing."""


class StillWritingError(DependencyError):
    """Switched, and obeyed by whatever begins from now on; but a transaction that began before it is still writing."""


class Control:
    """The switch of one database.

    Args:
        pool: of the database.
        schema: where our tables stand.
        longest_wait_s: for transactions that are writing when something is switched off, above 0.
    """

    def __init__(self, pool: Pool, schema: str = "public", *, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        mapping = ColumnMapping(schema)
        names = {"control": mapping.table("cascade_control"), "switches": mapping.table("cascade_switches")}
        self._pool = pool
        self._timeout_ms = str(max(1, round(longest_wait_s * 1_000)))
        self._queries = {name: compose(text, names) for name, text in QUERIES.items()}

    def read(self) -> Switch:
        """Read the row; where it is absent, or nothing can be read, everything is off."""
        try:
            with self._pool.lent() as connection:
                return self._read(connection)
        except (psycopg.Error, CascadeError):
            return UNREADABLE

    def read_under_lock(self, connection: Connection) -> Switch:
        """Read it in a transaction of the caller's, which nobody who switches off outruns until it ends.

        Args:
            connection: in a transaction that has not written yet.

        Raises:
            psycopg.Error: it cannot be read, and the transaction is lost; that counts as ``UNREADABLE``.
        """
        connection.execute(self._queries["share_lock"])
        return self._read(connection)

    def kill(self, *, who: str, reason: str | None = None) -> Switch:
        """Switch the student off. When this returns, nothing of a student's can be committed any more.

        Raises:
            StillWritingError: the row is switched, but a transaction goes on writing for longer than is waited.
            DependencyError: the server cannot be reached or refuses; then only the kill file works.
        """
        return self._change("kill", who, reason, {"killed": True})

    def revive(self, *, who: str, reason: str | None = None) -> Switch:
        """Take the kill back; whatever else was switched stays.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        return self._change("revive", who, reason, {"killed": False})

    def allow_flip(self, *, who: str, reason: str | None = None) -> Switch:
        """Let students write again, as only a person decides.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        return self._change("allow_flip", who, reason, {"flip_allowed": True})

    def approve(
        self,
        *,
        who: str,
        reason: str | None = None,
        policy_fingerprint: str | None = None,
        oldest_worker_version: str | None = None,
        rollout_stage: str | None = None,
    ) -> Switch:
        """Say which policy, which workers and which stage it is to be; None leaves a part, an empty text lifts it.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        parts = {
            "policy_fingerprint": cleansed(policy_fingerprint),
            "oldest_worker_version": cleansed(oldest_worker_version),
            "rollout_stage": cleansed(rollout_stage),
        }
        return self._change("approve", who, reason, parts)

    def unflip(self, *, who: str, reason: str) -> Switch:
        """Take the student's writing away from every worker, as a breaker does; audited the first time only.

        Raises:
            DependencyError: as `kill` says.
        """
        with self._pool.explained() as connection:
            with self._changing(connection):
                connection.execute(self._queries["forbid_flip"], _audit("unflip", who, reason))
            switch = self._read(connection)
        self._wait_for_writers()
        return switch

    def note(self, action: str, *, who: str, reason: str) -> None:
        """Write down that a switch outside of the row was thrown, as ``flip`` is by whoever starts a worker.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        with self._pool.explained() as connection:
            connection.execute(self._queries["note"], _audit(action, who, reason))

    def switches(self, limit: int) -> tuple[Switched, ...]:
        """What was switched, newest first.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        with self._pool.explained() as connection, connection.cursor(row_factory=class_row(Switched)) as cursor:
            cursor.execute(self._queries["switches"], {"limit": limit})
            return tuple(replace(switched, at=switched.at.astimezone(UTC)) for switched in cursor)

    def _change(self, action: str, who: str, reason: str | None, parts: Mapping[str, object]) -> Switch:
        with self._pool.explained() as connection:
            with self._changing(connection):
                connection.execute(self._queries["one_at_a_time"])
                connection.execute(self._queries["change"], {**_UNCHANGED, **parts, **_audit(action, who, reason)})
            switch = self._read(connection)
        # Every transaction that begins from now on reads the new row; those before it are waited for.
        self._wait_for_writers()
        return switch

    @contextmanager
    def _changing(self, connection: Connection) -> Iterator[None]:
        """A transaction that waits for no lock longer than it may: whoever looks at the row must not disarm it."""
        with connection.transaction():
            connection.execute(self._queries["bound_wait"], {"timeout_ms": self._timeout_ms})
            yield

    def _wait_for_writers(self) -> None:
        with self._pool.explained() as connection:
            try:
                with self._changing(connection):
                    connection.execute(self._queries["wait_for_writers"])
            except errors.LockNotAvailable as error:
                raise StillWritingError(
                    f"{redacted(self._pool.dsn)}: switched, but a transaction that began before it is still writing.",
                    hint="Whatever begins from now on obeys. Run it again to wait for the rest.",
                ) from error

    def _read(self, connection: Connection) -> Switch:
        with connection.cursor(row_factory=class_row(Switch)) as cursor:
            row = cursor.execute(self._queries["read_switch"]).fetchone()
        if row is None or row.changed_at is None:
            return UNREADABLE
        return replace(row, changed_at=row.changed_at.astimezone(UTC))


_UNCHANGED: Final = dict.fromkeys(
    ("killed", "flip_allowed", "policy_fingerprint", "oldest_worker_version", "rollout_stage")
)


def _audit(action: str, who: str, reason: str | None) -> dict[str, str | None]:
    return {"action": action, "who": cleansed(who), "reason": cleansed(reason)}
