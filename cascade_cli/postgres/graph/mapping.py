"""How the team's graph tables are called, and by which columns two rows of them are the same. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from psycopg import sql

from cascade_cli.errors import UsageError
from cascade_cli.postgres.graph.reading import COLUMNS
from cascade_cli.postgres.mapping import closest

_KEYS: Final = {
    "entities": ("arena", "type", "name"),
    "facts": ("arena", "category", "statement"),
    "relationships": ("arena", "source", "type", "target"),
}
_PROVENANCE: Final = "provenance_event_ids"
_LISTS: Final = frozenset({"participant_set", "aliases"})
_MOMENTS: Final = frozenset({"effective_until"})
# Who may see a row and where it belongs is settled by its first event: a second one never widens it.
_FIRST_EVENT_SETTLES: Final = frozenset({"arena", "participant_set", "disclosure_class"})
# Without these nothing could be found again.
_INDISPENSABLE: Final = frozenset({"table", "id", "key", _PROVENANCE})


@dataclass(frozen=True, slots=True)
class MergeAudit:
    """The table in which the team's deduplication says which row became part of which.

    Attributes:
        table: its name.
        merged_id: the column with the id of the row that is gone.
        kept_id: the column with the id of the row that took it in.
    """

    table: str
    merged_id: str = "merged_id"
    kept_id: str = "kept_id"


@dataclass(frozen=True, slots=True)
class GraphTable:
    """One of the three graph tables.

    Attributes:
        section: ``entities``, ``facts`` or ``relationships``.
        table: the team's name of it.
        id: the column that identifies a row for good.
        key: our names of the columns that conflict: a valid unique index must span exactly these.
        columns: our names of columns to the team's; those that the table lacks are absent.
        provenance: the column of event ids, a ``text[]``.
        merges: None where merged rows are not followed.
    """

    section: str
    table: str
    id: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    provenance: str
    merges: MergeAudit | None = None

    @staticmethod
    def of(section: str, given: Mapping[str, str]) -> GraphTable:
        """Read the setting ``postgres.<section>``.

        Args:
            section: which table.
            given: our name of a column to the team's, ``""`` where the table has none; ``table``; ``id``; ``key``, our
                names of the conflict columns with commas between them; ``merges``, ``merged_id`` and ``kept_id``.

        Raises:
            UsageError: a key that is none of ours, an empty name that is indispensable, or a conflict column that is
                not a text of the table.
        """
        _check(section, given)
        columns = {name: given.get(name, name) for name in COLUMNS[section] if given.get(name, name)}
        key = tuple(name.strip() for name in given.get("key", ",".join(_KEYS[section])).split(","))
        _check_key(section, key, columns)
        names = {name: given.get(name, name) for name in ("id", _PROVENANCE)}
        return GraphTable(
            section, given.get("table", section), names["id"], key, columns, names[_PROVENANCE], _merges(given)
        )

    @property
    def names(self) -> dict[str, str]:
        """The table as the setting ``postgres.<section>`` would name it, merges apart."""
        return {
            "table": self.table,
            "id": self.id,
            "key": ", ".join(self.key),
            _PROVENANCE: self.provenance,
            **self.columns,
        }

    @property
    def accreting(self) -> tuple[str, ...]:
        """Our names of the columns that a further event may fill in: everything but the key and who may see it."""
        return tuple(name for name in self.columns if name not in self.key and name not in _FIRST_EVENT_SETTLES)

    def column(self, name: str, alias: str | None = None) -> sql.Composable:
        """The team's column for one of our names, quoted, of a table of that alias."""
        theirs = sql.Identifier({"id": self.id, _PROVENANCE: self.provenance, **self.columns}[name])
        return sql.SQL("{}.{}").format(sql.Identifier(alias), theirs) if alias else theirs

    def listed(self, names: tuple[str, ...], alias: str | None = None) -> sql.Composable:
        """Several columns with commas between them."""
        return sql.SQL(", ").join(self.column(name, alias) for name in names)

    def type_of(self, name: str) -> sql.SQL:
        """What a value's text is read as."""
        return sql.SQL("text[]" if self.is_list(name) else "timestamptz" if self.is_moment(name) else "text")

    def is_moment(self, name: str) -> bool:
        """Whether a column holds a moment."""
        return name in _MOMENTS

    def is_list(self, name: str) -> bool:
        """Whether a column holds a list of texts, which grows; others are filled once."""
        return name in _LISTS


@dataclass(frozen=True, slots=True)
class GraphMapping:
    """The three tables, in the order in which every transaction writes them, and their schema."""

    tables: tuple[GraphTable, ...] = field(default_factory=lambda: tuple(GraphTable.of(name, {}) for name in COLUMNS))
    schema: str = "public"

    @staticmethod
    def of(
        schema: str, entities: Mapping[str, str], facts: Mapping[str, str], relationships: Mapping[str, str]
    ) -> GraphMapping:
        """Read ``postgres.schema``, ``postgres.entities``, ``postgres.facts`` and ``postgres.relationships``.

        Raises:
            UsageError: as `GraphTable.of` says.
        """
        given = {"entities": entities, "facts": facts, "relationships": relationships}
        return GraphMapping(tuple(GraphTable.of(section, names) for section, names in given.items()), schema)

    def named(self, table: str) -> sql.Identifier:
        """A table of the schema, quoted."""
        return sql.Identifier(self.schema, table)

    def of_section(self, section: str) -> GraphTable:
        """The table of a section."""
        return next(table for table in self.tables if table.section == section)


def _check(section: str, given: Mapping[str, str]) -> None:
    known = ("table", "id", "key", *COLUMNS[section], _PROVENANCE, "merges", "merged_id", "kept_id")
    for key, name in given.items():
        if key not in known:
            raise UsageError(
                f'[postgres.{section}] has no key "{key}"{closest(key, known)}', hint=f"Known: {', '.join(known)}."
            )
        if not name and key in _INDISPENSABLE:
            raise UsageError(f'[postgres.{section}] {key} = "": nothing can be written without it.')


def _check_key(section: str, key: tuple[str, ...], columns: Mapping[str, str]) -> None:
    usable = [name for name in columns if name not in _LISTS | _MOMENTS]
    for name in key:
        if name not in usable:
            raise UsageError(
                f'[postgres.{section}] key: "{name}" is no text column of the table{closest(name, usable)}',
                hint=f"Name columns of a unique index, with commas between them, out of: {', '.join(usable)}.",
            )


def _merges(given: Mapping[str, str]) -> MergeAudit | None:
    if not given.get("merges"):
        return None
    return MergeAudit(given["merges"], given.get("merged_id") or "merged_id", given.get("kept_id") or "kept_id")
