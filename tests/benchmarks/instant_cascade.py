"""``cascade`` over a network that answers in place: what is left of a run is our own work and the database's.

Client and connections are those of the command; only the transport below them is this one, which takes a tenth of the
time that the library's own needs for a request.
"""

from __future__ import annotations

import httpx
from instant_endpoint import answer

from cascade_cli.app import main
from cascade_cli.clients import connections


class _InPlace(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(answer(request.content)))


# Workers of their own read this file too before they begin.
connections.network_lane = lambda _endpoint: _InPlace  # type: ignore[assignment]

if __name__ == "__main__":
    main()
