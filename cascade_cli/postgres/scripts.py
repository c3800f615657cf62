"""Migration scripts, read into what runs in one transaction and the indexes that a live table must get otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from psycopg import sql

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose

if TYPE_CHECKING:
    from cascade_cli.postgres.mapping import ColumnMapping

_HERE: Final = files("cascade_cli.postgres")
_INDEX: Final = re.compile(r"^CREATE INDEX IF NOT EXISTS (\w+)\s+ON (\w+) (.*?;)\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Index:
    """An index that may be made in either way.

    Attributes:
        name: unique in its schema.
        table: the table's name.
        on: from the columns on, as in the script.
    """

    name: str
    table: str
    on: sql.Composable

    def statement(self, schema: str, *, concurrently: bool) -> sql.Composed:
        """Make it; concurrently, outside a transaction, where others write to the table meanwhile."""
        pattern = "CREATE INDEX {how}IF NOT EXISTS {index} ON {table} {on}"
        how = sql.SQL("CONCURRENTLY " if concurrently else "")
        names = {"how": how, "index": sql.Identifier(self.name), "table": sql.Identifier(schema, self.table)}
        return compose(pattern, {**names, "on": self.on})

    def removal(self, schema: str) -> sql.Composed:
        """Remove what an interrupted attempt has left: it is invalid, and only costs."""
        return compose("DROP INDEX CONCURRENTLY IF EXISTS {index};", {"index": sql.Identifier(schema, self.name)})


@dataclass(frozen=True, slots=True)
class Script:
    """One file.

    Attributes:
        name: of the file, without its suffix.
        body: everything but the indexes.
        indexes: in their order.
    """

    name: str
    body: str
    indexes: tuple[Index, ...]


def migration_scripts(*, with_team_tables: bool) -> tuple[Script, ...]:
    """Our scripts in their order; before them the team's tables, where those are to be made too."""
    ours = [each for each in (_HERE / "migrations").iterdir() if each.name.endswith(".sql")]
    ours.sort(key=lambda script: script.name)
    scripts = [_HERE / "team_tables.sql", *ours] if with_team_tables else ours
    return tuple(_parsed(script.name.removesuffix(".sql"), script.read_text(encoding="utf-8")) for script in scripts)


def queue_indexes(mapping: ColumnMapping) -> tuple[Index, ...]:
    """What the team's queue needs so that claiming costs the same however many rows are done."""
    blocks = read_named_sql(_HERE / "queue_indexes.sql")
    return tuple(Index(name, mapping.queue.table, compose(on, mapping.queue_names())) for name, on in blocks.items())


def _parsed(name: str, text: str) -> Script:
    found = tuple(Index(index, table, sql.SQL(on)) for index, table, on in _INDEX.findall(text))
    return Script(name, _INDEX.sub("", text).strip(), found)
