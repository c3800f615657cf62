"""The dashboard in a real browser: what is drawn, what the keys, filters and sliders do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from browsing_rig import Watched
from serving import Served, cascade, served

Show = Callable[[str], Any]
CHARTS = {
    "/": "#f1-wide-title",
    "/hashes": "#hashes-wide-title",
    "/time": "#days-wide-title",
    "/errors": "#kinds-wide-title",
    "/frontier": "#frontier-wide-title",
    "/alarms": "#watched-wide-title",
}


@pytest.mark.parametrize("path", CHARTS)
def test_each_chart_is_drawn_with_its_words_and_its_table(show: Show, path: str) -> None:
    page = show(path)
    drawing = page.locator(f"svg:has({CHARTS[path]})")
    assert drawing.bounding_box()["height"] > 60
    assert drawing.locator("circle, rect, path").count() > 2
    assert page.locator(f"{CHARTS[path]} + desc").text_content()
    details = page.locator("figure details.data").first
    details.locator("summary").click()
    assert details.locator("tbody tr").first.is_visible()


def test_the_contents_lead_to_every_page(show: Show) -> None:
    page = show("/")
    names = page.locator("nav.contents a").all_text_contents()
    assert len(names) == 11
    for name in names:
        page.get_by_role("navigation", name="Contents").get_by_role("link", name=name, exact=True).click()
        assert page.locator("nav.contents a[aria-current=page]").text_content() == name
        assert page.locator("h1").text_content() == name
        assert page.locator("main section h2").first.is_visible()


def test_a_filter_shows_only_what_it_lets_through(show: Show) -> None:
    page = show("/events")
    whole = page.locator("p[role=status]").text_content()
    page.get_by_label("difference").select_option("missing")
    page.get_by_label("verdict").select_option("disagrees")
    page.get_by_role("button", name="Filter").click()
    assert page.locator("p[role=status]").text_content() != whole
    assert set(page.locator("tbody td:nth-child(3)").all_text_contents()) == {"disagrees"}
    assert all("missing" in kinds for kinds in page.locator("tbody td:nth-child(4)").all_text_contents())
    page.get_by_role("link", name="Show all").click()
    assert page.locator("p[role=status]").text_content() == whole


def test_paging_forth_and_back_shows_every_pair_once_and_the_same_again(show: Show, dashboard: Served) -> None:
    page = show("/events")
    rows = "tbody a.row"
    first = page.locator(rows).all_text_contents()
    seen = list(first)
    while page.locator("a[rel=next]").count():
        with page.expect_navigation():
            page.locator("a[rel=next]").click()
        seen += page.locator(rows).all_text_contents()
    assert len(seen) == len(set(seen)) == dashboard.twin("score.json")["scored"]
    while page.locator("a[rel=prev]").count():
        with page.expect_navigation():
            page.locator("a[rel=prev]").click()
    assert page.locator(rows).all_text_contents() == first


def test_j_and_k_go_through_the_rows_and_from_event_to_event(show: Show) -> None:
    page = show("/events?verdict=disagrees")
    rows = page.locator("tbody a.row").all_text_contents()
    focused = "document.activeElement.textContent"
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate(focused) == rows[1]
    page.keyboard.press("k")
    assert page.evaluate(focused) == rows[0]
    page.keyboard.press("Enter")
    page.wait_for_selector("article.diff")
    assert page.locator("article.diff h3").text_content() == rows[0]
    page.keyboard.press("j")
    page.wait_for_function("id => document.querySelector('article.diff h3').textContent === id", arg=rows[1])
    page.keyboard.press("k")
    page.wait_for_function("id => document.querySelector('article.diff h3').textContent === id", arg=rows[0])


def test_j_and_k_cross_the_pages_of_the_list_and_keep_the_filter(show: Show) -> None:
    page = show("/events?verdict=agrees")
    rows = page.locator("tbody a.row").all_text_contents()
    page.locator("tbody a.row").last.focus()
    page.keyboard.press("j")
    page.wait_for_url("**/events?verdict=agrees&after=*")
    assert page.locator("tbody a.row").first.text_content() not in rows
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.wait_for_url("**/events?verdict=agrees&before=*")
    assert page.locator("tbody a.row").all_text_contents() == rows


def test_keys_typed_into_a_field_are_left_alone(show: Show) -> None:
    page = show("/events")
    page.locator("select[name=arena]").focus()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.name") == "arena"


def test_the_diff_of_an_event_is_that_of_explain(show: Show, workspace: Path, dashboard: Served) -> None:
    event_id = dashboard.twin("events.json")["events"][3]["event_id"]
    (explained,) = cascade(workspace, "score", "--explain", event_id)["explanations"]
    assert dashboard.twin(f"event.json?{urlencode({'id': event_id})}")["explanations"] == [explained]
    page = show(f"/events/{event_id}")
    pairs = [each for found in explained["sections"].values() for each in found]
    assert page.locator("table.items tbody").count() == len(pairs)
    told = sorted(page.locator("table.items .kind").all_text_contents())
    assert told == sorted(each["kind"] or ("equal" if each["strict"] else "accepted") for each in pairs)
    for each in pairs:
        if each["reason"]:
            assert page.get_by_text(each["reason"], exact=True).count()
    assert f"agreement {explained['agreement']:.3f}" in page.locator("article.diff .resting").first.text_content()


def test_the_sliders_change_the_figures_at_once(show: Show, workspace: Path) -> None:
    page = show("/frontier")
    before = page.locator("#escalation p").first.text_content()
    with page.expect_response(lambda answer: "sample_rate=0.5" in answer.url):
        page.locator("input[name=sample_rate]").fill("0.5")
    page.wait_for_function("text => document.querySelector('#escalation p').textContent !== text", arg=before)
    found = cascade(workspace, "simulate", "--sample-rate", "0.5")
    assert (
        f"{found['escalation']['rate']:.1%} of the events escalate"
        in page.locator("#escalation p").first.text_content()
    )
    assert page.locator("label:has(input[name=sample_rate]) output").text_content() == "0.5"
    assert "sample_rate=0.5" in page.url


def test_a_category_that_is_taken_out_no_longer_escalates(show: Show, workspace: Path) -> None:
    page = show("/frontier")
    before = page.locator("#escalation p").first.text_content()
    for name in ("commitment", "decision"):
        with page.expect_response(lambda answer: "/frontier" in answer.url):
            page.get_by_label(name, exact=True).uncheck()
    page.wait_for_function("text => document.querySelector('#escalation p').textContent.includes('high value: none')")
    found = cascade(workspace, "simulate", "--high-value", "")
    assert page.locator("#escalation p").first.text_content() != before
    assert f"{found['escalation']['rate']:.1%} of the events" in page.locator("#escalation p").first.text_content()


def test_a_policy_between_two_hundredths_is_not_rounded_by_the_sliders(
    watched: Watched, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "cascade.toml").write_text("[policy]\nsample_rate = 0.123456\nhigh_value_categories = []\n")
    with served(tmp_path, str(workspace / "pairs.jsonl")) as dashboard:
        dashboard.wait_until_read()
        page = watched.page
        page.goto(f"{dashboard.url}/frontier")
        with page.expect_response(lambda answer: "/frontier?" in answer.url) as answered:
            page.get_by_label("commitment", exact=True).check()
        assert parse_qs(urlsplit(answered.value.url).query)["sample_rate"] == ["0.123456"]


def test_a_slider_that_is_drawn_ends_where_it_was_let_go(show: Show, workspace: Path) -> None:
    page = show("/frontier")
    under_way, most = set(), 0

    def began(request: Any) -> None:
        nonlocal most
        under_way.add(request)
        most = max(most, len(under_way))

    def ended(request: Any) -> None:
        under_way.discard(request)

    page.on("request", began)
    page.on("requestfinished", ended)
    page.evaluate("""
        const slider = document.querySelector('input[name=sample_rate]');
        for (let step = 1; step <= 40; step++) {
            slider.value = step / 100;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
        }
    """)
    page.wait_for_url("**/frontier?sample_rate=0.4&**")
    page.wait_for_selector("#turned:not(.busy)")
    found = cascade(workspace, "simulate", "--sample-rate", "0.4")
    assert f"{found['escalation']['rate']:.1%} of the events" in page.locator("#escalation p").first.text_content()
    assert most == 1


def test_a_dashboard_that_has_ended_is_told_and_the_figures_stay(watched: Watched, workspace: Path) -> None:
    watched.refused = True
    with served(workspace) as dashboard:
        dashboard.wait_until_read()
        page = watched.page
        page.goto(f"{dashboard.url}/frontier")
    page.locator("input[name=sample_rate]").fill("0.5")
    page.wait_for_selector("#turned > p.warning")
    assert "does not answer" in page.locator("#turned > p.warning").text_content()
    assert page.locator("#escalation").count() == 1
    assert page.locator("#turned.busy").count() == 0


def test_every_form_works_without_scripts(browser: Any, dashboard: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{dashboard.url}/frontier")
    page.get_by_label("commitment", exact=True).uncheck()
    page.get_by_role("button", name="Simulate").click()
    assert "high value: decision" in page.locator("#escalation p").first.text_content()
    page.goto(f"{dashboard.url}/events")
    page.get_by_label("verdict").select_option("agrees")
    page.get_by_role("button", name="Filter").click()
    assert set(page.locator("tbody td:nth-child(3)").all_text_contents()) == {"agrees"}
    context.close()


def test_the_theme_that_was_chosen_stays_from_page_to_page(show: Show) -> None:
    page = show("/")
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    page.get_by_role("button", name="Dark or light").click()
    chosen = page.evaluate(paper)
    assert chosen != before
    page.goto(page.url + "hashes")
    assert page.evaluate(paper) == chosen


def test_an_unknown_page_is_a_page(show: Show, watched: Watched) -> None:
    watched.refused = True
    page = show("/nowhere/at%20all")
    assert "no page at /nowhere/at all" in page.locator("main").text_content()
    assert page.locator("nav.contents a").count() == 11


@pytest.mark.parametrize("path", ["/", "/errors", "/events", "/frontier", "/alarms", "/runs", "/live", "/origin"])
def test_a_telephone_scrolls_nothing_sideways_but_tables(show: Show, path: str) -> None:
    page = show(path)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
