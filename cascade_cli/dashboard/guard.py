"""Stands before every page: refuses what has no business here, and tells the browser what a page may not do."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cascade_cli.dashboard.access import Access, is_same_origin

LONGEST_QUERY = 200_000
"""Bytes; an event's id may have ten thousand characters, each of them twelve bytes when quoted."""
_METHODS = frozenset({"GET", "HEAD"})
_TOKEN = "token"  # noqa: S105 - the name of the parameter
_BEARER = "Bearer "

# Event text is hostile: even markup that got through could run nothing and call nobody.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # What is shown is personal data, and changes.
    "Cache-Control": "no-store",
}


class Guard:
    """Lets a request through to the pages, or answers it."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Stand before an app.

        Args:
            app: answers what is let through.
            access: says what that is.
        """
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(Request(scope))
        await (self._app if refusal is None else refusal)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        if request.method not in _METHODS:
            return PlainTextResponse("Pages can only be read.", 405, {"Allow": "GET, HEAD"})
        if not self._access.knows_host(request.headers.get("host", "")):
            return PlainTextResponse("This name is not one of this server's.", 421)
        if not is_same_origin(request.headers):
            return PlainTextResponse("Another site's page may not ask.", 403)
        if len(request.scope["query_string"]) > LONGEST_QUERY:
            return PlainTextResponse("The address is too long.", 414)
        return self._without_token(request)

    def _without_token(self, request: Request) -> Response | None:
        if self._access.token is None:
            return None
        given = request.query_params.get(_TOKEN)
        if given is not None and self._access.knows_token(given):
            return self._remembered(request)
        bearer = request.headers.get("authorization", "").removeprefix(_BEARER)
        if self._access.knows_token(request.cookies.get(self._access.cookie)) or self._access.knows_token(bearer):
            return None
        return PlainTextResponse("Open the address that cascade dashboard printed: it carries the token.", 401)

    def _remembered(self, request: Request) -> Response:
        """Have the browser keep the token, and take it out of the address, which others may see."""
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != _TOKEN]
        # As it was quoted, or another event would be asked for; two slashes before it would make a host of it.
        path = "/" + request.scope["raw_path"].decode("ascii").lstrip("/")
        response = RedirectResponse(f"{path}?{urlencode(rest)}".rstrip("?"), 303)
        response.set_cookie(self._access.cookie, self._access.token or "", httponly=True, samesite="strict")
        return response
