"""``cascade dashboard`` from end to end: listen, say where, serve until a signal."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from threading import Thread

from cascade_cli.config import DASHBOARD_TOKEN, WORKSPACE_PATH, Settings
from cascade_cli.console import Console, Result
from cascade_cli.dashboard.access import Access, is_loopback
from cascade_cli.dashboard.door import Door
from cascade_cli.dashboard.live_state import LiveState
from cascade_cli.dashboard.look import Sources
from cascade_cli.dashboard.serving import listen, serve
from cascade_cli.dashboard.site import build_site
from cascade_cli.dashboard.snapshots import Snapshots
from cascade_cli.errors import CascadeError, UsageError
from cascade_cli.report import Report

LOOPBACK = "127.0.0.1"
PORT = 8765
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What was asked of ``cascade dashboard``.

    Attributes:
        report: which pairs, and what they are held against.
        host: to listen on; off loopback every request needs a token.
        port: likewise; 0 takes any that is free.
    """

    report: Report
    host: str = LOOPBACK
    port: int = PORT


def run_dashboard(asked: Dashboard, settings: Settings, console: Console) -> Result:
    """Listen, and say where; the result serves once it was shown.

    Raises:
        CascadeError: a flag makes no sense, or the port is taken.
    """
    _check_source(asked.report.pairs.location)
    given = _configured_token(settings)
    made = given is None and not is_loopback(asked.host)
    listener = listen(asked.host, asked.port)
    access = Access(asked.host, listener.getsockname()[1], token_urlsafe(32) if made else given, made)
    snapshots = Snapshots(asked.report, settings)
    site = build_site(Sources(snapshots, LiveState(settings), Door(settings[WORKSPACE_PATH]), settings), access)

    def serve_pages() -> CascadeError | None:
        # Beside it, so that a signal is waited for from the first moment on.
        Thread(target=snapshots.state, daemon=True).start()
        with closing(snapshots):
            return serve(site, listener)

    source = asked.report.pairs.location or str(settings[WORKSPACE_PATH])
    console.note(f"Dashboard of {source}: {access.url}   (Ctrl-C ends it)")
    if given is not None:
        console.note("Open it once with ?token= and the token of CASCADE_DASHBOARD_TOKEN behind it.")
    data = {"url": access.url, "host": access.host, "port": access.port, "source": source}
    data["needs_token"] = access.token is not None
    return Result(data, (access.url,) if console.output.quiet else (), goes_on=serve_pages)


def _check_source(location: str | None) -> None:
    if location == "-":
        raise UsageError(
            "A dashboard reads its pairs again and again, and standard input cannot be.", hint="Give it a file."
        )
    if location is not None and not Path(location).is_file():
        raise UsageError(f"There is no file {location}.", hint="Leave it out for the workspace.")


def _configured_token(settings: Settings) -> str | None:
    given = settings[DASHBOARD_TOKEN]
    if given is not None and len(given) < _SHORTEST_TOKEN:
        raise UsageError(f"The dashboard's token must have at least {_SHORTEST_TOKEN} characters.")
    if given is not None and not (given.isascii() and given.isprintable()):
        raise UsageError("The dashboard's token must be of ASCII characters: headers and cookies bear no other.")
    return given
