"""``/metrics`` and ``/healthz`` over HTTP, beside the worker on its own event loop.

One small answer a connection, and everything about it bounded: the request's size, the time it takes, the connections
at once. Nothing here waits for the database or a model, and a scraper that never reads costs the worker nothing but a
socket for a few seconds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.live.exposition import CONTENT_TYPE
from cascade_cli.live.measures import Measures

LOOPBACK: Final = "127.0.0.1"
MOST_REQUEST_BYTES: Final = 8_192
LONGEST_S: Final = 5.0
"""For one connection, from its first byte to its last."""
MOST_CONNECTIONS: Final = 32
MOST_SILENT_S: Final = 30.0
"""How long the loop may stand still, or the database be silent, before the worker counts as ill."""
_END_OF_HEAD: Final = b"\r\n\r\n"
_REQUEST_LINE_PARTS: Final = 3


@dataclass(slots=True)
class Health:
    """When the worker last did what shows that it lives; written by the worker, read here.

    Attributes:
        clock: monotonic seconds.
        most_silent_s: longer than this without a sign is ill, above 0.
        turned_at: when the loop last turned.
        contacted_at: when the database last answered; None until it first did.
    """

    clock: Callable[[], float]
    most_silent_s: float = MOST_SILENT_S
    turned_at: float = field(init=False)
    contacted_at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.turned_at = self.clock()

    def turned(self) -> None:
        """The loop has turned, whether or not there was anything to do."""
        self.turned_at = self.clock()

    def contacted(self) -> None:
        """The database has answered."""
        self.contacted_at = self.clock()

    @property
    def problem(self) -> str | None:
        """Why the worker is ill, in one sentence; None while it is well."""
        now = self.clock()
        if now - self.turned_at > self.most_silent_s:
            return f"the loop has not turned for {now - self.turned_at:.0f} s"
        if self.contacted_at is None:
            return "the database has not answered yet"
        if now - self.contacted_at > self.most_silent_s:
            return f"the database has not answered for {now - self.contacted_at:.0f} s"
        return None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is sent back."""

    status: HTTPStatus
    body: str
    content_type: str = "text/plain; charset=utf-8"
    allow: str = ""

    def encoded(self, *, with_body: bool) -> bytes:
        body = self.body.encode("utf-8", "replace")
        head = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
            *([f"Allow: {self.allow}"] if self.allow else []),
        ]
        return "\r\n".join(head).encode("ascii") + _END_OF_HEAD + (body if with_body else b"")


class _Pages:
    """Answers connections; keeps count of them."""

    def __init__(self, measures: Measures, health: Health, longest_s: float) -> None:
        self._measures = measures
        self._health = health
        self._longest_s = longest_s
        self._open: set[asyncio.Task[object]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its beginning to its end."""
        task = asyncio.current_task()
        if task is None or len(self._open) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(task)
        try:
            async with asyncio.timeout(self._longest_s):
                await self._exchange(reader, writer)
        except (OSError, TimeoutError):
            pass  # whoever asked is gone, or reads too slowly
        finally:
            self._open.discard(task)
            # Whatever was not read by now is not waited for.
            writer.transport.abort()

    async def end(self) -> None:
        """Cut off whoever is still there."""
        for task in (waiting := tuple(self._open)):
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(_END_OF_HEAD)
        except asyncio.LimitOverrunError:
            answer, with_body = _Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too large\n"), True
        except asyncio.IncompleteReadError:
            return
        else:
            method, target = _asked(head)
            answer, with_body = self._answer(method, target), method != "HEAD"
        writer.write(answer.encoded(with_body=with_body))
        await writer.drain()
        writer.write_eof()
        # Closing with bytes unread would make the peer lose the answer.
        while await reader.read(MOST_REQUEST_BYTES):
            pass
        writer.close()
        await writer.wait_closed()

    def _answer(self, method: str, target: str) -> _Answer:
        if not method:
            return _Answer(HTTPStatus.BAD_REQUEST, "not a request\n")
        if method not in {"GET", "HEAD"}:
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD\n", allow="GET, HEAD")
        match target.partition("?")[0]:
            case "/metrics":
                return _Answer(HTTPStatus.OK, self._measures.render(), CONTENT_TYPE)
            case "/healthz":
                return _healthy(self._health.problem)
        return _Answer(HTTPStatus.NOT_FOUND, "/metrics or /healthz\n")


@asynccontextmanager
async def serving(
    measures: Measures, health: Health, host: str = LOOPBACK, port: int = 0, *, longest_s: float = LONGEST_S
) -> AsyncIterator[int]:
    """Serve both pages while the body runs.

    Args:
        measures: rendered anew for each request.
        health: looked at for each request.
        host: an address of this machine; loopback unless others are to scrape it.
        port: 0 takes a free one.
        longest_s: seconds that one connection may take.

    Yields:
        The port.

    Raises:
        UsageError: there is no such address here.
        DependencyError: the port is taken, or may not be used.
    """
    pages = _Pages(measures, health, longest_s)
    server = await _listening(pages, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await pages.end()
        with suppress(TimeoutError):
            # From Python 3.12 on this waits for connections, of which a last one may just have come.
            await asyncio.wait_for(server.wait_closed(), longest_s)


async def _listening(pages: _Pages, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.start_server(pages.talk, host, port, limit=MOST_REQUEST_BYTES)
    except (OverflowError, UnicodeError) as error:
        raise UsageError(f"{host}:{port} is no address to listen at.") from error
    except OSError as error:
        raise DependencyError(
            f"Cannot listen at {host}:{port}: {error.strerror or type(error).__name__}.",
            hint="Give another port as live.metrics_port.",
        ) from error


def _asked(head: bytes) -> tuple[str, str]:
    """Method and target of a request; two empty texts where it is none."""
    line = head.partition(b"\r\n")[0].decode("ascii", "replace").split(" ")
    if len(line) != _REQUEST_LINE_PARTS or not line[2].startswith("HTTP/1.") or not line[1].startswith("/"):
        return "", ""
    return line[0], line[1]


def _healthy(problem: str | None) -> _Answer:
    status = HTTPStatus.OK if problem is None else HTTPStatus.SERVICE_UNAVAILABLE
    told = {"status": "ok"} if problem is None else {"status": "ill", "reason": problem}
    return _Answer(status, json.dumps(told) + "\n", "application/json")
