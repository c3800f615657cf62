"""The report in a real browser as a reader uses it: its charts, its keys, on paper, on a telephone."""

from __future__ import annotations

import json
from collections.abc import Callable
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


@pytest.mark.parametrize("width", [390, 1280])
def test_what_a_command_is_for_has_room_beside_or_below_it(report: Any, width: int) -> None:
    report.set_viewport_size({"width": width, "height": 800})
    told = report.locator(".commands dd")
    assert told.count() >= 5
    for each in told.all():
        # Two lines of words, not a column of letters.
        assert each.bounding_box()["height"] < 60


@pytest.fixture
def report_on(tmp_path: Path, watched: Watched) -> Callable[[str], Any]:
    """Open the report on events under a prompt of a name."""

    def open_report(prompt_hash: str) -> Any:
        said: list[Any] = [{"entities": [{"name": prompt_hash, "type": name}]} for name in ("person", "place")]
        said.append("no extraction")
        lines = [
            json.dumps(
                {
                    "event_id": f"{prompt_hash}{n}", "system_prompt_hash": prompt_hash, "raw_response": said[0],
                    "student_response": said[n % 3], "event": {"id": "e", "arena": prompt_hash, "content": prompt_hash},
                }
            )
            for n in range(40)
        ]  # fmt: skip
        (tmp_path / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
        cascade(tmp_path, "report", "pairs.jsonl", "-o", "page.html")
        watched.page.goto((tmp_path / "page.html").as_uri())
        return watched.page

    return open_report


@pytest.mark.parametrize("name", ["W" * 64, "e3b0c442" * 8, "\ufdfd" * 64, "n" * 10_000, "word " * 2_000])
def test_no_name_is_too_long_for_a_telephone(report_on: Callable[[str], Any], name: str) -> None:
    page = report_on(name)
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_column_is_sorted_by_what_it_holds(report: Any) -> None:
    report.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    days = report.locator("#days table")
    titles = days.locator("th").all_text_contents()
    for column in ("agree", "n", "day"):
        place = titles.index(column)
        button = days.locator("th button").nth(place)
        button.click()
        rising = days.locator(f"tbody td:nth-child({place + 1})").all_text_contents()
        assert rising == sorted(rising, key=str if column == "day" else in_figures)
        assert len(set(rising)) > 1
        button.click()
        assert days.locator(f"tbody td:nth-child({place + 1})").all_text_contents() == rising[::-1]


def test_what_is_undefined_comes_last_whichever_way_a_column_is_sorted(report_on: Callable[[str], Any]) -> None:
    kinds = report_on("f1e0ff").locator("#kinds figure")
    kinds.locator("details.data").evaluate("(each) => { each.open = true; }")
    for _ in range(2):
        kinds.locator("th button").nth(1).click()
        entities = kinds.locator("tbody td:nth-child(2)").all_text_contents()
        assert (entities[-1], entities.count("—")) == ("—", 1)
        assert len(entities) > 1


def in_figures(text: str) -> float:
    """A figure of a cell."""
    return float(text.replace(",", "").rstrip("%"))


def test_paper_is_white_whatever_was_chosen_and_shows_what_the_verdict_does_not_know(report: Any) -> None:
    report.emulate_media(color_scheme="light")
    report.locator("button.theme").click()
    assert report.locator("html").get_attribute("data-theme") == "dark"
    unknown = report.locator("#verdict details li").first
    assert not unknown.is_visible()
    report.emulate_media(media="print", color_scheme="light")
    ink = report.evaluate("getComputedStyle(document.body).color")
    assert ink == "rgb(28, 30, 33)"
    assert unknown.bounding_box()["height"] > 10
