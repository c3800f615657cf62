"""The server itself: a socket that is ours alone, pages until a signal."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from cascade_cli.errors import CascadeError, DependencyError, UsageError
from cascade_cli.event_loop import Stop, signals_stop

LONGEST_REQUEST = 500_000
"""Bytes of an address and its headers."""
_LONGEST_GOODBYE_S = 2
_HIGHEST_PORT = 65_535


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Args:
        host: a name or an address of this machine.
        port: 0 takes any that is free.

    Raises:
        UsageError: there is no such port, or no such host here.
        DependencyError: it is taken, or not allowed.
    """
    if not 0 <= port <= _HIGHEST_PORT:
        raise UsageError(f"There is no port {port}.", hint=f"Ports go from 0, any that is free, to {_HIGHEST_PORT}.")
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((host, port), family=family)
    except socket.gaierror as error:
        raise UsageError(f"There is no host {host!r} here.", hint="Leave --host out for this machine alone.") from error
    except OSError as error:
        told = f"Cannot listen on {host}, port {port}: {error.strerror}."
        raise DependencyError(told, hint="Give another --port; 0 takes any that is free.") from error


def serve(app: ASGIApp, listener: socket.socket) -> CascadeError | None:
    """Serve pages until a signal; returns what it was."""
    # Nothing is logged: an address may carry an event's id, or the token, and so may an error's message.
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=LONGEST_REQUEST,
        timeout_graceful_shutdown=_LONGEST_GOODBYE_S,
    )
    stop = Stop()
    # A second signal cancels the goodbye; the first one said how it ends.
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_stopped(config, listener, stop))
    return stop.failure


async def _until_stopped(config: uvicorn.Config, listener: socket.socket, stop: Stop) -> None:
    with signals_stop(stop):
        await _Server(config, stop).serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends when it is told to, and leaves signals to whoever tells it."""

    def __init__(self, config: uvicorn.Config, stop: Stop) -> None:
        super().__init__(config)
        self._stop = stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether it is to end."""
        return self._stop.reason is not None or await super().on_tick(counter)
