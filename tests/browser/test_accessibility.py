"""axe-core on every page, light and dark, and on the report: nothing serious."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing_rig import Watched
from serving import Served, cascade, served, shipped_pairs, two_students, write_pairs

Show = Callable[[str], Any]
PAGES = ("/", "/hashes", "/time", "/errors", "/events", "/frontier", "/alarms", "/runs", "/compare", "/live", "/origin")
GRAVE = {"serious", "critical"}


def findings(page: Any, axe: str) -> list[str]:
    """What the checker holds to be serious, with where it is."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_a_serious_finding(show: Show, axe: str, path: str, scheme: str) -> None:
    page = show(path)
    page.emulate_media(color_scheme=scheme)
    assert findings(page, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_one_event_and_that_of_an_error_have_none(
    show: Show, axe: str, dashboard: Served, watched: Watched, scheme: str
) -> None:
    watched.refused = True
    worst = dashboard.twin("events.json")["events"][0]["event_id"]
    for path in (f"/events/{worst}", "/nowhere"):
        page = show(path)
        page.emulate_media(color_scheme=scheme)
        assert findings(page, axe) == [], path


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of two students, compared."""
    folder = tmp_path_factory.mktemp("students")
    cascade(folder, "pull", str(write_pairs(folder / "pairs.jsonl", two_students(shipped_pairs(every=16)))))
    with served(folder) as running:
        running.wait_until_read()
        yield f"{running.url}/compare?a=student-4b-v1&b=student-4b-v2"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_students_that_are_compared_have_none(watched: Watched, axe: str, compared: str, scheme: str) -> None:
    page = watched.page
    page.emulate_media(color_scheme=scheme)
    page.goto(compared)
    assert page.get_by_text("McNemar").count() == 1
    assert findings(page, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_has_none_with_all_its_tables_open(watched: Watched, axe: str, workspace: Path, scheme: str) -> None:
    file = workspace / "report.html"
    if not file.exists():
        cascade(workspace, "report", "-o", str(file))
    page = watched.page
    page.emulate_media(color_scheme=scheme)
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    assert findings(page, axe) == []
