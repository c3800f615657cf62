"""Connections to one endpoint, each in a lane of its own.

One pool of many connections looks at every one of them for every request: with 32 it costs four times the CPU of 32
pools of one. Redirects are not followed, for the key would go where nobody meant it to; no cookies are kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from cascade_cli.clients.endpoint import Endpoint
from cascade_cli.errors import UsageError

NewLane = Callable[[], httpx.AsyncBaseTransport]


class Connections:
    """Lanes to one endpoint; get them from :meth:`open`."""

    def __init__(self, new_lane: NewLane, timeouts: httpx.Timeout) -> None:
        self._new_lane = new_lane
        self._extensions = {"timeout": timeouts.as_dict()}
        self._free: list[httpx.AsyncBaseTransport] = []
        self._made: list[httpx.AsyncBaseTransport] = []

    @staticmethod
    @asynccontextmanager
    async def open(
        endpoint: Endpoint, timeouts: httpx.Timeout, new_lane: NewLane | None = None
    ) -> AsyncIterator[Connections]:
        """Keep connections, as many as are used at the same time.

        Args:
            endpoint: whose they are.
            timeouts: of connecting, reading and writing.
            new_lane: makes a transport of one connection; the network's unless given.

        Raises:
            UsageError: the environment names a proxy that cannot be used.
        """
        connections = Connections(new_lane or network_lane(endpoint), timeouts)
        try:
            yield connections
        finally:
            for lane in connections._made:
                await lane.aclose()

    @asynccontextmanager
    async def send(
        self, method: str, url: httpx.URL | str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; the body of the answer is still to be read.

        Raises:
            httpx.HTTPError: there is no answer.
        """
        lane = self._free.pop() if self._free else self._make()
        try:
            request = httpx.Request(method, url, headers=headers, content=body, extensions=self._extensions)
            response = await lane.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            self._free.append(lane)

    def _make(self) -> httpx.AsyncBaseTransport:
        lane = self._new_lane()
        self._made.append(lane)
        return lane


def network_lane(endpoint: Endpoint) -> NewLane:
    """What makes transports to an endpoint, through the proxy of the environment unless it is on this machine.

    Raises:
        UsageError: there is such a proxy and it cannot be used.
    """
    context = httpx.create_ssl_context(verify=urlsplit(endpoint.url).scheme == "https")
    proxy, one = _proxy_of(endpoint), httpx.Limits(max_connections=1)

    def make() -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=context, limits=one, proxy=proxy)

    try:
        make()
    except (ImportError, ValueError):
        raise UsageError(
            "The proxy that the environment names cannot be used.", hint="See HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
        ) from None
    return make


def _proxy_of(endpoint: Endpoint) -> str | None:
    parts = urlsplit(endpoint.url)
    if endpoint.is_local or proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return found if found is None or "://" in found else f"http://{found}"
