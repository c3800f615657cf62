"""Verdicts on whether a student may write under a prompt."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from cascade_cli.workspace.columns import aware_utc, naive_utc
from cascade_cli.workspace.database import QUERIES, fetch
from cascade_cli.workspace.records import FlipGate

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb


def add_flip_gate(connection: duckdb.DuckDBPyConnection, gate: FlipGate) -> None:
    """Keep a verdict."""
    connection.execute(QUERIES["add_flip_gate"], {**asdict(gate), "judged_at": naive_utc(gate.judged_at)})


def flip_gates_since(connection: duckdb.DuckDBPyConnection, since: datetime) -> list[FlipGate]:
    """Verdicts since an aware moment, newest first."""
    found = [FlipGate(*values) for values in fetch(connection, "flip_gates", {"since": naive_utc(since)})]
    return [replace(gate, judged_at=aware_utc(gate.judged_at)) for gate in found]


def newest_prompt_hash(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The prompt hash of the newest trace that has one and is dated; None where there is none."""
    found = fetch(connection, "newest_prompt_hash")
    return str(found[0][0]) if found else None
