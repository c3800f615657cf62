"""Rows from JSON Lines (plain, gzip, zstd, standard input) and Parquet, told apart by their first bytes."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cascade_cli.errors import UsageError
from cascade_cli.records import BadRow, Row
from cascade_cli.sources.decoding import decode_json
from cascade_cli.sources.fields import row_or_bad, type_name
from cascade_cli.sources.lines import numbered_lines
from cascade_cli.sources.parquet import read_parquet
from cascade_cli.sources.streams import PARQUET, foreign_format, open_input, read_head, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

STANDARD_INPUT: Final = "-"
MAX_LINE_BYTES: Final = 16 * 1024 * 1024

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_PATIENCE_LINES: Final = 1000
_FORMATS_HINT: Final = "Give JSON Lines, one object a line (plain, gzip or zstd), or Parquet."
_STRICT_HINT: Final = "Mend or remove it, or leave --strict out to skip and count such rows."


def read_rows(
    location: str | Path, *, max_line_bytes: int = MAX_LINE_BYTES, strict: bool = False
) -> Iterator[Row | BadRow]:
    """Read traces and recorded pairs, lazily, in the order of the file.

    Args:
        location: a path, or ``-`` for standard input.
        max_line_bytes: longest line that is read, in bytes; a longer one is a ``BadRow`` and never held.
        strict: whether the first bad row ends the reading.

    Yields:
        A ``Row``, or a ``BadRow`` for each line that cannot be read; nothing for blank lines or an empty file.

    Raises:
        UsageError: the input cannot be opened, is something else than JSON Lines or Parquet, is cut off (the
            rows before that have been yielded), or, with ``strict``, holds a bad row.
        DependencyError: the disk refuses.
    """
    for row in _read(location, max_line_bytes):
        if strict and isinstance(row, BadRow):
            raise UsageError(f"{row.where}: {row.cause}.", hint=_STRICT_HINT)
        yield row


def _read(location: str | Path, max_line_bytes: int) -> Iterator[Row | BadRow]:
    path = None if location == STANDARD_INPUT else Path(location)
    name = "standard input" if path is None else str(path)
    stream = open_input(path)
    with stream if path else nullcontext():
        head = read_head(stream, name)
        if foreign := foreign_format(head):
            raise UsageError(f"{name} seems to be {foreign}.", hint=_FORMATS_HINT)
        if not head.startswith(PARQUET):
            yield from _json_lines(head, stream, name, max_line_bytes)
        elif path is None:
            raise UsageError("Parquet cannot be read from standard input.", hint="Give the file's path.")
        else:
            yield from read_parquet(path)


def _json_lines(head: bytes, rest: BinaryIO, name: str, max_line_bytes: int) -> Iterator[Row | BadRow]:
    seen_object = False
    strangers = 0
    for number, line in numbered_lines(unpacked(head, rest), name, max_line_bytes):
        where = f"{name}:{number}"
        if line is None:
            yield BadRow(where, f"the line is longer than {max_line_bytes:,} bytes")
            continue
        text = line.removeprefix(_BYTE_ORDER_MARK).strip() if number == 1 else line.strip()
        if not text:
            continue
        if not seen_object:
            seen_object = text.startswith(b"{") and text != b"{"
            strangers += not seen_object
            _refuse_other_formats(text, name, strangers)
        yield _row_from_line(text, where)
    if strangers and not seen_object:
        raise UsageError(f"{name} holds no JSON object.", hint=_FORMATS_HINT)


def _refuse_other_formats(text: bytes, name: str, strangers: int) -> None:
    """Raise ``UsageError`` where the lines before the first object show that none will come."""
    if strangers == 0:
        return
    if text in (b"[", b"{") or text.startswith((b"[{", b"[ {")):
        hint = "Put each row on a line of its own; `jq -c '.[]?' FILE` does so for an array."
        raise UsageError(f"{name} is one JSON document, not JSON Lines.", hint=hint)
    if b"\0" in text or not _is_utf8(text):
        raise UsageError(f"{name} seems to be a binary file.", hint=_FORMATS_HINT)
    if strangers == _PATIENCE_LINES:
        message = f"{name}: none of the first {strangers:,} lines is a JSON object; it seems to be plain text or CSV."
        raise UsageError(message, hint=_FORMATS_HINT)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _row_from_line(line: bytes, where: str) -> Row | BadRow:
    try:
        fields = decode_json(line.decode())
    except UnicodeDecodeError as error:
        return BadRow(where, f"the line is not UTF-8 at its byte {error.start + 1}")
    except ValueError as error:
        return BadRow(where, f"the line is {error}")
    if not isinstance(fields, dict):
        return BadRow(where, f"the line: expected an object, found {type_name(fields)}")
    return row_or_bad(fields, where)
