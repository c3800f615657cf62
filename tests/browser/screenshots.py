"""Pictures of every page, light and dark, at 1280 and 390 pixels, over the shipped pairs.

python tests/browser/screenshots.py OUT_DIR
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("browser", "integration", "validation"))

from browsing_rig import FLAGS, find_chromium
from live_rig import Stage, stage
from playwright.sync_api import sync_playwright
from serving import Served, cascade, served, shipped_pairs, two_students, write_pairs

from cascade_cli.postgres import apply_migrations, embedded_postgres

PAGES = ("hashes", "time", "errors", "events", "frontier", "alarms", "runs", "live", "origin", "nowhere")
SCHEMES = ("light", "dark")
WIDTHS = (1280, 390)


def addresses(dashboard: Served) -> dict[str, str]:
    """Name and address of every page, and of an event with many sorts of difference."""
    worst = dashboard.twin("events.json?kind=wrong_object&verdict=disagrees")["events"][0]["event_id"]
    named = {name: f"{dashboard.url}/{name}" for name in PAGES}
    return {"overview": f"{dashboard.url}/", **named, "event": f"{dashboard.url}/events/{worst}"}


def take(pages: dict[str, str], folder: Path) -> int:
    """Take all pictures; returns how many."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        for scheme in SCHEMES:
            for width in WIDTHS:
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                _take_each(context.new_page(), pages, folder, f"{scheme}-{width}")
        browser.close()
    return len(pages) * len(SCHEMES) * len(WIDTHS)


def _take_each(page: Any, pages: dict[str, str], folder: Path, suffix: str) -> None:
    for name, address in pages.items():
        page.goto(address)
        page.screenshot(path=folder / f"{name}-{suffix}.png", full_page=True)


def prepare(place: Path, pairs: Sequence[Mapping[str, Any]]) -> Path:
    """A workspace with these pairs, scored; returns its folder."""
    place.mkdir()
    cascade(place, "pull", str(write_pairs(place / "pairs.jsonl", pairs)))
    cascade(place, "score")
    return place


@contextmanager
def worked(folder: Path) -> Iterator[Stage]:
    """A database with a queue that a flipped worker has half emptied."""
    with embedded_postgres() as server:
        apply_migrations(server.dsn, with_team_tables=True)
        with stage(server.dsn, folder, 240) as live:
            ended = live.run("--flip", "--once", "--max-events", "180")
            assert ended.code == 0, ended.err
            cascade(folder, "kill", "on", "--reason", "made-up addresses since noon", env=live.environment())
            yield live


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    pairs = shipped_pairs(every=2)
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        one, both = prepare(Path(name) / "one", pairs), prepare(Path(name) / "both", two_students(pairs))
        cascade(one, "report", "-o", str(one / "report.html"))
        live = opened.enter_context(worked(one))
        dashboard = opened.enter_context(served(one, env=live.environment()))
        comparing = opened.enter_context(served(both))
        for each in (dashboard, comparing):
            each.wait_until_read()
        pages = {
            **addresses(dashboard),
            "compare": f"{comparing.url}/compare?a=student-4b-v1&b=student-4b-v2",
            "report": (one / "report.html").as_uri(),
        }
        print(f"{take(pages, folder)} pictures in {folder}")


if __name__ == "__main__":
    main()
