"""A real browser without a window, and what must never happen on a page."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Whatever a page may want of another host, there is none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_LOCAL_SCHEMES = frozenset({"data", "about", "blob"})


def find_chromium() -> str | None:
    """The browser of the system; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def find_axe() -> Path | None:
    """axe-core: where ``AXE_CORE`` says, else among the node modules of the tree; None where it is nowhere."""
    named = os.environ.get("AXE_CORE")
    places = [Path(named)] if named else [Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"]
    return next((place for place in places if place.is_file()), None)


@dataclass
class Watched:
    """A page, and everything on it that must not happen.

    Attributes:
        page: of playwright.
        wrong: what did.
        refused: whether an answer of 4xx is expected, which a browser tells as an error.
    """

    page: Any
    wrong: list[str] = field(default_factory=list)
    refused: bool = False

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", self._asked)
        self.page.on("request", self._requested)

    def _said(self, message: Any) -> None:
        expected = self.refused and "Failed to load resource" in message.text
        if message.type in {"error", "warning"} and not expected:
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, dialog: Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Any) -> None:
        address = urlsplit(request.url)
        local = address.scheme in _LOCAL_SCHEMES or address.hostname == "127.0.0.1" or address.scheme == "file"
        if not local:
            self.wrong.append(f"request: {request.url[:300]}")
