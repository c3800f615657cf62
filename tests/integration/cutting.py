"""A proxy before PostgreSQL that hangs up after a COMMIT, before its reply has come back, or passes nothing on."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

# As a statement of its own; comments may speak of it too.
_COMMIT = b"COMMIT\0"


class Cutter:
    """A running proxy.

    Attributes:
        dsn: the connection string through it.
        cuts: how often it has hung up.
    """

    def __init__(self, dsn: str) -> None:
        parts = conninfo_to_dict(dsn)
        port = parts.get("port") or "5432"
        self._server = f"{parts['host']}/.s.PGSQL.{port}"
        self._folder = TemporaryDirectory()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(self._folder.name) / f".s.PGSQL.{port}"))
        self._listener.listen()
        self._open: list[socket.socket] = []
        self._left = 0
        self._passing = threading.Event()
        self._passing.set()
        self.cuts = 0
        self.dsn = make_conninfo(dsn, host=self._folder.name)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            _hang_up(each)
        self._passing.set()
        self._folder.cleanup()

    @property
    def connections(self) -> int:
        """That were ever made."""
        return len(self._open) // 2

    def cut_after_commits(self, count: int) -> None:
        """Hang up after each of the next so many commits."""
        self._left = count

    def freeze(self) -> None:
        """Keep every connection open, and pass nothing on any more."""
        self._passing.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._server)
            except OSError:
                # It is down for a moment; whoever wants it comes again.
                for end in (client, server):
                    _hang_up(end)
                continue
            self._open += [client, server]
            threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while sent := client.recv(65_536):
                self._passing.wait()
                cutting = self._left > 0 and _COMMIT in sent
                if cutting:
                    self._left -= 1
                    self.cuts += 1
                    # Nothing more is passed on to the client; the server ends what it was told to.
                    _hang_up(client)
                server.sendall(sent)
        _hang_up(server)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(65_536):
            target.sendall(received)
    _hang_up(target)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
