"""Rows from a Parquet file, a batch at a time, so that memory does not grow with the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cascade_cli.errors import UsageError
from cascade_cli.sources.fields import COLUMNS, row_or_bad

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from cascade_cli.records import BadRow, Row

_BATCH_ROWS: Final = 8192
_REQUIRED: Final = ("event_id", "raw_response")


def read_parquet(path: Path) -> Iterator[Row | BadRow]:
    """Read the rows of a Parquet file; columns that a row does not have are left alone.

    Raises:
        UsageError: the file is damaged, or lacks a required column.
    """
    number = 0
    for batch in _batches(path):
        for record in batch.iter_rows(named=True):
            number += 1
            yield _row_from_record(record, f"{path}:{number}")


def _batches(path: Path) -> Iterator[pl.DataFrame]:
    start = 0
    while (batch := _batch(path, start)).height:
        yield batch
        start += batch.height


def _batch(path: Path, start: int) -> pl.DataFrame:
    # Half of the time a command takes to start, and most inputs are not Parquet.
    import polars as pl

    try:
        # The path is a name, not a pattern: brackets and stars stand for themselves.
        table = pl.scan_parquet(path, glob=False)
        columns = table.collect_schema().names()
        _require(path, columns)
        return table.select(name for name in columns if name in COLUMNS).slice(start, _BATCH_ROWS).collect()
    except pl.exceptions.PolarsError as error:
        message = f"{path} cannot be read as Parquet after row {start}: {_first_line(error)}."
        raise UsageError(message, hint="Fetch or write the file again.") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _require(path: Path, columns: list[str]) -> None:
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        message = f"{path} has no column {' and no column '.join(missing)}; it has {', '.join(columns)}."
        raise UsageError(message, hint="Rename the columns that hold them.")


def _row_from_record(record: dict[str, object], where: str) -> Row | BadRow:
    # A table cannot leave a key out: a student with neither name nor answer was not asked.
    fields = {name: _without_nulls(value) for name, value in record.items() if value is not None}
    if "student_model" in fields and "student_response" in record:
        fields.setdefault("student_response", None)
    return row_or_bad(fields, where)


def _without_nulls(value: object) -> object:
    """Drop what a struct says nothing about: its keys stand in every row, as null where they are absent."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
