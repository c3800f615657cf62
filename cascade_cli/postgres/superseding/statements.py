"""The statements of superseding.sql, put together once for a mapping of the team's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Final

from psycopg import sql

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.graph import GraphMapping, GraphTable
from cascade_cli.postgres.graph.writing import TOUCHED_TABLE, joined, json_pairs
from cascade_cli.postgres.source import LEDGER_TABLE

QUERIES: Final = read_named_sql(files("cascade_cli.postgres.superseding") / "superseding.sql")
_OURS: Final = {
    "touched": TOUCHED_TABLE,
    "ledger": LEDGER_TABLE,
    "orders": "cascade_mop_up_orders",
    "receipts": "cascade_receipts",
}


class Statements:
    """Whole statements by name, and those made of an arm for each table that is asked for.

    Args:
        mapping: of the team's tables.
    """

    def __init__(self, mapping: GraphMapping) -> None:
        self._ours: dict[str, sql.Composable] = {name: mapping.named(table) for name, table in _OURS.items()}
        self._names = {table.section: self._names_of(mapping, table) for table in mapping.tables}
        self._made: dict[tuple[str, tuple[str, ...]], bytes] = {}

    def whole(self, name: str, section: str | None = None) -> bytes:
        """A statement, of one section's table where it names columns of it."""
        return self._once(name, (section,) if section else (), "")

    def arms(self, name: str, sections: Iterable[str]) -> bytes:
        """One statement over the tables of some sections, in their order."""
        return self._once(name, tuple(sections), " UNION ALL ")

    def filled(self, name: str, section: str, names: Mapping[str, sql.Composable]) -> bytes:
        """A statement of one section with further names filled in."""
        return compose(QUERIES[name], {**self._ours, **self._names[section], **names}).as_bytes(None)

    def _once(self, name: str, sections: tuple[str, ...], between: str) -> bytes:
        if (name, sections) not in self._made:
            parts = [compose(QUERIES[name], self._ours | self._names[section]) for section in sections]
            made = sql.SQL(between).join(parts or [compose(QUERIES[name], self._ours)])
            self._made[name, sections] = made.as_bytes(None)
        return self._made[name, sections]

    def _names_of(self, mapping: GraphMapping, table: GraphTable) -> dict[str, sql.Composable]:
        merges = (
            {}
            if table.merges is None
            else {
                "merges": mapping.named(table.merges.table),
                "merged_id": sql.Identifier(table.merges.merged_id),
                "kept_id": sql.Identifier(table.merges.kept_id),
            }
        )
        columns = table.listed(table.accreting)
        return {
            **merges,
            "table": mapping.named(table.table),
            "id": table.column("id"),
            "provenance": table.column("provenance_event_ids"),
            "section": sql.Literal(table.section),
            "section_name": sql.Identifier(table.section),
            "section_ids": sql.SQL(f"{table.section}_ids"),
            "section_keys": sql.SQL(f"{table.section}_keys"),
            "table_text": sql.Literal(mapping.named(table.table).as_string(None)),
            "key": table.listed(table.key, "held"),
            "key_order": joined('held.{column} COLLATE "C"', table, table.key),
            "key_types": joined("{name} {type}", table, table.key),
            "held_like_image": joined("held.{column} = image.{column}", table, table.key, between=" AND "),
            "same_key": joined("whole.{column} = given.{name}", table, table.key, between=" AND "),
            "pairs": json_pairs(table, {name: table.column(name, "held") for name in table.accreting}),
            "restored": compose(QUERIES["restored"], {"columns": columns, "id": table.column("id")})
            if table.accreting
            else sql.SQL(""),
        }
