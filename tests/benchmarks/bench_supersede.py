"""Milliseconds per superseding in a large graph: ``python tests/benchmarks/bench_supersede.py [EVENTS] [SUPERSEDED]``.

The graph of ``bench_graph.py``, provisional rows included, brought in by bulk; then events are superseded one by one,
each in a transaction that is committed durably. Beside it, on events of their own in the same run:

- the floor: the very same changes, found out beforehand, in bare statements with neither lock nor receipt;
- the search: no records, but a look for the event in every provenance, without an index and with one. It takes the
  provisional rows away too, for it cannot tell them apart.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import psycopg
from bench_graph import Connection, write
from machine import describe_machine
from psycopg import sql

from cascade_cli.postgres import apply_migrations, embedded_postgres
from cascade_cli.postgres.graph import Graph, GraphTable, GraphWrite
from cascade_cli.postgres.graph.writing import Key, Pending, gathered
from cascade_cli.postgres.superseding import Superseded, Superseding, Undoing

PROVISIONAL = 2
GRAPH = Graph()
SUPERSEDING = Superseding(GRAPH)
UNDOING = Undoing(GRAPH)
TABLES = {table.section: table for table in GRAPH.mapping.tables}
Work = Callable[[Connection, GraphWrite], object]
Statement = tuple[sql.Composed, Mapping[str, object]]

LEDGER = (
    "INSERT INTO event_distillations (event_id, producer, llm_model, escalated, escalate_reason)"
    " VALUES (%s, 'teacher', 't', true, 'mop_up')"
)
FOUND = "provenance_event_ids @> ARRAY[%(event_id)s]"
BY_SEARCH = (
    f"DELETE FROM {{table}} WHERE {FOUND} AND provenance_event_ids <@ ARRAY[%(event_id)s]",
    f"UPDATE {{table}} SET provenance_event_ids = array_remove(provenance_event_ids, %(event_id)s) WHERE {FOUND}",
)
BARE = {
    "delete": "DELETE FROM {table} WHERE id = ANY (%(rows)s::bigint[])",
    "strip": "UPDATE {table} SET provenance_event_ids = array_remove(provenance_event_ids, %(event_id)s)"
    " WHERE id = ANY (%(rows)s::bigint[])",
    "join": "UPDATE {table} SET provenance_event_ids = provenance_event_ids || %(event_id)s::text"
    " WHERE id = ANY (%(rows)s::bigint[])",
    "make": "INSERT INTO {table} OVERRIDING SYSTEM VALUE"
    " SELECT * FROM jsonb_populate_recordset(NULL::{table}, %(rows)s::jsonb)",
}
CARRYING = "SELECT id::text FROM {table} WHERE id = ANY (%s::bigint[]) AND %s = ANY (provenance_event_ids)"
IMAGES = "SELECT jsonb_agg(to_jsonb(made))::text FROM {table} AS made WHERE id = ANY (%s::bigint[])"
_INDEX = sql.SQL("CREATE INDEX ON {} USING gin (provenance_event_ids)")


@dataclass
class Rows:
    """One table as it is to be: each row with its events, and what each student's write did to it."""

    ids: dict[Key, int] = field(default_factory=dict)
    values: dict[Key, Pending] = field(default_factory=dict)
    touched: list[tuple[str, int, bool]] = field(default_factory=list)

    def take(self, said: dict[Key, Pending], event_id: str, *, recorded: bool) -> None:
        """Write an event's rows; those that it is on already are left as they are."""
        for key, pending in said.items():
            created = key not in self.ids
            row = self.values.setdefault(key, pending)
            if not created and row.event_ids[-1] == event_id:
                continue
            if created:
                self.ids[key] = len(self.ids) + 1
            else:
                row.event_ids.append(event_id)
            if recorded:
                self.touched.append((event_id, self.ids[key], created))


def build(connection: Connection, events: int) -> int:
    """The graph, the student's records and its ledger rows; returns how many links the student made."""
    rows = {section: Rows() for section in TABLES}
    for number in range(events):
        said = write(number, flawed=True)
        right = write(number, flawed=False).extraction["entities"]
        assert isinstance(right, list)
        provisional = GraphWrite(said.event, {"entities": right[:PROVISIONAL]})
        for recorded, each in ((False, provisional), (True, said)):
            for section, pending in gathered(GRAPH.mapping, [each]).items():
                rows[section].take(pending, each.event_id, recorded=recorded)
    for section, table in TABLES.items():
        _copy_table(connection, table, rows[section])
    _copy_records(connection, rows)
    connection.execute(
        "INSERT INTO event_distillations (event_id, producer, llm_model, escalated)"
        " SELECT DISTINCT event_id, 'student', 'm', false FROM cascade_touched_rows"
    )
    return sum(len(each.touched) for each in rows.values())


def _copy_table(connection: Connection, table: GraphTable, rows: Rows) -> None:
    names = ["id", "provenance_event_ids", *table.columns.values()]
    copy = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.table), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with connection.cursor() as cursor, cursor.copy(copy) as lines:
        for key, pending in rows.values.items():
            values = [pending.values[name] for name in table.columns]
            plain = [list(value) if isinstance(value, tuple) else value for value in values]
            lines.write_row([rows.ids[key], pending.event_ids, *plain])
    connection.execute(
        "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table.table, len(rows.ids)]
    )  # fmt: skip


def _copy_records(connection: Connection, rows: dict[str, Rows]) -> None:
    copy = "COPY cascade_touched_rows (event_id, table_name, row_key, created) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(copy) as lines:
        for section, each in rows.items():
            for event_id, row_id, created in each.touched:
                lines.write_row([event_id, section, json.dumps([str(row_id)]), created])


def supersede(connection: Connection, said: GraphWrite) -> int:
    """Ours."""
    return SUPERSEDING.supersede(connection, said, llm_model="t", system_prompt_hash="h").receipt_id


def search(connection: Connection, said: GraphWrite) -> None:
    """Whatever carries the event loses it, and the teacher's rows are written."""
    for table in TABLES.values():
        for query in BY_SEARCH:
            named = sql.SQL(query).format(table=sql.Identifier(table.table))
            connection.execute(named, {"event_id": said.event_id})
    for section, rows in gathered(GRAPH.mapping, [said]).items():
        _insert(connection, TABLES[section], list(rows.values()))
    _conclude(connection, said)


def _conclude(connection: Connection, said: GraphWrite) -> None:
    connection.execute("DELETE FROM cascade_touched_rows WHERE event_id = %s", [said.event_id])
    connection.execute(LEDGER, [said.event_id])


def found_out(connection: Connection, said: GraphWrite) -> list[Statement]:
    """The changes of superseding an event as bare statements, by doing it and taking it back."""
    with connection.transaction(force_rollback=True):
        done = SUPERSEDING.supersede(connection, said, llm_model="t", system_prompt_hash="h")
        return [each for table in TABLES.values() for each in _found_out_of(connection, table, done)]


def _found_out_of(connection: Connection, table: GraphTable, done: Superseded) -> Iterator[Statement]:
    deleted, amended, made = (
        [name.row_id for name in names if name.section == table.section]
        for names in (done.deleted, done.amended, done.made)
    )
    named = {"table": sql.Identifier(table.table)}
    joined = connection.execute(sql.SQL(CARRYING).format(**named), [amended, done.event_id]).fetchall()
    ((images,),) = connection.execute(sql.SQL(IMAGES).format(**named), [made])
    stripped = {*amended} - {row_id for (row_id,) in joined}
    given = {"delete": deleted, "strip": [*stripped], "join": [row_id for (row_id,) in joined], "make": images}
    for what, rows in given.items():
        if rows:
            yield sql.SQL(BARE[what]).format(**named), {"rows": rows, "event_id": done.event_id}


def bare(connection: Connection, said: GraphWrite, statements: Sequence[Statement]) -> None:
    """The changes that were found out."""
    for statement, given in statements:
        connection.execute(statement, given)
    _conclude(connection, said)


def _insert(connection: Connection, table: GraphTable, rows: Sequence[Pending]) -> None:
    names = {
        "table": sql.Identifier(table.table),
        "columns": table.listed(tuple(table.columns)),
        "key": table.listed(table.key),
        "given": sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(theirs), table.type_of(ours))
            for ours, theirs in table.columns.items()
        ),
    }
    query = sql.SQL(
        "INSERT INTO {table} AS held ({columns}, provenance_event_ids)"
        " SELECT * FROM json_to_recordset(%s::json) AS given ({given}, provenance_event_ids text[])"
        " ON CONFLICT ({key}) DO UPDATE"
        " SET provenance_event_ids = held.provenance_event_ids || excluded.provenance_event_ids"
        " WHERE NOT held.provenance_event_ids @> excluded.provenance_event_ids"
    ).format(**names)
    records = [
        {theirs: row.values[ours] for ours, theirs in table.columns.items()} | {"provenance_event_ids": row.event_ids}
        for row in rows
    ]
    connection.execute(query, [json.dumps(records)])


def commit_alone(connection: Connection, said: GraphWrite) -> None:
    """The least that a durable transaction can be: one row."""
    connection.execute(LEDGER, [f"nothing {said.event_id}"])


@dataclass(frozen=True)
class Spent:
    """What one transaction took, in milliseconds: on the clock, of this processor time and of the server's."""

    wall_ms: float
    client_ms: float
    server_ms: float


def timed(connection: Connection, work: Callable[[], object]) -> tuple[Spent, object]:
    """One transaction, committed."""
    backend = Path(f"/proc/{connection.info.backend_pid}/schedstat")
    server, client, wall = _server_ns(backend), time.process_time(), time.perf_counter()
    with connection.transaction():
        returned = work()
    taken_s, own_s = time.perf_counter() - wall, time.process_time() - client
    return Spent(taken_s * 1_000, own_s * 1_000, (_server_ns(backend) - server) / 1e6), returned


def _server_ns(schedule: Path) -> int:
    """Time on a processor; 0 where the system does not tell."""
    return int(schedule.read_text().split()[0]) if schedule.exists() else 0


def told(what: str, spent: Sequence[Spent]) -> None:
    """Median and 95th percentile of the clock, medians of processor time."""
    wall = sorted(each.wall_ms for each in spent)
    print(
        f"{what:<56}{statistics.median(wall):>8.2f}{wall[int(len(wall) * 0.95)]:>8.2f}"
        f"{statistics.median(each.client_ms for each in spent):>8.2f}"
        f"{statistics.median(each.server_ms for each in spent):>8.2f}{len(wall):>6}",
        flush=True,
    )


def run(dsn: str, what: str, work: Work, numbers: Sequence[int], *, prepared: bool = False) -> list[object]:
    """Time the work on some events, one by one; returns what it returned."""
    spent, returned = [], []
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=3 if prepared else None) as connection:
        for number in numbers:
            said = write(number, flawed=False)
            one, result = timed(connection, partial(work, connection, said))
            spent.append(one)
            returned.append(result)
    told(what, spent)
    return returned


def run_floor(dsn: str, numbers: Sequence[int]) -> None:
    """The same for the floor; finding out is not timed."""
    spent = []
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        for number in numbers:
            said = write(number, flawed=False)
            spent.append(timed(connection, partial(bare, connection, said, found_out(connection, said)))[0])
    told("floor: the same changes, known beforehand, no receipt", spent)


def undo(dsn: str, what: str, receipts: Sequence[object]) -> None:
    """Undo in the opposite order, for each must find the rows as it left them."""
    spent = []
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        for receipt_id in reversed(receipts):
            assert isinstance(receipt_id, int)
            spent.append(timed(connection, partial(UNDOING.undo, connection, receipt_id))[0])
    told(what, spent)


def main(events: int = 100_000, superseded: int = 200) -> None:
    """Build the graph and time every way."""
    print(describe_machine())
    with embedded_postgres() as server:
        apply_migrations(server.dsn, with_team_tables=True)
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            began = time.perf_counter()
            links = build(connection, events)
            connection.execute("VACUUM ANALYZE")
            ((longest,),) = connection.execute("SELECT max(cardinality(provenance_event_ids)) FROM entities")
        print(
            f"{events:,} events, {links:,} links of the student's, built in {time.perf_counter() - began:.0f} s;"
            f" the longest provenance has {longest:,} ids"
        )
        print(f"{'milliseconds an event':<56}{'median':>8}{'p95':>8}{'client':>8}{'server':>8}{'n':>6}")
        take = _shares(events, superseded)
        run(server.dsn, "one row committed durably, for comparison", commit_alone, next(take))
        run_floor(server.dsn, next(take))
        receipts = run(server.dsn, "superseding", supersede, next(take))
        undo(server.dsn, "undoing", receipts)
        run(server.dsn, "superseding, statements prepared by the driver", supersede, next(take), prepared=True)
        run(server.dsn, "search in every provenance", search, next(take))
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            for table in TABLES.values():
                connection.execute(_INDEX.format(sql.Identifier(table.table)))
        run(server.dsn, "search, a GIN index on each provenance", search, next(take))


def _shares(events: int, share: int) -> Iterator[list[int]]:
    """Events for one way after the other, none twice."""
    chosen = Random(0).sample(range(events), events)
    return (chosen[first : first + share] for first in range(0, events, share))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
