"""The browser once for all tests, a fresh page for each; a page that did what it must not fails its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing_rig import FLAGS, Watched, find_axe, find_chromium
from serving import Served, cascade, served, shipped_pairs, write_pairs


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is here drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium without a window."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[browser]'")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    """A fresh page; whatever went wrong on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = Watched(context.new_page())
    yield page
    context.close()
    assert not page.wrong, page.wrong


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker's own source."""
    path = find_axe()
    if path is None:
        pytest.skip("no axe-core: npm install axe-core, or its axe.min.js in AXE_CORE")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def workspace(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 - without one nothing is made
    """A folder whose workspace holds some of the shipped pairs, scored."""
    folder = tmp_path_factory.mktemp("shipped")
    write_pairs(folder / "pairs.jsonl", shipped_pairs())
    cascade(folder, "pull", "pairs.jsonl")
    cascade(folder, "score")
    return folder


@pytest.fixture(scope="session")
def dashboard(workspace: Path) -> Iterator[Served]:
    """A dashboard over that workspace, which has read it."""
    with served(workspace) as running:
        running.wait_until_read()
        yield running


@pytest.fixture
def show(watched: Watched, dashboard: Served) -> Callable[[str], Any]:
    """Open a page of the shipped pairs."""

    def open_page(path: str) -> Any:
        watched.page.goto(f"{dashboard.url}{path}")
        return watched.page

    return open_page
