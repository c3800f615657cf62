"""Event text that wants out of its page: nothing of it runs, nothing of it leaves, all of it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from browsing_rig import Watched
from serving import Served, cascade, served, write_pairs

PLANTED = (
    "<script>window.harmed = 1; alert(1)</script>",
    '<img src="x" onerror="window.harmed = 2">',
    '<a href="javascript:window.harmed = 3">press</a>',
    '" onmouseover="window.harmed = 4" x="',
    "'><svg onload=window.harmed=5>",
    "</pre></td></table></main><iframe srcdoc='<script>parent.harmed = 6</script>'></iframe>",
    "{{ harmed }} {% raw %} ${window.harmed = 7} <!-- <script> ]]> </style><script>window.harmed = 8</script>",
    "\u202eright to left\u202c \u2066isolated\u2069 \x00 nul \x1b[31m red \u2028 line",
    '<link rel="stylesheet" href="https://elsewhere.example/x.css"><img src="https://elsewhere.example/x.png">',
    "<base href='https://elsewhere.example/'><form action='https://elsewhere.example/'><input name=token></form>",
)
STRANGE_IDS = (
    "a/b",
    "../../etc/passwd",
    "..",
    ".",
    'it\'s "quoted"',
    "sp ace+%2F?#&=",
    "é件\u202e",
    "x" * 2_000,
    "件" * 10_000,
    "\n件" * 5_000,
)


def _pair(event_id: str, text: str, number: int = 0) -> dict[str, Any]:
    item = {"type": text, "name": text, "email": "a@b.c", text: text}
    fact = {"category": text, "statement": text, "subject": text, "predicate": "is", "object": text}
    return {
        "event_id": event_id,
        "system_prompt_hash": text[:60] + str(number % 2),
        "created_at": f"2026-06-{number % 28 + 1:02}T09:00:00Z",
        "llm_chunk_ms": 800.0,
        "event": {"id": event_id, "arena": text, "content": f"{text} and more", "attributes": {"author": text}},
        "raw_response": {"entities": [item], "facts": [fact], "relationships": []},
        "student_response": {"entities": [{**item, "name": f"another {number}"}], "facts": [fact]},
        "student_model": "student",
    }


PAGES = ("/", "/hashes", "/time", "/errors", "/events", "/frontier", "/alarms", "/runs", "/compare", "/live", "/origin")


@pytest.fixture(scope="module")
def hostile(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:  # noqa: ARG001 - as elsewhere
    """A dashboard over nothing but hostile text, as names, ids, categories, arenas and hashes."""
    folder = tmp_path_factory.mktemp("hostile")
    planted = [_pair(f"planted {text[:200]}", text, number) for number, text in enumerate(PLANTED)]
    named = [_pair(event_id, "plain", number) for number, event_id in enumerate(STRANGE_IDS)]
    long = [_pair("long name", "n" * 10_000, 3), _pair("long line", "plain", 4)]
    long[1]["event"]["content"] = "<b>" + "ten million " * 850_000
    write_pairs(folder / "pairs.jsonl", [*planted, *named, *long])
    cascade(folder, "pull", "pairs.jsonl")
    with served(folder) as running:
        running.wait_until_read()
        yield running


def _check(page: Any) -> None:
    assert page.evaluate("window.harmed") is None
    foreign = "iframe, script, img, base, link, style, object, a[href^='javascript' i]"
    assert page.locator("main").locator(foreign).count() == 0
    attributes = "[...document.querySelectorAll('main *')].flatMap(element => [...element.attributes])"
    assert page.evaluate(f"{attributes}.filter(each => /^on/i.test(each.name)).length") == 0


@pytest.mark.parametrize("path", PAGES)
def test_no_page_runs_what_was_planted(hostile: Served, watched: Watched, path: str) -> None:
    watched.page.goto(f"{hostile.url}{path}")
    assert watched.page.locator("main section").count() >= 1
    _check(watched.page)


def test_each_planted_event_is_shown_as_it_is_and_does_nothing(hostile: Served, watched: Watched) -> None:
    page = watched.page
    for number, text in enumerate(PLANTED):
        event_id = f"planted {text[:200]}"
        page.goto(f"{hostile.url}/events/?{urlencode({'id': event_id})}")
        assert page.locator("article.diff").count() == 1, text
        body = page.locator("article.diff").text_content()
        assert text.split("\x00")[0].split("\u202e")[0].strip() in body
        assert f"another {number}" in body
        for element in page.locator("article.diff a, article.diff td").all()[:20]:
            element.hover()
        _check(page)


def test_bidi_marks_and_controls_are_made_visible(hostile: Served, watched: Watched) -> None:
    watched.page.goto(f"{hostile.url}/events/?{urlencode({'id': f'planted {PLANTED[7]}'})}")
    body = watched.page.locator("main").text_content()
    assert not {"\u202e", "\u2066", "\x00", "\x1b", "\u2028"} & set(body)
    assert r"\u202e" in body
    assert r"\x00" in body


@pytest.mark.parametrize("event_id", STRANGE_IDS, ids=range(len(STRANGE_IDS)))
def test_an_event_is_found_by_any_id_by_a_click_and_by_its_twin(
    hostile: Served, watched: Watched, event_id: str
) -> None:
    page = watched.page
    page.goto(f"{hostile.url}/events?arena=plain")
    addresses = page.locator("a.row").evaluate_all("rows => rows.map(row => row.href)")
    assert len(addresses) == len(STRANGE_IDS) + 1
    found = {}
    for address in addresses:
        if quote(event_id[:20], safe="") in address or event_id in {".", ".."}:
            page.goto(address)
            found[page.locator("main a[href^='/api/event.json']").get_attribute("href")] = page.url
    (explained,) = hostile.twin(f"event.json?{urlencode({'id': event_id})}")["explanations"]
    assert explained["event_id"] == event_id
    assert f"/api/event.json?{urlencode({'id': event_id})}" in found


def test_a_line_of_ten_megabytes_is_cut_and_says_so(hostile: Served, watched: Watched) -> None:
    watched.page.goto(f"{hostile.url}/events/long%20line")
    assert "characters more" in watched.page.locator("article.diff pre").text_content()
    assert len(watched.page.content()) < 1_000_000


def test_a_filter_of_hostile_names_comes_back_as_it_was(hostile: Served, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{hostile.url}/events")
    page.locator("select[name=arena]").select_option(PLANTED[0])
    with page.expect_navigation():
        page.get_by_role("button", name="Filter").click()
    assert page.locator("p[role=status]").text_content().startswith("1 pair")
    assert page.locator("select[name=arena]").input_value() == PLANTED[0]
    _check(page)


def test_a_category_with_markup_can_be_turned_on(hostile: Served, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{hostile.url}/frontier")
    boxes = page.locator("input[name=high_value][type=checkbox]")
    values = boxes.evaluate_all("found => found.map(box => box.value)")
    place = next(number for number, value in enumerate(values) if "onerror" in value)
    with page.expect_response(lambda answer: "/frontier?" in answer.url):
        boxes.nth(place).check()
    page.locator("#turned p", has_text="Simulated").first.wait_for()
    _check(page)
