"""The report in a real browser: hostile text never runs, nothing is asked for, nothing is complained of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cascade_cli import app

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
MARK = "HACKED"
RUN = f"document.title='{MARK}';window.hacked=1"
HOSTILE = [
    f"<script>{RUN}</script>",
    f"</pre></style></title></script><script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"<svg onload={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"javascript:{RUN}",
    "<meta http-equiv=refresh content='0;url=http://leaves.example/'>",
    "<link rel=stylesheet href=http://leaves.example/x.css><img src=http://leaves.example/x.png>",
    "<base href=http://leaves.example/>\u202e\x00\x1b",
]
Visit = Callable[[Path], tuple[str, str, list[str]]]


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    """Open a page; returns what became of it, what the console said, and every address that was asked for."""

    def open_page(page: Path) -> tuple[str, str, list[str]]:
        log = tmp_path / "net.json"
        done = subprocess.run(
            [
                str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000",
                f"--user-data-dir={tmp_path / 'profile'}", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom",
                page.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        console = "\n".join(line for line in done.stderr.splitlines() if ":CONSOLE" in line)
        asked = [url for url in re.findall(r'"url":"([^"]+)"', log.read_text(encoding="utf-8")) if _is_the_pages(url)]
        return done.stdout, console, asked

    return open_page


def _is_the_pages(url: str) -> bool:
    """Whether the page asked for it, and not the browser for its own ends."""
    return url.startswith(("http", "ws", "ftp")) and "leaves.example" in url


@pytest.fixture
def hostile_page(tmp_path: Path) -> Path:
    """A report on events of which every word is hostile."""
    lines = []
    for number, text in enumerate(HOSTILE):
        gold = {"entities": [{"name": text, "type": text, text: text}], "facts": [{"statement": text, "subject": text}]}
        event = {"id": text, "arena": text, "content": text}
        line = {
            "event_id": text, "system_prompt_hash": text, "created_at": f"2026-06-{number + 1:02}T09:00:00Z",
            "event": event, "raw_response": gold, "student_model": "student", "llm_chunk_ms": 1.0,
            "student_response": {"entities": [{"name": f"{text} {number}"}]},
        }  # fmt: skip
        lines.append(json.dumps(line))
    source, page = tmp_path / "pairs.jsonl", tmp_path / "page.html"
    source.write_text("\n".join(lines), encoding="utf-8")
    assert app.run(["report", str(source), "-o", str(page), "-q"]) == 0
    return page


def test_hostile_text_never_runs_and_nothing_is_asked_for(hostile_page: Path, visit: Visit) -> None:
    became, console, asked = visit(hostile_page)
    assert f"<title>{MARK}" not in became
    assert "How far the student" in became
    assert console == ""
    assert asked == []
    for text in HOSTILE:
        shown = text.split("\u202e")[0].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert shown in became


def test_the_page_comes_alive_without_a_complaint(hostile_page: Path, visit: Visit) -> None:
    became, console, _ = visit(hostile_page)
    assert '<button type="button" class="theme">' in became
    assert '<th scope="col" class="words"><button type="button">' in became
    assert console == ""


def test_the_test_would_see_a_script_that_runs(tmp_path: Path, visit: Visit) -> None:
    page = tmp_path / "open.html"
    page.write_text(
        f"<!doctype html><title>x</title>{HOSTILE[0]}{HOSTILE[7]}<script>nothing()</script>", encoding="utf-8"
    )
    became, console, asked = visit(page)
    assert f"<title>{MARK}" in became
    assert "nothing is not defined" in console
    assert asked
