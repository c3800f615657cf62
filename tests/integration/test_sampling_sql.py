"""The sampler is the same arithmetic in Python, DuckDB and PostgreSQL."""

from __future__ import annotations

from importlib.resources import files

import duckdb
import numpy as np
import psycopg
import pytest

from cascade_cli.named_sql import read_named_sql
from cascade_cli.policy import sample_unit

SQL = read_named_sql(files("cascade_cli.policy") / "sampling.sql")
IDS = [f"evt-{number}" for number in range(99_990)] + [
    "",
    "Ünïcode/事件",
    " ",
    "a'b",
    "%s",
    "\n",
    "x" * 5000,
    "🙂",
    "e:1",
    ":",
]
SALTED = {"domain": "sample", "salt": "cascade"}


@pytest.fixture(scope="module")
def units() -> dict[str, int]:
    return {event_id: sample_unit(event_id) for event_id in IDS}


def test_duckdb_gives_the_same_units(units: dict[str, int]) -> None:
    connection = duckdb.connect()
    connection.register("ids", {"event_id": np.array(IDS, dtype=np.object_)})
    assert dict(connection.execute(SQL["duckdb_unit"], SALTED).fetchall()) == units


def test_postgresql_gives_the_same_units(units: dict[str, int], empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE ids (event_id text)")
        with cursor.copy("COPY ids FROM STDIN") as copy:
            for event_id in IDS:
                copy.write_row((event_id,))
        assert dict(cursor.execute(SQL["postgresql_unit"], SALTED).fetchall()) == units
