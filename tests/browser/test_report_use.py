"""The report in a real browser as a reader uses it: its charts, its keys, on paper, on a telephone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browsing_rig import Watched
from serving import cascade


@pytest.fixture
def report(workspace: Path, watched: Watched) -> Any:
    """The report of some shipped pairs, open."""
    file = workspace / "used.html"
    if not file.exists():
        cascade(workspace, "report", "-o", str(file))
    watched.page.goto(file.as_uri())
    return watched.page


def test_every_chart_is_drawn_and_its_table_is_behind_it(report: Any) -> None:
    figures = report.locator("figure")
    assert figures.count() >= 6
    for figure in figures.all():
        assert figure.locator("svg.wide").bounding_box()["height"] > 40
        assert figure.locator("details.data tbody tr").count() >= 1


def test_the_contents_lead_to_every_section(report: Any) -> None:
    links = report.locator("nav.contents a").all()
    assert len(links) >= 10
    for link in links:
        link.click()
        assert report.locator(link.get_attribute("href")).count() == 1


def test_j_and_k_go_from_event_to_event(report: Any) -> None:
    ids = report.locator("article.diff h3").all_text_contents()
    focused = "document.activeElement.querySelector('h3')?.textContent"
    for key, expected in (("j", ids[0]), ("j", ids[1]), ("k", ids[0])):
        report.keyboard.press(key)
        assert report.evaluate(focused) == expected


def test_on_paper_there_is_nothing_to_press(report: Any) -> None:
    report.emulate_media(media="print")
    assert not report.locator("nav.contents").is_visible()
    assert not report.locator("button.theme").is_visible()
    assert report.locator("#verdict").is_visible()
    assert report.locator("figure svg.wide").first.is_visible()


def test_a_telephone_scrolls_nothing_sideways_but_tables(report: Any) -> None:
    report.set_viewport_size({"width": 390, "height": 800})
    assert report.evaluate("document.documentElement.scrollWidth") <= 390
