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
# What each section has a parameter of its own for.
_GIVEN: Final = ("ids", "keys", "deleted", "amended", "amendments", "made")


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

    def finish(self, changes: Iterable[tuple[str, str]]) -> bytes:
        """The statement that changes rows and writes the receipt.

        Args:
            changes: what is done to rows of which section: ``deleted``, ``amended`` or ``made``, and the section.
        """
        chosen = tuple(changes)
        key = ("finish", tuple(f"{section} {what}" for what, section in chosen))
        if key not in self._made:
            parts = {
                "changes": sql.SQL(" ").join(self._change("change", *change) for change in chosen),
                "changed": sql.SQL(" ").join(self._change("changed", *change) for change in chosen),
            }
            self._made[key] = compose(QUERIES["finish"], self._ours | parts).as_bytes(None)
        return self._made[key]

    def filled(self, name: str, section: str, names: Mapping[str, sql.Composable]) -> bytes:
        """A statement of one section with further names filled in."""
        return compose(QUERIES[name], {**self._ours, **self._names[section], **names}).as_bytes(None)

    def _change(self, part: str, what: str, section: str) -> sql.Composed:
        names = self._names[section]
        change = {"change": sql.Identifier(f"{section}_{what}"), "statement": compose(QUERIES[what], names)}
        return compose(QUERIES[part], names | change)

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
        return {
            **merges,
            "table": mapping.named(table.table),
            "id": table.column("id"),
            "provenance": table.column("provenance_event_ids"),
            "section": sql.Literal(table.section),
            "section_name": sql.Identifier(table.section),
            **{f"section_{what}": sql.SQL(f"{table.section}_{what}") for what in _GIVEN},
            "table_text": sql.Literal(mapping.named(table.table).as_string(None)),
            "key": table.listed(table.key, "held"),
            "key_order": joined('held.{column} COLLATE "C"', table, table.key),
            "key_types": joined("{name} {type}", table, table.key),
            "held_like_image": joined("held.{column} = image.{column}", table, table.key, between=" AND "),
            "same_key": joined("whole.{column} = given.{name}", table, table.key, between=" AND "),
            "pairs": json_pairs(table, {name: table.column(name, "held") for name in table.accreting}),
            "all_columns": table.listed(tuple(table.columns)),
            "conflict": table.listed(table.key),
            "given_names": sql.SQL(", ").join(map(sql.Identifier, table.columns)),
            "given_types": joined("{name} {type}", table, table.columns),
            "columns_amended": _amended(table),
        }


def _amended(table: GraphTable) -> sql.Composable:
    """How the columns that accrete are set; nothing where there are none."""
    if not table.accreting:
        return sql.SQL("")
    names = {
        "columns": table.listed(table.accreting),
        "id": table.column("id"),
        "section_amendments": sql.SQL(f"{table.section}_amendments"),
    }
    return compose(QUERIES["columns_amended"], names)
