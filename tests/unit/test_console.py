"""The renderings: raw for machines, shown for people, harmless for terminals, spreadsheets and pages."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.console import Column, Console, Format, Output, Result, Table, chosen_format, sanitize, write_file
from cascade_cli.console.progress import progress_lines
from cascade_cli.console.rendering import csv_lines, envelope, json_document, json_lines, markdown, plain
from cascade_cli.errors import DependencyError, UsageError

RAW = {"key": {"hash": "f1e0ff"}, "rate": 0.1 + 0.2, "n": None, "ok": True}
COLUMNS = (Column("key.hash", "hash"), Column("rate", "rate", show=lambda rate: f"{rate:.2f}", align="right"))
ANY_TEXT = st.text(st.characters(codec=None))


def result(*records: dict[str, object], columns: tuple[Column, ...] = COLUMNS) -> Result:
    return Result({"records": list(records)}, blocks=(Table(columns, records, "A title"),))


@given(text=ANY_TEXT)
def test_sanitised_text_has_no_control_format_or_lone_surrogate_but_the_joiners(text: str) -> None:
    allowed = {"\u200c", "\u200d", "\u00ad"}
    for character in set(sanitize(text)) - allowed:
        name = unicodedata.category(character)
        assert name not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }


@given(text=st.text("abc äöü 事件 🙂 العربية \u200d"))
def test_harmless_text_of_any_script_stays_as_it_is(text: str) -> None:
    assert sanitize(text) == text


@given(document=st.recursive(ANY_TEXT | st.integers() | st.none() | st.booleans(), st.lists, max_leaves=8))
def test_json_comes_back_as_it_was_and_steers_nothing(document: object) -> None:
    text = json_document(document)
    assert json.loads(text) == document
    assert sanitize(text.replace("\n", "")) == text.replace("\n", "")


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_in_json_keep_every_digit(number: float) -> None:
    assert json.loads(json_document(number)) == number


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_document({"rate": number})


def test_json_writes_moments_paths_decimals_and_sets() -> None:
    document = {
        "at": datetime(2026, 6, 18, tzinfo=UTC),
        "path": Path("a/b"),
        "rate": Decimal("0.05"),
        "set": {"b", "a"},
    }
    written = {"at": "2026-06-18T00:00:00+00:00", "path": "a/b", "rate": "0.05", "set": ["a", "b"]}
    assert json.loads(json_document(document)) == written


def test_the_envelope_has_exactly_its_fields() -> None:
    assert envelope("score", Result({"n": 1}, run_id="r1", partial=True, warnings=("w",), gate={"passed": True})) == {
        "schema_version": 1, "command": "score", "run_id": "r1", "status": "ok", "partial": True, "data": {"n": 1},
        "warnings": ["w"], "gate": {"passed": True},
    }  # fmt: skip


def test_people_see_rounded_figures_and_machines_raw_ones() -> None:
    shown = "".join(plain(result(RAW)))
    assert "0.30" in shown
    assert repr(0.1 + 0.2) not in shown
    assert json.loads("".join(json_lines(result(RAW)))) == RAW


def test_csv_flattens_and_leaves_undefined_empty() -> None:
    assert "".join(csv_lines(result(RAW))) == "key.hash,rate,n,ok\nf1e0ff,0.30000000000000004,,true\n"


def test_csv_without_records_still_has_a_header() -> None:
    assert "".join(csv_lines(result())) == "key.hash,rate\n"


@given(text=ANY_TEXT.filter(lambda text: "\0" not in text))
def test_csv_cells_come_back_and_are_never_formulas(text: str) -> None:
    rows = list(csv.reader(io.StringIO("".join(csv_lines(result({"text": text, "n": -1.5}))), newline="")))
    cell, number = rows[1]
    assert cell in {text, f"'{text}"}
    assert not cell.startswith(("=", "+", "-", "@"))
    assert number == "-1.5"


@given(text=ANY_TEXT)
def test_a_markdown_cell_never_breaks_its_row_or_opens_a_tag(text: str) -> None:
    columns = (Column("text", "text"), Column("n", "n"))
    lines = "".join(markdown(result({"text": text, "n": 1}, columns=columns))).split("\n")
    assert lines[2:4] == ["| text | n |", "| --- | --- |"]
    assert lines[4].endswith(" | 1 |")
    assert "<" not in lines[4]
    assert lines[5:] == ["", ""]


def test_jsonl_and_csv_stream_an_endless_table() -> None:
    def endless() -> object:
        while True:
            yield RAW

    for lines in (json_lines, csv_lines):
        table = Table(COLUMNS, endless())  # type: ignore[arg-type]
        stream = lines(Result(None, blocks=("text", table)))
        assert [next(stream) for _ in range(3)][-1] == [next(stream) for _ in range(3)][-1]


@pytest.mark.parametrize(
    ("json_flag", "named", "path", "expected"),
    [
        (False, None, None, Format.TABLE),
        (True, None, None, Format.JSON),
        (True, Format.JSON, None, Format.JSON),
        (False, None, Path("a.JSONL"), Format.JSONL),
        (False, Format.CSV, Path("a.txt"), Format.CSV),
        (True, None, Path("a.csv"), Format.JSON),
        (False, Format.MD, Path("no-suffix"), Format.MD),
    ],
)
def test_the_named_format_wins_over_the_suffix(
    *, json_flag: bool, named: Format | None, path: Path | None, expected: Format
) -> None:
    assert chosen_format(json=json_flag, named=named, path=path) is expected


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")

    def breaks_off() -> object:
        yield "half"
        raise OSError(28, "No space left on device")

    with pytest.raises(DependencyError, match="No space left"):
        write_file(target, breaks_off())  # type: ignore[arg-type]
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    write_file(target, ["new"])
    assert target.read_text() == "new"


def test_writing_into_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match="No such file or directory"):
        write_file(tmp_path / "absent" / "a.json", ["x"])


def test_progress_off_a_terminal_speaks_once_in_thirty_seconds() -> None:
    said: list[str] = []
    clock = iter([0.0, 10.0, 31.0, 40.0, 61.5])
    with progress_lines("scoring", 1000, said.append, clock=lambda: next(clock)) as advance:
        for _ in range(4):
            advance(100)
    assert said == ["scoring: 200 of 1,000, 6 a second", "scoring: 400 of 1,000, 7 a second"]


def test_quiet_silences_notes_and_progress_but_not_warnings() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(Output(quiet=True), out, err)
    console.note("note")
    console.detail("detail")
    with console.progress("work", 3) as advance:
        advance()
    console.warn("mind this")
    assert (out.getvalue(), err.getvalue()) == ("", "warning: mind this\n")


def test_details_are_said_only_when_asked_for() -> None:
    for verbosity, said in ((0, ""), (1, "detail\n")):
        err = io.StringIO()
        Console(Output(verbosity=verbosity), io.StringIO(), err).detail("detail")
        assert err.getvalue() == said


def test_an_unknown_suffix_names_those_that_are_known() -> None:
    with pytest.raises(UsageError) as caught:
        chosen_format(json=False, named=None, path=Path("a.xlsx"))
    assert ".csv" in str(caught.value.hint)


def test_columns_without_headings_have_no_empty_line_for_them() -> None:
    columns = (Column("what", ""), Column("amount", "", align="right"))
    shown = "".join(plain(result({"what": "calls", "amount": 3}, columns=columns)))
    assert [line.strip() for line in shown.splitlines()] == ["A title", "calls   3", ""]
