"""Pictures of every page, light and dark, at 1280 and 390 pixels, over the shipped pairs.

python tests/browser/screenshots.py OUT_DIR
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
sys.path.insert(0, str(Path(__file__).parent))

from browsing_rig import FLAGS, find_chromium
from playwright.sync_api import sync_playwright
from serving import Served, cascade, served, shipped_pairs, write_pairs

PAGES = ("hashes", "time", "errors", "events", "frontier", "alarms", "runs", "compare", "live", "origin", "nowhere")
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


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        cascade(place, "pull", str(write_pairs(place / "pairs.jsonl", shipped_pairs(every=2))))
        cascade(place, "score")
        cascade(place, "report", "-o", str(place / "report.html"))
        with served(place) as dashboard:
            dashboard.wait_until_read()
            pages = {**addresses(dashboard), "report": (place / "report.html").as_uri()}
            print(f"{take(pages, folder)} pictures in {folder}")


if __name__ == "__main__":
    main()
