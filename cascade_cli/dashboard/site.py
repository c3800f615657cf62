"""Addresses to pages and twins; every error a page, or the document of ``--json``."""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import Awaitable, Callable, Mapping
from email.utils import format_datetime
from functools import cache, partial
from importlib import resources

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import escape
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cascade_cli.console import error_envelope, json_document
from cascade_cli.console.rendering import envelope
from cascade_cli.dashboard.access import Access
from cascade_cli.dashboard.guard import Guard
from cascade_cli.dashboard.look import Look, Sources
from cascade_cli.dashboard.pages import PAGES, View, event
from cascade_cli.dashboard.problems import NotAnswered, NothingThere, NotYet, http_status
from cascade_cli.dashboard.twins import ASKED_EACH_TIME, TWINS
from cascade_cli.errors import CascadeError, internal_error
from cascade_cli.event_loop import in_background
from cascade_cli.report import environment
from cascade_cli.report.sections import nothing_yet

Answer = Callable[[Request], Response]
MOST_AT_ONCE = 16
"""Pages that are worked out at the same time; each may take the memory of a simulation."""
_TWINS_AT = "/api/"
_STATIC = {
    "style.css": ("cascade_cli.report", "templates", "text/css"),
    "page.js": ("cascade_cli.report", "templates", "text/javascript"),
    "dashboard.css": ("cascade_cli.dashboard", "static", "text/css"),
    "dashboard.js": ("cascade_cli.dashboard", "static", "text/javascript"),
}
"""The only files that are served: package, folder and kind of each."""


class _Whole(Convertor[str]):
    """All that is left of a path, whatever characters are in it."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def build_site(sources: Sources, access: Access) -> ASGIApp:
    """All pages and twins, behind their guard."""
    register_url_convertor("whole", _Whole())
    places = Semaphore(MOST_AT_ONCE)
    answers = {path: _page_at(sources, path, show) for path, (_, show) in PAGES.items()}
    answers["/events/{event_id:whole}"] = _page_at(sources, "/events", event)
    answers |= {f"{_TWINS_AT}{name}.json": _twin_at(sources, name) for name in TWINS}
    routes = [Route(path, _beside(answer, places)) for path, answer in answers.items()]
    routes += [Route(f"/static/{name}", _static_at(name)) for name in _STATIC]
    handlers = {404: _unknown, Exception: _broken}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), access)


def _beside(answer: Answer, places: Semaphore) -> Callable[[Request], Awaitable[Response]]:
    """The same in a thread that nobody has to wait for: neither Ctrl-C, nor who asks for another page."""

    async def answered(request: Request) -> Response:
        async with places:
            return await in_background(partial(answer, request))

    return answered


def _look(sources: Sources, request: Request) -> Look:
    state = sources.snapshots.state()
    return Look(request.query_params, sources, state, request.path_params.get("event_id") or None)


def _page_at(sources: Sources, path: str, show: Callable[[Look], View]) -> Answer:
    def page(request: Request) -> Response:
        look = _look(sources, request)
        try:
            view = show(look)
            return HTMLResponse(_drawn(path, view, look))
        except CascadeError as error:
            return _refused(path, error, look)

    return page


def _twin_at(sources: Sources, name: str) -> Answer:
    def twin(request: Request) -> Response:
        try:
            look = _look(sources, request)
            command, result = TWINS[name](look)
            return _document(envelope(command, result), headers=_dated(name, look))
        except CascadeError as error:
            return _document(error_envelope(name, error), http_status(error))

    return twin


def _static_at(name: str) -> Answer:
    package, folder, kind = _STATIC[name]
    text = resources.files(package).joinpath(folder, name).read_text(encoding="utf-8")
    return lambda _request: Response(text, media_type=kind)


def _document(document: object, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json_document(document), status, headers, media_type="application/json")


def _dated(name: str, look: Look) -> dict[str, str]:
    """As of when a twin's figures are; without a date where it is asked for each time."""
    if name in ASKED_EACH_TIME:
        return {}
    return {"Last-Modified": format_datetime(look.snapshot.read_at, usegmt=True)}


def _drawn(path: str, view: View, look: Look) -> str:
    return _render(view.template, path, view.title, view=view, state=look.state, **view.more)


def _refused(path: str, error: CascadeError, look: Look) -> Response:
    """The page of an error; where there is nothing yet, what to run; while the first pairs are read, how far it is."""
    reading = isinstance(error, NotYet)
    sections = nothing_yet(look.source) if look.has_nothing and not isinstance(error, NotAnswered) else ()
    status = 200 if reading or sections else http_status(error)
    return HTMLResponse(_message(path, error, sections=sections, reading=reading), status)


def _unknown(request: Request, _error: Exception) -> Response:
    error = NothingThere(f"There is no page at {request.url.path[:200]}.", hint="The contents list every page.")
    if request.url.path.startswith(_TWINS_AT):
        return _document(error_envelope("dashboard", error), http_status(error))
    return HTMLResponse(_message("", error), http_status(error))


def _broken(request: Request, error: Exception) -> Response:
    told = internal_error(error, hint="Please report it, with what you clicked.")
    if request.url.path.startswith(_TWINS_AT):
        return _document(error_envelope("dashboard", told), 500)
    return HTMLResponse(_message("", told), 500)


def _message(path: str, error: CascadeError, *, sections: tuple[object, ...] = (), reading: bool = False) -> str:
    title = "Reading" if reading else "Nothing yet" if sections else "Not shown"
    return _render("message.html.j2", path, title, error=error, sections=sections, reading=reading)


def _render(template: str, path: str, title: str, **more: object) -> str:
    contents = [(address, name) for address, (name, _) in PAGES.items()]
    return _environment().get_template(template).render(path=path, title=title, contents=contents, **more)


@cache
def _environment() -> Environment:
    """The report's templates, and the dashboard's own."""
    loader = ChoiceLoader([PackageLoader("cascade_cli.dashboard"), PackageLoader("cascade_cli.report")])
    found = environment().overlay(loader=loader)
    # What a form sends back must be what came: escaped, but with its control characters as they are.
    found.filters = {**found.filters, "raw": escape}
    return found
