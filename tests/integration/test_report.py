"""``cascade report``: its figures are the commands' own, hostile text stays text, nothing redacted is left over."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from saying import Saying

from cascade_cli import app
from cascade_cli.demonstration import fixture

PAIRS = str(fixture("pairs.jsonl.gz"))
VOID = {"meta", "link", "br"}
HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</pre></title></style></script><img src=x onerror='window.hacked = 2'>",
    '"><svg onload="window.hacked = 3">',
    "javascript:window.hacked=4",
    "{{ 7 * 7 }}{% raw %}{{ config }}",
    "--></noscript><iframe srcdoc='x'>",
    "\u202eright to left\u202c \x00 nul \x1b[31m escape \ud83d\ude00",
    "@someone #1 GH-2 owner/repo#3 https://leaves.example www.leaves.example someone@leaves.example",
    "| a | b |\n| --- |\n`tick` ``two`` [link](http://x.example) @someone **bold** <b>",
    "` <b>one tick</b> [link](http://x.example)",
    "```\n</details><b>a fence</b> [link](http://x.example)\n```",
    "x" * 10_000,
]


class Structure(HTMLParser):
    """The elements and attributes of a page, and whether they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.headings: list[int] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def structure(page: str) -> Structure:
    parsed = Structure()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    return parsed


def pair(number: int, text: str, **more: Any) -> str:
    """A recorded pair whose every word is the same text."""
    gold = {
        "entities": [{"type": text, "name": text, text: text}, {"name": "Acme"}],
        "facts": [{"category": text, "statement": text, "subject": text, "predicate": text, "object": text}],
        "relationships": [{"source": text, "type": text, "target": "Acme"}],
    }
    predicted = {"entities": [{"type": text, "name": f"not {text}"}, {"name": "Acme"}], "facts": [text]}
    event = {
        "id": f"e{number}",
        "arena": text,
        "content": f"{text}\nsecond line {text}",
        "attributes": {"author": text},
    }
    line = {
        "event_id": f"e{number}", "system_prompt_hash": text, "created_at": "2026-06-18T09:00:00Z", "event": event,
        "raw_response": gold, "student_model": text, "student_response": predicted, "llm_chunk_ms": 10.0, **more,
    }  # fmt: skip
    return json.dumps(line) + "\n"


def agreeing_pairs(number: int) -> list[str]:
    """Recorded pairs of two equal answers under one prompt."""
    said = {"entities": [{"name": "Acme"}]}
    return [
        json.dumps(
            {
                "event_id": f"e{n}", "system_prompt_hash": "one", "created_at": f"2026-06-{n % 28 + 1:02}T09:00:00Z",
                "raw_response": said, "student_response": said, "event": {"id": f"e{n}", "content": "Acme"},
            }
        ) + "\n"
        for n in range(number)
    ]  # fmt: skip


def write(path: Path, lines: list[str]) -> str:
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def data_of(say: Saying, *arguments: str) -> Any:
    """The ``data`` that a command prints as JSON."""
    return say(*arguments)[1]


@pytest.fixture
def reported(say: Saying, tmp_path: Path) -> tuple[dict[str, Any], str]:
    """The document and the page of the shipped examples."""
    found = data_of(say, "report", PAIRS, "-o", "page.html")
    return found, (tmp_path / "page.html").read_text(encoding="utf-8")


def test_every_figure_is_that_of_the_command_that_shows_it(say: Saying, reported: tuple[dict[str, Any], str]) -> None:
    figures = reported[0]["figures"]
    scored = data_of(say, "score", PAIRS, "--by-prompt-hash")
    assert figures["score"] == scored
    by_day = data_of(say, "score", PAIRS, "--by", "day")["groups"]
    assert figures["days"] == [{"key": day["key"], "agreement": day["agreement"]} for day in by_day]
    rates = ("--sample-rate", "0.05", "--sample-rate", "0:0.5:0.05")
    simulated = data_of(say, "simulate", PAIRS, *rates, "--fleet", "--target-residual", "0.05")
    assert figures["simulation"] == simulated
    assert figures["monitor"] == data_of(say, "monitor", PAIRS, "--sample-rate", "1")


QUESTIONS = [
    [],
    ["--since", "2026-06-10", "--preset", "strict", "--floor", "0.8", "--target-residual", "0.1"],
    ["--vip-arena", "sales,hr", "--high-value", "decision", "--salt", "another one", "--burn-in-events", "50"],
    ["--sample-rate", "0.1", "--sample-rate", "0.2", "--without-gate", "student_empty", "--cluster-by", "arena"],
    ["--verifier-threshold", "0.5", "--cost", "fleet.usd_per_hour=2", "--cost", "cost.student_usd_per_hour=0.5"],
]


@pytest.mark.parametrize("flags", QUESTIONS)
def test_the_commands_on_the_page_print_its_figures(say: Saying, tmp_path: Path, flags: list[str]) -> None:
    with gzip.open(PAIRS, "rt", encoding="utf-8") as file:
        source = write(tmp_path / "some pairs.jsonl", list(file)[::4])
    found = data_of(say, "report", source, *flags, "-o", "page.html")
    page = structure((tmp_path / "page.html").read_text(encoding="utf-8"))
    printed = [printed_by(say, line) for line in commands_on(page)]
    told = "".join(page.text)
    assert ("without the gates" in told) is ("without the gates student_empty." in told) is ("--without-gate" in flags)
    assert ("the first 50 of a prompt all sampled" in told) is ("--burn-in-events" in flags)
    figures = found["figures"]
    days = [{"key": day["key"], "agreement": day["agreement"]} for day in printed[1]["groups"]]
    assert (printed[0], days) == (figures["score"], figures["days"])
    assert (printed[2], printed[3]) == (figures["simulation"], figures["monitor"])


def commands_on(page: Structure) -> list[str]:
    """The commands of a page that print its figures again."""
    lines = [line for line in page.text if re.search("cascade (score|simulate|monitor) .* --json$", line)]
    assert len(lines) == 4
    return lines


def printed_by(say: Saying, line: str) -> Any:
    """The data of a command as a shell would run it."""
    words = shlex.split(line)
    place = words.index("cascade")
    with pytest.MonkeyPatch.context() as patch:
        for word in words[:place]:
            patch.setenv(*word.split("=", 1))
        return data_of(say, *words[place + 1 : -1])


def test_the_worst_events_are_told_as_their_explanation_tells_them(
    say: Saying, reported: tuple[dict[str, Any], str]
) -> None:
    worst = reported[0]["figures"]["worst"]
    assert len(worst) == 10
    assert [event["agreement"] for event in worst] == sorted(event["agreement"] for event in worst)
    for event in worst[:3]:
        (explained,) = data_of(say, "score", PAIRS, "--explain", event["event_id"])["explanations"]
        pairs = [each for section in explained["sections"].values() for each in section]
        assert event["agreement"] == explained["agreement"]
        assert event["equal"] == sum(each["strict"] for each in pairs)
        differing = sorted(each["kind"] for each in pairs if not each["strict"])
        assert sorted(each["kind"] for each in event["pairs"]) == differing


def test_kinds_by_section_are_those_that_the_explanations_tell(say: Saying) -> None:
    told = data_of(say, "score", PAIRS, "--explain-all")["explanations"]
    counted = Counter((each["section"], each["kind"]) for event in told for each in event["differences"])
    found = data_of(say, "score", PAIRS)["total"]["kinds_by_section"]
    for section, kinds in found.items():
        for kind, number in kinds.items():
            assert number == counted.pop((section, kind), 0), (section, kind)
    assert set(counted) == {("", "invalid_json")}


def test_the_page_shows_the_figures_that_the_commands_show(reported: tuple[dict[str, Any], str]) -> None:
    data, page = reported
    total = data["figures"]["score"]["total"]["agreement"]
    assert f"{total['rate']:.1%}" in page
    assert f"{total['low'] * 100:.1f}–{total['high'] * 100:.1f}" in page
    for kind, number in data["figures"]["score"]["total"]["kinds"].items():
        assert not number or f"{kind} {number:,}" in page or f">{kind}<" in page
    assert data["verdict"]["headline"] in page


def test_the_page_is_one_small_file_that_asks_for_nothing(reported: tuple[dict[str, Any], str]) -> None:
    data, page = reported
    assert data["bytes"] == len(page.encode()) < 500_000
    for tag, attributes in structure(page).elements:
        assert tag not in {"img", "iframe", "object", "embed", "form", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name != "style"
            if name in {"src", "href"}:
                assert (value or "").startswith(("#", "data:,"))


def test_the_page_can_be_read_by_everybody(reported: tuple[dict[str, Any], str]) -> None:
    parsed = structure(reported[1])
    assert parsed.headings[0] == 1
    assert all(after - before <= 1 for before, after in zip(parsed.headings, parsed.headings[1:], strict=False))
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in parsed.elements:
        if (named := attributes.get("aria-labelledby")) is not None:
            assert set(named.split()) <= set(ids)
        if tag == "th":
            assert "scope" in attributes
        if tag == "a" and (target := attributes.get("href") or "").startswith("#"):
            assert target[1:] in ids
    assert sum(attributes.get("role") == "img" for _, attributes in parsed.elements) == 2 * 8


@pytest.mark.parametrize("text", HOSTILE)
def test_no_element_or_attribute_comes_from_the_data(say: Saying, tmp_path: Path, text: str) -> None:
    harmless = write(tmp_path / "harmless.jsonl", [pair(1, "word"), pair(2, "word")])
    hostile = write(tmp_path / "hostile.jsonl", [pair(1, text), pair(2, text)])
    pages = []
    for source in (harmless, hostile):
        status, _, _ = say("report", source, "-o", "page.html")
        assert status == 0
        pages.append((tmp_path / "page.html").read_text(encoding="utf-8"))
    expected, found = ({(tag, *sorted(attributes)) for tag, attributes in structure(page).elements} for page in pages)
    # A text that is cut, or holds no line, may have fewer marks, never more.
    assert found <= expected | {("span", "class"), ("mark", "class")}
    assert len(pages[1]) < 500_000
    assert "x" * 2_001 not in pages[1]
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", pages[1])


def test_an_unexpected_value_of_any_sort_is_shown_as_text(say: Saying, tmp_path: Path) -> None:
    gold = {"entities": [{"name": "A", "x": {"<b>": [1, None, True, 1e999]}}, "<i>bare</i>"], "facts": ["<u>"]}
    line = {"event_id": "<b>", "raw_response": json.dumps(gold), "student_response": json.dumps({"entities": ["B"]})}
    status, _, _ = say("report", write(tmp_path / "p.jsonl", [json.dumps(line)]), "-o", "page.html")
    assert status == 0
    assert not {"b", "i", "u"} & {tag for tag, _ in structure((tmp_path / "page.html").read_text()).elements}


def test_markdown_keeps_hostile_text_in_its_place(say: Saying, tmp_path: Path) -> None:
    for text in HOSTILE:
        say("report", write(tmp_path / "p.jsonl", [pair(1, text), pair(2, text)]), "-o", "page.md")
        page = (tmp_path / "page.md").read_text(encoding="utf-8")
        assert len(page) <= 65_536
        outside = without_code(page)
        assert not re.findall(r"@\w|(?<!&)#\d|\bGH-\d|://|\bwww\.", outside)
        assert set(re.findall(r"(?<!\\)<(/?\w+)", outside)) <= {"details", "/details", "summary", "/summary"}
        assert "[link](" not in outside
        rows = [line for line in outside.splitlines() if line.startswith("|")]
        tables = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
        assert all(count >= 3 for count in tables)


def without_code(markdown: str) -> str:
    """What of Markdown is not code, by the rules of CommonMark for fences and spans."""
    prose = re.sub(r"^(`{3,})text\n.*?^\1$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "code", prose)


def test_markdown_has_every_section_and_figure_of_the_page(say: Saying, reported: tuple[dict[str, Any], str]) -> None:
    out = say.table("report", PAIRS, "--format", "md")
    for heading in re.findall(r"<h2[^>]*>([^<]+)</h2>", reported[1]):
        assert f"## {heading.replace('&#39;', chr(39))}" in out
    rate = reported[0]["figures"]["score"]["total"]["agreement"]["rate"]
    assert f"{rate:.1%}" in out


def test_markdown_shows_few_figures_at_once_folds_many_and_says_their_title_once(say: Saying, tmp_path: Path) -> None:
    source = str(fixture("pairs.jsonl.gz"))
    say("report", source, "-o", "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "<details open><summary>Agreement by prompt hash (95 % interval)</summary>\n\n| prompt hash |" in page
    assert "<details><summary>Agreement by day (95 % interval)</summary>\n\n| day |" in page


def test_redaction_leaves_no_word_of_people_or_models(say: Saying, tmp_path: Path) -> None:
    sentinel = "SENTINEL"
    lines = [
        pair(n, f"{sentinel} {n}", event_id=f"{sentinel}-{n}", system_prompt_hash="f1e0ff", student_model="student")
        for n in range(40)
    ]
    source = write(tmp_path / f"{sentinel}.jsonl", lines)
    for form in ("page.html", "page.md"):
        flags = ["--redact", "--vip-arena", f"{sentinel} 1", "--floor", "0.9"]
        status, told, err = say("report", source, *flags, "-o", form)
        assert status == 0
        assert sentinel not in err
        assert sentinel not in json.dumps(told).replace(form, "")
        assert sentinel not in (tmp_path / form).read_text(encoding="utf-8")
    assert told["figures"]["score"]["total"]["kinds"]["missing"] > 0
    assert told["figures"]["worst"][0]["pairs"][0]["kind"]
    assert re.fullmatch("[0-9a-f]{12}", told["figures"]["monitor"]["hashes"][0]["floor_alarm"]["event_id"])


def test_redaction_leaves_no_word_that_somebody_chose(say: Saying, tmp_path: Path) -> None:
    say("pull", write(tmp_path / "p.jsonl", [pair(n, "word") for n in range(3)]), "--workspace", "sentinel")
    (tmp_path / "cascade.toml").write_text('[live]\nmetrics_host = "sentinel.example"\n', encoding="utf-8")
    flags = ["--vip-arena", "sentinel", "--high-value", "sentinel,decision", "--salt", "sentinel"]
    flags += ["--cluster-by", "attributes.sentinel", "--workspace", "sentinel"]
    for form in ("page.html", "page.md"):
        status, told, err = say("report", "--redact", *flags, "-o", form)
        page = (tmp_path / form).read_text(encoding="utf-8")
        assert status == 0
        assert "sentinel" not in (json.dumps(told) + page + err).lower()
        assert "high value: decision, ***" in page.replace("\\*", "*")


def test_without_redaction_the_same_words_are_there(say: Saying, tmp_path: Path) -> None:
    say("report", write(tmp_path / "p.jsonl", [pair(1, "SENTINEL")]), "-o", "page.html")
    assert "SENTINEL" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_without_data_the_page_says_what_to_run(say: Saying, tmp_path: Path) -> None:
    status, _, err = say("report", "-o", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert status == 5
    assert "no recorded pair" in err
    assert "cascade pull --since 7d" in "".join(structure(page).text)
    empty = write(tmp_path / "empty.jsonl", [])
    assert say("report", empty, "-o", "page.html")[0] == 5


def test_without_data_the_page_says_what_was_passed_over_and_why(say: Saying, tmp_path: Path) -> None:
    asked_nobody = {key: value for key, value in json.loads(pair(1, "word")).items() if key != "student_response"}
    lines = [json.dumps({"event_id": "e0"}) + "\n"] * 3 + [json.dumps(asked_nobody) + "\n"] * 2
    source = write(tmp_path / "p.jsonl", lines)
    for flags, warned in ([], True), (["--redact"], False):
        status, _, err = say("report", source, *flags, "-o", "page.html")
        text = " ".join(structure((tmp_path / "page.html").read_text(encoding="utf-8")).text)
        assert (status, "expected text or an object" in err) == (5, warned)
        assert "Passed over: 3 rows that cannot be read" in text
        assert "Passed over: 2 rows without a student's answer" in text
        assert "--since" not in text.partition("Passed over")[2].partition("cascade demo")[0]
    say("report", write(tmp_path / "p.jsonl", [pair(1, "word")]), "--since", "2030-01-01", "-o", "page.html")
    assert "Only what --since" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_newer_prompt_about_which_nobody_asked_the_student_leaves_the_verdict_open(
    say: Saying, tmp_path: Path
) -> None:
    answered = agreeing_pairs(400)
    newer = [
        json.dumps({"event_id": f"n{n}", "system_prompt_hash": "two", "created_at": made, "raw_response": {}}) + "\n"
        for n, made in enumerate(["2026-07-01T09:00:00Z", "2026-07-02T09:00:00Z"])
    ]
    source = write(tmp_path / "p.jsonl", [*newer, *answered])
    say("pull", source)
    for asked in ([source], []):
        found = data_of(say, "report", *asked, "-o", "page.html")
        assert (found["verdict"]["answer"], found["verdict"]["prompt_hash"]) == ("unknown", "two")
        assert "asked about none of its events" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert data_of(say, "report", write(tmp_path / "p.jsonl", answered), "-o", "p.html")["verdict"]["answer"] == "yes"


def test_where_nothing_is_scored_the_page_says_so_and_claims_nothing(say: Saying, tmp_path: Path) -> None:
    lines = [pair(n, "word", raw_response="no extraction {") for n in range(40)]
    status, found, _ = say("report", write(tmp_path / "p.jsonl", lines), "-o", "page.html")
    text = " ".join(structure((tmp_path / "page.html").read_text(encoding="utf-8")).text)
    assert (status, found["verdict"]["answer"]) == (0, "unknown")
    assert text.count("No event is scored") == 2
    for false in ("created_at is missing", "No difference at all", "nan", "None of"):
        assert false not in text


def test_a_trace_of_the_future_makes_the_page_doubt_which_prompt_is_the_newest(say: Saying, tmp_path: Path) -> None:
    for year, doubted in ((2026, False), (2999, True)):
        source = write(tmp_path / "p.jsonl", [pair(1, "word", created_at=f"{year}-01-02T09:00:00Z")])
        say("report", source, "-o", "page.html")
        assert ("a clock was wrong" in (tmp_path / "page.html").read_text(encoding="utf-8")) is doubted


def test_what_the_teacher_reaches_with_itself_stands_beside_the_alarms(say: Saying, tmp_path: Path) -> None:
    (tmp_path / "cascade.toml").write_text("[policy]\nteacher_twice_rate = 1\n", encoding="utf-8")
    again = {"created_at": "2026-06-19T09:00:00Z", "raw_response": {"entities": [{"name": "other"}]}}
    lines = [pair(n, "word", **more) for n in range(2) for more in ({}, again if n else {"created_at": "2026-06-19"})]
    found = data_of(say, "report", write(tmp_path / "p.jsonl", lines), "-o", "page.html")["figures"]["monitor"]
    assert (found["teacher"]["n"], found["teacher"]["self_agreement"]["rate"]) == (2, 0.5)
    assert "The teacher agrees with itself on 50.0%" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_agrees_is_never_shown_among_the_worst(say: Saying, tmp_path: Path) -> None:
    said = {"entities": [{"name": "Acme"}]}
    lines = [pair(n, "word", raw_response=said, student_response=said) for n in range(20)]
    source = write(tmp_path / "p.jsonl", [*lines, pair(99, "word")])
    (event,) = data_of(say, "report", source, "-o", "p.html")["figures"]["worst"]
    assert event["event_id"] == "e99"


def test_hundreds_of_alarms_are_told_in_part_and_counted(say: Saying, tmp_path: Path) -> None:
    lines = [
        pair(n, "word", system_prompt_hash=f"p{n // 30:02}", created_at=f"2026-06-01T{n // 60:02}:{n % 60:02}:00Z")
        for n in range(30 * 40)
    ]
    source = write(tmp_path / "p.jsonl", lines)
    figures = data_of(say, "report", source, "--floor", "0.9", "-o", "page.html")["figures"]
    assert sum(each["floor_alarm"]["alarmed_at_label"] is not None for each in figures["monitor"]["hashes"]) == 40
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("is below the floor: ") <= 25
    assert "like these of earlier prompts are left out" in page
    assert page.count('class="marker-label alarm"') == 2 * 12


def test_events_of_many_long_items_stay_within_what_a_page_bears(say: Saying, tmp_path: Path) -> None:
    long = '"<&' * 200
    lines = []
    for n in range(10):
        gold, predicted = (
            {"entities": [{"name": f"{who} {k}", **{f"f{j}": f"{who}{j}{long}" for j in range(12)}} for k in range(20)]}
            for who in ("a", "zz")
        )
        lines.append(pair(n, long, raw_response=gold, student_response=predicted))
    found = data_of(say, "report", write(tmp_path / "p.jsonl", lines), "-o", "page.html")
    assert found["bytes"] < 500_000
    for event in found["figures"]["worst"]:
        assert event["pairs"]
        assert event["left_out"] == 40 - len(event["pairs"])
    say("report", str(tmp_path / "p.jsonl"), "-o", "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert len(page) <= 65_536
    shown, left_out = page.count("\n### "), int(re.findall(r"(\d+) more events are left out", page)[0])
    assert (shown + left_out, shown > 0) == (10, True)


def test_a_moment_before_all_records_breaks_no_chart(say: Saying, tmp_path: Path) -> None:
    lines = [pair(n, "word", created_at=f"{year:04}-03-01T00:00:00Z") for n, year in enumerate((1, 50, 500, 9999))]
    assert say("report", write(tmp_path / "p.jsonl", lines), "-o", "page.html")[0] == 0


@pytest.mark.parametrize("missing", [[], ["created_at"], ["llm_chunk_ms"], ["event"], ["system_prompt_hash"]])
def test_one_event_is_reported_whatever_it_lacks(say: Saying, tmp_path: Path, missing: list[str]) -> None:
    line = {key: value for key, value in json.loads(pair(1, "word")).items() if key not in missing}
    status, found, _ = say("report", write(tmp_path / "p.jsonl", [json.dumps(line)]), "-o", "page.html")
    assert status == 0
    assert found["verdict"]["answer"] == "unknown"
    structure((tmp_path / "page.html").read_text(encoding="utf-8"))


def test_hundreds_of_prompts_are_drawn_in_part_and_told_in_full(say: Saying, tmp_path: Path) -> None:
    lines = [pair(n, "word", system_prompt_hash=f"hash{n % 300:03}") for n in range(600)]
    status, _, _ = say("report", write(tmp_path / "p.jsonl", lines), "-o", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert status == 0
    assert "largest of 300" in page
    assert len(page) < 500_000


def test_a_text_of_ten_megabytes_is_cut_and_counted(say: Saying, tmp_path: Path) -> None:
    line = json.loads(pair(1, "word"))
    line["event"]["content"] = "y" * 10_000_000
    say("report", write(tmp_path / "p.jsonl", [json.dumps(line)]), "-o", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "9,998,000 characters more" in page
    assert len(page) < 200_000


def test_the_verdict_follows_the_newest_prompt(say: Saying, tmp_path: Path) -> None:
    found = data_of(say, "report", PAIRS, "-o", "page.html")["verdict"]
    assert (found["answer"], found["prompt_hash"]) == ("no", "c40d9e")
    lines = agreeing_pairs(400)
    found = data_of(say, "report", write(tmp_path / "good.jsonl", lines), "-o", "page.html")["verdict"]
    assert (found["answer"], [check["passed"] for check in found["checks"]]) == ("yes", [True, True, True])
    few = data_of(say, "report", write(tmp_path / "few.jsonl", lines[:20]), "-o", "page.html")["verdict"]
    assert few["answer"] == "unknown"


def test_a_workspace_and_its_file_tell_the_same(say: Saying) -> None:
    say("pull", PAIRS)
    ours, theirs = (data_of(say, "report", *source, "-o", "p.html")["figures"] for source in ([], [PAIRS]))
    assert ours["provenance"]["run_id"] is not None
    for name in ("days", "monitor", "worst"):
        assert ours[name] == theirs[name]
    assert ours["score"]["total"] == theirs["score"]["total"]


def test_a_workers_log_is_weighed_as_such(say: Saying, tmp_path: Path) -> None:
    say("simulate", PAIRS, "--sample-rate", "0.05", "--decisions", "decisions.jsonl")
    decisions = map(json.loads, (tmp_path / "decisions.jsonl").read_text(encoding="utf-8").splitlines())
    seen = {line["event_id"] for line in decisions if line["escalate"]}
    with gzip.open(PAIRS, "rt", encoding="utf-8") as file:
        log = write(tmp_path / "log.jsonl", [line for line in file if json.loads(line)["event_id"] in seen])
    figures = data_of(say, "report", log, "-o", "page.html")["figures"]
    rates = ("--sample-rate", "0.05", "--sample-rate", "0:0.5:0.05")
    weighed = data_of(say, "simulate", log, "--logged-rate", "0.05", *rates, "--target-residual", "0.05")
    assert figures["simulation"] == weighed
    assert figures["monitor"] == data_of(say, "monitor", log, "--sample-rate", "0.05")
    page = structure((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "worker's log" in "".join(page.text)
    printed = [printed_by(say, line) for line in commands_on(page)[2:]]
    assert printed == [figures["simulation"], figures["monitor"]]


def test_answers_of_several_students_are_told_apart_first(say: Saying, tmp_path: Path) -> None:
    source = write(tmp_path / "p.jsonl", [pair(1, "word", student_model="a"), pair(1, "word", student_model="b")])
    status, _, err = say("report", source, "-o", "page.html")
    assert (status, "--student-model" in err) == (2, True)
    assert not (tmp_path / "page.html").exists()
    assert data_of(say, "report", source, "--student-model", "b", "-o", "page.html")["figures"]["score"]["pairs"] == 1


def test_the_page_goes_where_it_was_asked_to(say: Saying, tmp_path: Path) -> None:
    source = write(tmp_path / "p.jsonl", [pair(1, "word")])
    out = say.table("report", source)
    (made,) = (tmp_path / "reports").iterdir()
    assert f"reports/{made.name}" in out
    assert say.table("report", source, "--format", "html").startswith("<!doctype html>")
    status, _, err = say("report", "-", "-o", "page.html")
    assert (status, "twice" in err) == (2, True)


@pytest.mark.parametrize("form", [["--format", "csv"], ["-o", "page.jsonl"]])
def test_a_form_that_a_report_has_not_is_refused_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, form: list[str]
) -> None:
    source = write(tmp_path / "p.jsonl", [pair(1, "word")])
    assert app.run(["report", source, *form]) == 2
    assert "no table" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["p.jsonl"]


def test_a_report_reads_its_pairs_twice_which_standard_input_cannot(say: Saying) -> None:
    status, _, err = say("report", "-")
    assert (status, "standard input" in err) == (2, True)


def test_a_folder_that_cannot_be_made_is_told_with_a_way_out(say: Saying, tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    status, _, err = say("report", write(tmp_path / "p.jsonl", [pair(1, "word")]))
    assert (status, "reports" in err, "-o FILE.html" in err) == (4, True, True)


def test_the_committed_example_is_what_its_command_makes(say: Saying, tmp_path: Path) -> None:
    (tmp_path / "fixtures").symlink_to(Path(PAIRS).parent)
    say("report", "fixtures/pairs.jsonl.gz", "-o", "example.html")
    made, committed = (
        undated("".join(structure(page.read_text(encoding="utf-8")).text).partition("How far the student")[2])
        for page in (tmp_path / "example.html", Path(__file__).parents[2] / "reports" / "example.html")
    )
    assert made == committed, "make it again: cascade report fixtures/pairs.jsonl.gz -o reports/example.html"


def undated(text: str) -> str:
    """A text without the moment at which its page was made, and without the script at its end."""
    made = re.search(r"Made (\S+ \S+) UTC", text)
    assert made is not None
    return re.sub(rf"{made[1]}(:\d\d)?", "then", text.partition('"use strict"')[0])
