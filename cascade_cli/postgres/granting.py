"""The roles that people and workers connect with, as statements for an administrator to read and run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from psycopg import sql

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.migrating import REGISTER
from cascade_cli.postgres.source import ANSWERS_TABLE, LEDGER_TABLE

ROLES: Final = ("reader", "worker", "mop_up", "admin")
"""Each may do more than the one before, but that reading is apart from working."""
_OURS: Final = {
    "ledger": LEDGER_TABLE,
    "answers": ANSWERS_TABLE,
    "escalations": "cascade_escalations",
    "marks": "cascade_queue_marks",
    "control": "cascade_control",
    "switches": "cascade_switches",
    "touched": "cascade_touched_rows",
    "orders": "cascade_mop_up_orders",
    "receipts": "cascade_receipts",
    "register": REGISTER,
}
_BLOCKS: Final = read_named_sql(files("cascade_cli.postgres") / "grants.sql")
_GRANT: Final = re.compile(r"^GRANT (.+) ON ((?:\{\w+\}(?:, )?)+) TO \{worker\};$", re.MULTILINE)
_PRIVILEGE: Final = re.compile(r"([A-Z]+)(?: \(([^)]+)\))?")


@dataclass(frozen=True, slots=True)
class Need:
    """One privilege that a worker cannot do without.

    Attributes:
        table: quoted, with its schema.
        privilege: as ``SELECT``.
        column: the only one that it is needed for; None for the table's.
    """

    table: str
    privilege: str
    column: str | None = None

    @property
    def told(self) -> str:
        """As it stands in a GRANT."""
        return self.privilege if self.column is None else f"{self.privilege} ({self.column})"


def grants(mapping: ColumnMapping, graph: GraphMapping, prefix: str = "cascade_") -> str:
    """A script that makes four roles and gives each what it needs.

    Args:
        mapping: what the tables are called.
        graph: what the graph's are called.
        prefix: before ``reader``, ``worker``, ``mop_up`` and ``admin``.
    """
    names = _names(mapping, graph, prefix)
    made = [f"CREATE ROLE {names[role].as_string(None)} NOLOGIN;" for role in ROLES]
    given = [compose(_BLOCKS[role], names).as_string(None) for role in ROLES]
    return "\n\n".join(["-- Leave out a role that exists.\n" + "\n".join(made), *given])


def needs_of_worker(mapping: ColumnMapping, graph: GraphMapping) -> tuple[Need, ...]:
    """What the role ``worker`` is granted on tables, one by one: the statements are what says it."""
    names = {name: table.as_string(None) for name, table in _names(mapping, graph, "").items()}
    return tuple(
        need
        for privileges, tables in _GRANT.findall(_BLOCKS["worker"])
        for table in re.findall(r"\w+", tables)
        for need in _needs(names[table], privileges)
    )


def _needs(table: str, privileges: str) -> Iterator[Need]:
    for privilege, columns in _PRIVILEGE.findall(privileges):
        yield from (Need(table, privilege, column or None) for column in columns.split(", "))


def _names(mapping: ColumnMapping, graph: GraphMapping, prefix: str) -> dict[str, sql.Composable]:
    return {
        **{role: sql.Identifier(f"{prefix}{role}") for role in ROLES},
        **{name: mapping.table(table) for name, table in _OURS.items()},
        **{table.section: graph.named(table.table) for table in graph.tables},
        "schema": sql.Identifier(mapping.schema),
        "traces": mapping.table(mapping.traces.table),
        "events": mapping.table(mapping.events.table),
        "queue": mapping.table(mapping.queue.table),
    }
