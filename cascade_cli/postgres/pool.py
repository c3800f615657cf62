"""Connections that threads share: each is lent to one at a time, kept for the next, and thrown away when it broke."""

from __future__ import annotations

import select
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from psycopg.pq import TransactionStatus

from cascade_cli.postgres.connection import explained, open_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascade_cli.postgres.connection import Connection


class Pool:
    """Connections in autocommit mode to one database.

    Args:
        dsn: the connection string.
        prepare: whether statements are prepared once they recur.

    Attributes:
        dsn: the same.
    """

    def __init__(self, dsn: str, *, prepare: bool = False) -> None:
        self.dsn = dsn
        self._prepare = prepare
        # Appending and popping are atomic, so threads need no lock.
        self._idle: deque[Connection] = deque()
        self._is_closed = False

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """A connection for one thread; what the server says is raised as it is.

        Raises:
            DependencyError: no connection can be made.
            UsageError: the connection string is wrong.
        """
        connection = self._take()
        try:
            yield connection
        finally:
            if _is_usable(connection):
                self._idle.append(connection)
            else:
                connection.close()
            if self._is_closed:
                self.close()

    @contextmanager
    def explained(self) -> Iterator[Connection]:
        """The same, with what the server says as one clear message.

        Raises:
            DependencyError: the server cannot be reached, refuses, or goes away.
            UsageError: a table or a column is not there.
        """
        with explained(self.dsn), self.lent() as connection:
            yield connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is not lent; what is lent is closed when it comes back."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Connection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if not _has_ended(connection):
                return connection
            connection.close()
        with explained(self.dsn):
            return open_connection(self.dsn, prepare=self._prepare)


def _is_usable(connection: Connection) -> bool:
    return not connection.closed and connection.info.transaction_status is TransactionStatus.IDLE


def _has_ended(connection: Connection) -> bool:
    """Whether the server has hung up meanwhile: nobody speaks on an idle connection otherwise."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
