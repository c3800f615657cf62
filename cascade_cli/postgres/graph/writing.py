"""Batches of events into the graph tables, by statements made once for a mapping."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg import sql

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.graph.bounding import bounded
from cascade_cli.postgres.graph.mapping import GraphMapping, GraphTable
from cascade_cli.postgres.graph.reading import GraphWrite, Row, Value, read_rows

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

QUERIES: Final = read_named_sql(files("cascade_cli.postgres.graph") / "graph.sql")
TOUCHED_TABLE: Final = "cascade_touched_rows"

Key = tuple[str, ...]


class Touched(NamedTuple):
    """What a write did to one row on behalf of one event; rows that carried its id already are not touched.

    A tuple, for there are a score of them an event, and a frozen record takes three times as long to make.

    Attributes:
        event_id: the event.
        table: the section, whatever the team calls its table.
        row_key: the row's id as a text, alone.
        created: True where the row is new, False where the event was added to it. Of several events of one batch the
            first creates.
        before: JSON of the columns that were changed besides the provenance; None where none was.
        after: JSON of the same columns after the change, with the number of ids then; None besides where other
            events wrote the row at the same time.
    """

    event_id: str
    table: str
    row_key: tuple[str, ...]
    created: bool
    before: str | None = None
    after: str | None = None


@dataclass(slots=True)
class Pending:
    """One row of a batch: what all its events say of it, the first of them first."""

    values: dict[str, Value]
    event_ids: list[str]

    def accrete(self, row: Row, event_id: str) -> None:
        """Add what another event, or the same again, says of the same row."""
        for name, value in row.items():
            held = self.values[name]
            if isinstance(held, tuple) and isinstance(value, tuple):
                if name == "aliases":
                    self.values[name] = tuple(dict.fromkeys((*held, *value)))
            elif held is None:
                self.values[name] = value
        if event_id not in self.event_ids:
            self.event_ids.append(event_id)


class Graph:
    """The team's graph tables, for writing on a connection, and inside a transaction, of the caller's.

    Args:
        mapping: what tables and columns are called; the contract's names unless given.
        partitioned: the sections whose tables are.
    """

    def __init__(self, mapping: GraphMapping | None = None, partitioned: Collection[str] = ()) -> None:
        self.mapping = mapping or GraphMapping()
        self._upserts = {
            table.section: upsert_statement(self.mapping, table, partitioned=table.section in partitioned)
            for table in self.mapping.tables
        }
        names = {"touched": self.mapping.named(TOUCHED_TABLE)}
        self._record = compose(QUERIES["record_touched"], names).as_bytes(None)

    @staticmethod
    def open(connection: Connection, mapping: GraphMapping) -> Graph:
        """Look at the tables, and be ready to write them."""
        return Graph(mapping, partitioned_sections(connection, mapping))

    def upsert(self, connection: Connection, writes: Sequence[GraphWrite]) -> tuple[Touched, ...]:
        """Write what a batch of events became.

        Each row is written once, whatever number of events say it, in one order for all workers. A row that is there
        gets the event ids that it lacks, its empty columns filled and its aliases added; one that lacks none of the ids
        is not written at all.

        Args:
            connection: in a transaction.
            writes: of distinct events; the order decides who creates a row that several of them say.

        Returns:
            What was done, by table, row and event. Events whose rows were all there already have none.
        """
        rows = gathered(self.mapping, writes)
        return tuple(
            touched for table in self.mapping.tables for touched in self._upsert(connection, table, rows[table.section])
        )

    def record(self, connection: Connection, touched: Iterable[Touched]) -> None:
        """Keep what student writes did, so that it can be superseded; in the transaction of the write itself."""
        done = list(touched)
        if not done:
            return
        columns = dict(zip(Touched._fields, zip(*done, strict=True), strict=True))
        # As JSON, for arrays are put together value by value.
        connection.execute(self._record, {name: json.dumps(column) for name, column in columns.items()})

    def _upsert(self, connection: Connection, table: GraphTable, rows: Mapping[Key, Pending]) -> list[Touched]:
        if not rows:
            return []
        records = [{**rows[key].values, "event_ids": rows[key].event_ids} for key in sorted(rows)]
        given = {"rows": json.dumps(records, ensure_ascii=False)}
        found = connection.execute(self._upserts[table.section], given).fetchall()
        return [
            Touched(event_id, table.section, (row_id,), created and event_id == event_ids[0], before, after)
            for row_id, created, event_ids, before, after in found
            for event_id in event_ids
        ]


def gathered(mapping: GraphMapping, writes: Iterable[GraphWrite]) -> dict[str, dict[Key, Pending]]:
    """What a batch says, by section and key."""
    batches: dict[str, dict[Key, Pending]] = {table.section: {} for table in mapping.tables}
    for write in writes:
        event_id, read = write.event_id, read_rows(write).rows
        for table in mapping.tables:
            for row in read[table.section]:
                _gather(batches[table.section], bounded(row, table.key), table.key, event_id)
    return batches


def _gather(batch: dict[Key, Pending], row: Row, names: Key, event_id: str) -> None:
    key = tuple([str(row[name]) for name in names])
    if key in batch:
        batch[key].accrete(row, event_id)
    else:
        batch[key] = Pending(dict(row), [event_id])


def partitioned_sections(connection: Connection, mapping: GraphMapping) -> frozenset[str]:
    """The sections whose tables are partitioned; a table that is not there is none."""
    tables = {table.section: mapping.named(table.table).as_string(connection) for table in mapping.tables}
    values = {"sections": list(tables), "tables": list(tables.values())}
    return frozenset(section for (section,) in connection.execute(QUERIES["partitioned"], values))


def upsert_statement(mapping: GraphMapping, table: GraphTable, *, partitioned: bool) -> bytes:
    """The statement that writes a batch into one table.

    Args:
        mapping: says which schema.
        table: the table.
        partitioned: whether it is.
    """
    columns = tuple(table.columns)
    names: dict[str, sql.Composable] = {
        "table": mapping.named(table.table),
        "id": table.column("id"),
        "provenance": table.column("provenance_event_ids"),
        "columns": table.listed(columns),
        "key": table.listed(table.key),
        "given_names": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "given_types": joined("{name} {type}", table, columns),
        "written_values": joined("held.{column} AS {name}", table, columns),
        "same_key": joined("written.{name} = given.{name}", table, table.key, between=" AND "),
        "accretions": sql.SQL(" ").join(_accretion(table, name) for name in table.accreting),
    }
    names["created"] = compose(QUERIES["created_in_a_partition" if partitioned else "created"], names)
    return compose(QUERIES["upsert"], names | _images(table, names)).as_bytes(None)


def _accretion(table: GraphTable, name: str) -> sql.Composed:
    return compose(QUERIES["grow" if table.is_list(name) else "fill"], {"column": table.column(name)})


def _images(table: GraphTable, names: Mapping[str, sql.Composable]) -> dict[str, sql.Composable]:
    """What is kept of the changed columns, under the team's names; nothing where no column can change."""
    changing = table.accreting
    if not changing:
        return {name: sql.SQL(QUERIES["nothing"]) for name in ("before", "after")}
    written = {name: sql.Identifier("written", name) for name in changing}
    parts = {
        "held": table.listed(changing, "held"),
        "written": sql.SQL(", ").join(written.values()),
        "held_pairs": json_pairs(table, {name: table.column(name, "held") for name in changing}),
        "written_pairs": json_pairs(table, written),
        "provenance": names["provenance"],
    }
    return {name: compose(QUERIES[name], parts) for name in ("before", "after")}


def json_pairs(table: GraphTable, values: Mapping[str, sql.Composable]) -> sql.Composed:
    """The arguments of ``jsonb_build_object`` for some columns, each under the team's name.

    Args:
        table: whose columns they are.
        values: our name of a column to the expression that holds it.
    """
    return sql.SQL(", ").join(
        sql.SQL("{}, {}").format(
            sql.Literal(table.columns[name]),
            compose(QUERIES["moment_as_text"], {"value": value}) if table.is_moment(name) else value,
        )
        for name, value in values.items()
    )


def joined(pattern: str, table: GraphTable, names: Iterable[str], between: str = ", ") -> sql.Composed:
    """The pattern for each column, with our name, the team's column and the type in it."""
    return sql.SQL(between).join(
        compose(
            pattern,
            {
                "name": sql.Identifier(name),
                "column": table.column(name),
                "type": table.type_of(name),
            },
        )
        for name in names
    )
