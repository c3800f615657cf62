"""The cache of scores: frames of figures in, frames of figures out, through a temporary Parquet file.

DuckDB and polars exchange frames directly only through pyarrow, which is larger than both; Parquet they
both speak.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from cascade_cli.workspace.database import QUERIES, change, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import duckdb

    Connected = AbstractContextManager[duckdb.DuckDBPyConnection]

STRETCH: Final = 200_000
"""Rows that are read at a time: reading takes half a second, and a writer waits for it."""
KEY_COLUMNS: Final = ("trace_id", "student_model", "prompt_shape", "sample_index")
_KEY_SCHEMA: Final = {
    "trace_id": pl.String(),
    "student_model": pl.String(),
    "prompt_shape": pl.String(),
    "sample_index": pl.Int32(),
}


def write_scores(connection: duckdb.DuckDBPyConnection, fingerprint: str, scores: pl.DataFrame) -> int:
    """Add the rows whose key is not there yet; see `Workspace.write_scores`."""
    if scores.is_empty():
        return 0
    with tempfile.TemporaryDirectory(prefix="cascade-") as folder:
        file = Path(folder) / "scores.parquet"
        scores.write_parquet(file, compression="lz4")
        connection.begin()
        _add_missing_columns(connection, scores)
        parameters = {"fingerprint": fingerprint, "file": str(file)}
        added = change(connection, "insert_scores", parameters)
        connection.commit()
    return added


def read_scores(opened: Callable[[], Connected], fingerprint: str) -> pl.DataFrame:
    """All rows of one scorer; see `Workspace.read_scores`.

    Args:
        opened: the database, open for as long as one stretch of the table is read.
        fingerprint: of the scorer and its settings.
    """
    with tempfile.TemporaryDirectory(prefix="cascade-") as folder:
        files = list(_exported(opened, fingerprint, Path(folder)))
        scores = _read_narrow(files)
    if scores.is_empty():
        return pl.DataFrame(schema=_KEY_SCHEMA)
    brought = [column.name for column in scores if column.name in KEY_COLUMNS or column.null_count() < len(column)]
    return scores.select(brought)


def _exported(opened: Callable[[], Connected], fingerprint: str, folder: Path) -> Iterator[Path]:
    first, end = 0, 1
    while first < end:
        file = folder / f"{first}.parquet"
        with opened() as connection:
            ((end,),) = fetch(connection, "end_of_scores")
            parameters = {"fingerprint": fingerprint, "first": first, "end": first + STRETCH, "file": str(file)}
            connection.execute(QUERIES["export_scores"], parameters)
        yield file
        first += STRETCH


def _read_narrow(files: list[Path]) -> pl.DataFrame:
    """Read a frame column by column, whole numbers as narrow as they allow: the tables hold them eight bytes wide."""
    # Of the first file, for a scorer that comes meanwhile adds columns.
    columns = (_column(files, name) for name in pl.read_parquet_schema(files[0]))
    return pl.DataFrame([each.shrink_dtype() if each.dtype == pl.Int64 else each for each in columns])


def _column(files: list[Path], name: str) -> pl.Series:
    return pl.concat([pl.read_parquet(file, columns=[name]).to_series() for file in files])


def _add_missing_columns(connection: duckdb.DuckDBPyConnection, scores: pl.DataFrame) -> None:
    known = {name for (name,) in fetch(connection, "score_columns")}
    for name, dtype in scores.schema.items():
        if name not in known:
            # A column's name cannot be a bound parameter; an identifier needs no quoting.
            connection.execute(f"ALTER TABLE scores ADD COLUMN {_identifier(name)} {_duckdb_type(dtype)}")


def _identifier(name: str) -> str:
    if not (name.isascii() and name.isidentifier()):
        raise ValueError(f"a column of scores cannot be called {name!r}")
    return f'"{name}"'


def _duckdb_type(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "BIGINT"
    if dtype.is_float():
        return "DOUBLE"
    if dtype == pl.List(pl.String):
        return "VARCHAR[]"
    return "BOOLEAN" if dtype == pl.Boolean else "VARCHAR"
