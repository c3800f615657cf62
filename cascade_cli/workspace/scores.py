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
    import duckdb

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


def read_scores(connection: duckdb.DuckDBPyConnection, fingerprint: str) -> pl.DataFrame:
    """All rows of one scorer; see `Workspace.read_scores`."""
    with tempfile.TemporaryDirectory(prefix="cascade-") as folder:
        file = Path(folder) / "scores.parquet"
        parameters = {"fingerprint": fingerprint, "file": str(file)}
        connection.execute(QUERIES["export_scores"], parameters)
        scores = _read_narrow(file)
    if scores.is_empty():
        return pl.DataFrame(schema=_KEY_SCHEMA)
    brought = [column.name for column in scores if column.name in KEY_COLUMNS or column.null_count() < len(column)]
    return scores.select(brought)


def _read_narrow(file: Path) -> pl.DataFrame:
    """Read a frame column by column, whole numbers as narrow as they allow: the tables hold them eight bytes wide."""
    columns = (pl.read_parquet(file, columns=[name]).to_series() for name in pl.read_parquet_schema(file))
    return pl.DataFrame([each.shrink_dtype() if each.dtype == pl.Int64 else each for each in columns])


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
