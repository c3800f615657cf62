"""Rows from Parquet files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from cascade_cli.errors import UsageError
from cascade_cli.records import BadRow, Event, Row, StudentAnswer
from cascade_cli.sources import read_rows

if TYPE_CHECKING:
    from pathlib import Path

FULL = {
    "event_id": "e1",
    "system_prompt_hash": "f1e0ff",
    "llm_model": "qwen",
    "created_at": "2026-06-18T09:00:00Z",
    "event": {"id": "e1", "arena": "sales", "content": "Hello", "attributes": {"to_emails": ["a@b.c"]}},
    "user_prompt": "[0] Hello",
    "raw_response": '{"entities": []}',
    "llm_chunk_ms": 840.0,
    "student_model": "nuextract-2.0-4b-ft",
    "student_response": "{}",
    "student_ms": 95,
    "unknown": [1],
}


def rows_in(path: Path) -> list[Row]:
    rows = list(read_rows(path))
    assert not [row for row in rows if isinstance(row, BadRow)]
    return [row for row in rows if isinstance(row, Row)]


def bad_rows_in(path: Path) -> list[BadRow]:
    return [row for row in read_rows(path) if isinstance(row, BadRow)]


@pytest.fixture
def table_path(tmp_path: Path) -> Path:
    return tmp_path / "rows.data"


def test_a_parquet_file_gives_the_rows_of_the_same_lines(table_path: Path) -> None:
    path = table_path.with_name("rows.jsonl")
    records = [
        {**FULL, "event_id": f"e{number}", "created_at": datetime(2026, 6, 18, 9, tzinfo=UTC)} for number in range(9)
    ]
    pl.DataFrame(records).write_parquet(table_path)
    path.write_text("\n".join(json.dumps(record, default=str) for record in records))
    assert rows_in(table_path) == rows_in(path)


def test_more_rows_than_a_batch_are_read_in_order(table_path: Path) -> None:
    ids = [f"e{number}" for number in range(20_000)]
    pl.DataFrame({"event_id": ids, "raw_response": "{}", "other": 1}).write_parquet(table_path)
    assert [row.trace.event_id for row in rows_in(table_path)] == ids


def test_in_a_parquet_file_a_student_without_name_and_answer_was_not_asked(table_path: Path) -> None:
    students = {"student_model": [None, "m", None, "m"], "student_response": [None, None, "{}", "{}"]}
    pl.DataFrame({"event_id": [1, 2, 3, 4], "raw_response": "{}", **students}).write_parquet(table_path)
    assert [row.answer for row in rows_in(table_path)] == [
        None,
        StudentAnswer("2", None, "m"),
        StudentAnswer("3", "{}"),
        StudentAnswer("4", "{}", "m"),
    ]


def test_in_a_parquet_file_an_event_may_be_a_json_text(table_path: Path) -> None:
    event = '{"arena": "sales", "attributes": {"k": null}}'
    pl.DataFrame({"event_id": "e1", "raw_response": "{}", "event": event}).write_parquet(table_path)
    [row] = rows_in(table_path)
    assert row.trace.event == Event("e1", "sales", attributes={"k": None}, participant_set=("sales",))


def test_null_keys_of_parquet_structs_are_absent(table_path: Path) -> None:
    responses = [{"entities": ["a"], "facts": None}, {"entities": None, "facts": ["b"]}]
    pl.DataFrame({"event_id": ["e1", "e2"], "raw_response": responses}).write_parquet(table_path)
    assert [row.trace.raw_response for row in rows_in(table_path)] == ['{"entities": ["a"]}', '{"facts": ["b"]}']


def test_a_bad_row_of_a_parquet_file_is_named_by_its_number(table_path: Path) -> None:
    pl.DataFrame({"event_id": ["e1", None], "raw_response": ["{}", "{}"]}).write_parquet(table_path)
    assert bad_rows_in(table_path) == [BadRow(f"{table_path}:2", "event_id: expected text, found null")]


def test_a_parquet_file_without_a_required_column_is_refused(table_path: Path) -> None:
    pl.DataFrame({"event": ["e1"], "raw_response": ["{}"]}).write_parquet(table_path)
    with pytest.raises(UsageError, match="has no column event_id; it has event, raw_response"):
        list(read_rows(table_path))


def test_an_empty_parquet_file_yields_nothing(table_path: Path) -> None:
    pl.DataFrame({"event_id": [], "raw_response": []}).write_parquet(table_path)
    assert list(read_rows(table_path)) == []


def test_a_truncated_parquet_file_is_refused(table_path: Path) -> None:
    pl.DataFrame({"event_id": ["e1"], "raw_response": ["{}"]}).write_parquet(table_path)
    table_path.write_bytes(table_path.read_bytes()[:-20])
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        list(read_rows(table_path))


def test_a_parquet_file_with_brackets_in_its_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows[1]*.parquet"
    pl.DataFrame({"event_id": ["e1"], "raw_response": ["{}"]}).write_parquet(path)
    assert len(rows_in(path)) == 1
