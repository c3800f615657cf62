"""Rows from files: what is read, what is reported, what is refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.records import BadRow, Event, Row, StudentAnswer, Trace
from cascade_cli.sources import read_rows

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
LEAST = {"event_id": "e1", "raw_response": "{}"}


def line_of(**fields: object) -> bytes:
    return json.dumps({**LEAST, **fields}).encode() + b"\n"


def rows_in(path: Path) -> list[Row]:
    rows = list(read_rows(path))
    assert not [row for row in rows if isinstance(row, BadRow)]
    return [row for row in rows if isinstance(row, Row)]


def bad_rows_in(path: Path) -> list[BadRow]:
    return [row for row in read_rows(path) if isinstance(row, BadRow)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_every_field_of_a_line_is_read(path: Path) -> None:
    path.write_text(json.dumps(FULL))
    [row] = rows_in(path)
    assert row.trace == Trace(
        event_id="e1",
        raw_response='{"entities": []}',
        trace_id=row.trace.trace_id,
        system_prompt_hash="f1e0ff",
        llm_model="qwen",
        user_prompt="[0] Hello",
        llm_ms=840.0,
        created_at=datetime(2026, 6, 18, 9, tzinfo=UTC),
        event=Event("e1", "sales", "Hello", {"to_emails": ["a@b.c"]}, participant_set=("sales",)),
    )
    assert row.answer == StudentAnswer("e1", "{}", "nuextract-2.0-4b-ft", student_ms=95.0)


def test_only_event_id_and_raw_response_are_required(path: Path) -> None:
    path.write_bytes(line_of())
    [row] = rows_in(path)
    assert (row.trace.event_id, row.trace.raw_response, row.trace.event, row.answer) == ("e1", "{}", None, None)


def test_blank_lines_carriage_returns_and_a_byte_order_mark_are_passed_over(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + line_of() + b"\r\n  \n" + line_of(event_id="e2").replace(b"\n", b"\r\n"))
    assert [row.trace.event_id for row in rows_in(path)] == ["e1", "e2"]


def test_a_last_line_needs_no_line_break(path: Path) -> None:
    path.write_bytes(line_of() + line_of().strip())
    assert len(rows_in(path)) == 2


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_yields_nothing(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert list(read_rows(path)) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"not json", "the line is not JSON at character 1"),
        (b'{"event_id": "e1", "raw', "the line is not JSON at character 20: Unterminated string"),
        (b"null", "the line: expected an object, found null"),
        (b"3", "the line: expected an object, found a number"),
        (b'["event_id"]', "the line: expected an object, found a list"),
        (b'{"event_id": "\xff"}', "the line is not UTF-8 at its byte 15"),
        (b'{"event_id": ' + b"9" * 5000 + b"}", "the line is not readable: a number in it has too many digits"),
        (b'{"a":' * 101 + b"{}" + b"}" * 101, "the line is nested deeper than 100 levels"),
        (b'{"a":' * 100_000, "the line is nested deeper than 100 levels"),
        (b"{}", "event_id: expected text, found null"),
    ],
)
@pytest.mark.parametrize("position", ["first", "last"])
def test_a_bad_line_is_reported_with_its_place_and_hides_no_other(
    path: Path, line: bytes, expected: str, position: str
) -> None:
    lines = [line + b"\n", line_of()] if position == "first" else [line_of(), line]
    path.write_bytes(b"".join(lines))
    number = 1 if position == "first" else 2
    [bad] = bad_rows_in(path)
    assert bad.where == f"{path}:{number}"
    assert bad.cause.startswith(expected)
    assert sum(isinstance(row, Row) for row in read_rows(path)) == 1


def test_a_bad_row_never_shows_content(path: Path) -> None:
    path.write_bytes(b'{"event_id": "secret", "raw_response": ["secret"]}\n{"secret\n')
    assert not [bad for bad in bad_rows_in(path) if "secret" in bad.cause]


def test_strict_reading_ends_at_the_first_bad_line(path: Path) -> None:
    path.write_bytes(line_of() + b"{}\n" + line_of())
    rows = read_rows(path, strict=True)
    assert isinstance(next(rows), Row)
    with pytest.raises(UsageError, match=r"rows\.jsonl:2: event_id: expected text") as raised:
        next(rows)
    assert raised.value.hint is not None


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_fifty_megabytes_is_reported_without_being_held(path: Path, packed: bool) -> None:
    content = b'{"raw_response": "' + b"a" * 50_000_000 + b'"}\n' + line_of(event_id="after")
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    del content
    tracemalloc.start()
    bad, good = read_rows(path, max_line_bytes=1_000_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bad == BadRow(f"{path}:1", "the line is longer than 1,000,000 bytes")
    assert isinstance(good, Row)
    assert good.trace.event_id == "after"
    assert peak_bytes < 10_000_000


@pytest.mark.parametrize("length", [99, 100, 101])
def test_the_longest_line_is_counted_without_its_line_break(path: Path, length: int) -> None:
    line = line_of(user_prompt="")[:-1]
    line = line.replace(b'"user_prompt": ""', b'"user_prompt": "' + b"a" * (length - len(line)) + b'"')
    path.write_bytes(line + b"\n" + line)
    assert [isinstance(row, BadRow) for row in read_rows(path, max_line_bytes=100)] == [length > 100] * 2


def test_a_packed_file_is_known_by_its_content_not_its_name(path: Path) -> None:
    path.write_bytes(gzip.compress(line_of()) + gzip.compress(line_of()))
    assert len(rows_in(path)) == 2


def test_a_truncated_gzip_file_yields_its_whole_lines_and_then_says_where_it_ends(path: Path) -> None:
    lines = [line_of(event_id=f"e{number}", user_prompt=os.urandom(200).hex()) for number in range(2000)]
    whole = gzip.compress(b"".join(lines))
    path.write_bytes(whole[: len(whole) // 2])
    rows: list[Row | BadRow] = []
    with pytest.raises(UsageError) as raised:
        rows.extend(iterate_into(rows, path))
    assert 900 < len(rows) < 1100
    assert f"cannot be unpacked after line {len(rows)}: it is cut off" in raised.value.message


def iterate_into(rows: list[Row | BadRow], path: Path) -> list[Row | BadRow]:
    for row in read_rows(path):
        rows.append(row)  # noqa: PERF402 - what was read before the error is looked at
    return []


@pytest.mark.parametrize("kept", [3, 9, 12])
def test_a_gzip_file_cut_off_in_its_head_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(gzip.compress(line_of())[:kept])
    with pytest.raises(UsageError, match="after line 0"):
        list(read_rows(path))


def test_a_damaged_gzip_file_is_refused(path: Path) -> None:
    whole = bytearray(gzip.compress(line_of() * 100))
    whole[15:25] = b"\xff" * 10
    path.write_bytes(whole)
    with pytest.raises(UsageError, match="it is damaged"):
        list(read_rows(path))


def zstandard_compress(content: bytes) -> bytes:
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    compressed: bytes = pytest.importorskip(name).compress(content)
    return compressed


def test_a_zstandard_file_is_read_and_a_truncated_one_refused_after_its_lines(path: Path) -> None:
    packed = zstandard_compress(line_of() * 1000)
    path.write_bytes(packed)
    assert len(rows_in(path)) == 1000
    path.write_bytes(packed[:-3])
    with pytest.raises(UsageError, match="it is cut off"):
        list(read_rows(path))
    path.write_bytes(packed[:4] + b"\xff" * 50)
    with pytest.raises(UsageError, match="it is damaged"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PK\x03\x04rest", "seems to be a zip archive or a spreadsheet"),
        (b"SQLite format 3\0", "seems to be an SQLite database"),
        (b"\xff\xfe{\0", "seems to be text in UTF-16"),
        (b"BZh91AY", "seems to be packed with bzip2"),
        (bytes(range(256)) * 10, "seems to be a binary file"),
        (gzip.compress(bytes(range(256)), mtime=0), "seems to be a binary file"),
        (b"\x80\x81\n" * 50, "seems to be a binary file"),
        (b'[\n{"event_id": "e1"}\n]', "is one JSON document, not JSON Lines"),
        (b'[{"event_id": "e1"}]', "is one JSON document, not JSON Lines"),
        (b'{\n"event_id": "e1"\n}', "is one JSON document, not JSON Lines"),
        (b"event_id,raw_response\n" + b"e1,a\n" * 2000, "it seems to be plain text or CSV"),
        (b"event_id,raw_response\ne1,a\n", "holds no JSON object"),
    ],
)
def test_what_is_not_json_lines_is_named(path: Path, content: bytes, expected: str) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        list(read_rows(path))
    assert expected in raised.value.message
    assert raised.value.hint is not None


def test_a_file_that_cannot_be_opened_is_refused_with_a_hint(tmp_path: Path) -> None:
    for path, expected in ((tmp_path / "none.jsonl", "there is no such file"), (tmp_path, "is a folder")):
        with pytest.raises(UsageError, match=expected) as raised:
            list(read_rows(path))
        assert raised.value.hint is not None


def test_what_is_no_path_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="is not a path"):
        list(read_rows("rows\0.jsonl"))


def test_a_disk_that_fails_is_no_fault_of_the_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FailingDisk(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

        read1 = read

    monkeypatch.setattr(Path, "open", lambda *_: FailingDisk(line_of()))
    with pytest.raises(DependencyError, match=r"reading fails after line 0: .*Input/output error"):
        list(read_rows(path))


def test_a_file_without_permission_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # The tests may run as root, for whom every file can be read.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match="may not be read"):
        list(read_rows(path))


READ_STANDARD_INPUT = """
from cascade_cli.sources import read_rows
for row in read_rows("-"):
    print(type(row).__name__, getattr(row, "where", ""))
"""


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_is_read_plain_or_packed(packed: bool) -> None:
    content = line_of() + b"3\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ_STANDARD_INPUT],
        input=gzip.compress(content) if packed else content,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.decode().splitlines() == ["Row ", "BadRow standard input:2"]


def test_rows_are_read_one_at_a_time(path: Path) -> None:
    path.write_bytes(line_of() * 20_000)
    tracemalloc.start()
    count = sum(1 for _ in read_rows(path))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak_bytes < 2_000_000
