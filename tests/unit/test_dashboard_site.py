"""A mistake of our own, as a page and as a document: its type and its place, and never its message."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from starlette.types import ASGIApp

from cascade_cli.config import WORKSPACE_PATH, Settings
from cascade_cli.console import Result
from cascade_cli.dashboard.access import Access
from cascade_cli.dashboard.door import Door
from cascade_cli.dashboard.live_state import LiveState
from cascade_cli.dashboard.look import Sources
from cascade_cli.dashboard.site import build_site
from cascade_cli.dashboard.snapshots import Snapshots, State
from cascade_cli.errors import internal_error


def _broken(_settings: Settings) -> Result:
    raise ValueError("the text of an event")


@pytest.fixture
def site() -> ASGIApp:
    """Pages of which one breaks."""
    settings = Settings.defaults()
    snapshots = cast("Snapshots", SimpleNamespace(state=lambda: State(None, None, None)))
    sources = Sources(snapshots, LiveState(settings, ask=_broken), Door(settings[WORKSPACE_PATH]), settings)
    return build_site(sources, Access("127.0.0.1", 8765))


def _get(site: ASGIApp, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(site, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
            return await client.get(path)

    return asyncio.run(ask())


@pytest.mark.parametrize(("path", "kind"), [("/live", "text/html"), ("/api/status.json", "application/json")])
def test_what_breaks_says_of_what_kind_and_where_and_quotes_nothing(site: ASGIApp, path: str, kind: str) -> None:
    answer = _get(site, path)
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Internal error: ValueError at cascade_cli.dashboard.live_state:" in answer.text
    assert "the text of an event" not in answer.text


def test_the_place_of_a_mistake_that_is_not_our_own_is_the_innermost() -> None:
    try:
        json.loads("[")
    except ValueError as error:
        told = internal_error(error)
    assert told.message.startswith("Internal error: JSONDecodeError at json.decoder:")
    assert internal_error(ValueError("never raised")).message == "Internal error: ValueError at ?."
