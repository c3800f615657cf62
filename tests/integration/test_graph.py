"""Writing the graph on a real PostgreSQL: each row once, each event on it once, and a note of what was done."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from cascade_cli.postgres.graph import Graph, GraphMapping, GraphWrite, unwritable
from cascade_cli.records import Event

ANN = {"type": "person", "name": "Ann"}
PLAIN = ["\\", '"', "{}", "NULL", "a,b", "'; DROP TABLE entities; --"]
HOSTILE = [*PLAIN, "\0", "\ud800", "\ud83d\ude00", "x" * 9_000, "é" * 4_000]


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as opened:
        yield opened


def _write(event_id: str, *entities: object, **sections: object) -> GraphWrite:
    return GraphWrite(Event(event_id, "sales"), {"entities": list(entities), **sections})


def _upsert(
    connection: psycopg.Connection[Any], *writes: GraphWrite, graph: Graph | None = None
) -> set[tuple[str, bool]]:
    """Who touched something, and whether it was created."""
    with connection.transaction():
        touched = (graph or Graph()).upsert(connection, writes)
    return {(each.event_id, each.created) for each in touched}


def _row(connection: psycopg.Connection[Any], table: str = "entities") -> Mapping[str, Any]:
    ((row,),) = connection.execute(f"SELECT to_jsonb(t) || jsonb_build_object('xmin', xmin::text) FROM {table} AS t")
    return row


def test_a_row_is_created_by_the_first_event_and_joined_by_the_next(connection: psycopg.Connection) -> None:
    assert _upsert(connection, _write("e1", ANN)) == {("e1", True)}
    assert _upsert(connection, _write("e2", ANN)) == {("e2", False)}
    assert _row(connection)["provenance_event_ids"] == ["e1", "e2"]


def test_two_events_of_one_batch_share_a_row_which_the_first_created(connection: psycopg.Connection) -> None:
    assert _upsert(connection, _write("e2", ANN), _write("e1", ANN)) == {("e2", True), ("e1", False)}
    assert _row(connection)["provenance_event_ids"] == ["e2", "e1"]
    assert _upsert(connection, _write("e1", ANN), _write("e3", ANN)) == {("e3", False)}


def test_what_changes_nothing_writes_nothing(connection: psycopg.Connection) -> None:
    _upsert(connection, _write("e1", ANN))
    before = _row(connection)
    assert _upsert(connection, _write("e1", ANN, ANN, {**ANN, "email": "ann@x.test"})) == set()
    assert _row(connection) == before


def test_a_provisional_row_of_the_same_event_is_left_as_it_is(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO entities (arena, participant_set, disclosure_class, type, name, provenance_event_ids) "
        "VALUES ('sales', '{everybody}', 'open', 'person', 'Ann', '{e1}')"
    )
    before = _row(connection)
    assert _upsert(connection, _write("e1", {**ANN, "email": "ann@x.test", "aliases": ["A."]})) == set()
    assert _row(connection) == before


def test_rows_accrete_but_nobody_sees_more_than_before(connection: psycopg.Connection) -> None:
    first = GraphWrite(Event("e1", "sales", participant_set=("ann",)), {"entities": [{**ANN, "aliases": ["A."]}]})
    then = GraphWrite(
        Event("e2", "sales", participant_set=("bob",), disclosure_class="open"),
        {"entities": [{**ANN, "aliases": ["Chief", "A."], "email": "ann@x.test"}]},
    )
    last = GraphWrite(Event("e3", "sales"), {"entities": [{**ANN, "email": "other@x.test"}]})
    for write in (first, then, last):
        _upsert(connection, write)
    row = _row(connection)
    assert (row["aliases"], row["email"]) == (["A.", "Chief"], "ann@x.test")
    assert (row["participant_set"], row["disclosure_class"]) == (["ann"], "private")


def test_what_a_write_changed_is_kept_where_it_alone_changed_it(connection: psycopg.Connection) -> None:
    graph = Graph()
    with connection.transaction():
        graph.upsert(connection, [_write("e1", ANN)])
        (alone,) = graph.upsert(connection, [_write("e2", {**ANN, "email": "ann@x.test"})])
        both = graph.upsert(connection, [_write("e3", {**ANN, "aliases": ["A."]}), _write("e4", ANN)])
        (same,) = graph.upsert(connection, [_write("e5", ANN)])
    assert (alone.before, '"ann@x.test"' in str(alone.after)) == ('{"email": null, "aliases": []}', True)
    assert [(each.before is None, each.after is None) for each in both] == [(False, True), (False, True)]
    assert (same.before, same.after) == (None, None)


def test_facts_carry_source_and_deadline(connection: psycopg.Connection) -> None:
    event = Event("e1", "sales", attributes={"due_at": "2026-06-19T12:00:00+02:00"}, source_kind="mail")
    _upsert(connection, GraphWrite(event, {"facts": [{"category": "commitment", "statement": "Acme ships"}]}))
    row = connection.execute("SELECT source, effective_until AT TIME ZONE 'UTC' FROM facts").fetchone()
    assert row is not None
    assert (row[0], row[1].isoformat()) == ("mail", "2026-06-19T10:00:00")


def test_hostile_texts_and_ids_come_back_as_they_can_be_stored(connection: psycopg.Connection) -> None:
    for number, text in enumerate(HOSTILE):
        entity = {"name": f"{text}!", "type": text, "aliases": [text, f"{text}?"]}
        fact = {"category": text, "statement": f"{text}!", "object": text}
        relationship = {"source": f"{text}a", "type": text, "target": f"{text}b"}
        event = Event(
            f"{number}{text[:50]}", text, attributes={"source": text, "due_at": text}, participant_set=(text, "x")
        )
        said = {"entities": [entity], "facts": [fact], "relationships": [relationship]}
        with connection.transaction():
            graph = Graph()
            touched = graph.upsert(connection, [GraphWrite(event, said)])
            graph.record(connection, touched)
        assert {each.table for each in touched} == {"entities", "facts", "relationships"}
        assert {each.event_id for each in touched} == {GraphWrite(event, {}).event_id}
        with connection.transaction():
            assert Graph().upsert(connection, [GraphWrite(event, said)]) == ()
    found = connection.execute("SELECT aliases[2] FROM entities ORDER BY id LIMIT %s", [len(PLAIN)]).fetchall()
    assert [text for (text,) in found] == [f"{text}?" for text in PLAIN]


def test_tables_and_columns_may_be_called_otherwise(connection: psycopg.Connection) -> None:
    connection.execute(
        'CREATE TABLE "Nodes" (node uuid DEFAULT gen_random_uuid() PRIMARY KEY, arena varchar(99), label text, '
        'participant_set text[], disclosure_class text, "provenance ids" text[], UNIQUE (label, arena))'
    )
    absent = dict.fromkeys(("type", "aliases", "email"), "")
    names = {"table": "Nodes", "id": "node", "name": "label", "provenance_event_ids": "provenance ids"}
    entities = {**absent, **names, "key": "name, arena"}
    graph = Graph(GraphMapping.of("public", entities, {}, {}))
    assert _upsert(connection, _write("e1", ANN), _write("e2", "Ann"), graph=graph) == {("e1", True), ("e2", False)}
    assert _row(connection, '"Nodes"')["provenance ids"] == ["e1", "e2"]


def test_a_key_column_without_a_value_is_empty_so_that_it_conflicts(connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE facts DROP CONSTRAINT facts_arena_category_statement_key")
    connection.execute("CREATE UNIQUE INDEX ON facts (arena, subject, predicate, object)")
    graph = Graph(GraphMapping.of("public", {}, {"key": "arena, subject, predicate, object"}, {}))
    write = GraphWrite(Event("e1", "sales"), {"facts": [{"subject": "Acme", "statement": "Acme is here"}]})
    other = GraphWrite(Event("e2", "sales"), {"facts": [{"subject": "Acme", "statement": "Acme exists"}]})
    assert _upsert(connection, write, other, graph=graph) == {("e1", True), ("e2", False)}


def test_tables_that_fit_are_found_writable_and_others_are_told_with_their_cure(connection: psycopg.Connection) -> None:
    assert unwritable(connection, GraphMapping()) == ()
    connection.execute("ALTER TABLE facts DROP CONSTRAINT facts_arena_category_statement_key")
    connection.execute("CREATE UNIQUE INDEX ON facts (arena, category, statement) WHERE category <> 'x'")
    connection.execute("CREATE UNIQUE INDEX ON facts (arena, category) INCLUDE (statement)")
    mapping = GraphMapping.of("public", {"table": "nodes"}, {}, {"disclosure_class": "disclosure"})
    entities, facts, relationships = unwritable(connection, mapping)
    assert ("nodes" in entities.problem, "[postgres.entities]" in entities.cure) == (True, True)
    assert "unique index over exactly (arena, category, statement)" in facts.problem
    assert 'did you mean "disclosure_class"' in relationships.problem


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE facts ADD tenant text NOT NULL", 'a column "tenant" that must be filled'),
        ("ALTER TABLE facts ALTER id DROP IDENTITY", 'a column "id" that must be filled'),
        (
            "CREATE TYPE class AS ENUM (); ALTER TABLE facts ALTER disclosure_class TYPE class USING NULL::class",
            '"disclosure_class" is of type class',
        ),
        (
            "ALTER TABLE facts DROP provenance_event_ids; ALTER TABLE facts ADD provenance_event_ids jsonb",
            "jsonb",
        ),
        ("ALTER TABLE facts RENAME TO kept; CREATE VIEW facts AS SELECT * FROM kept", "is no table"),
    ],
)
def test_what_the_server_would_not_write_is_told_before_anything_is(
    connection: psycopg.Connection, change: str, told: str
) -> None:
    connection.execute(change)
    (facts,) = unwritable(connection, GraphMapping())
    assert (facts.section, told in facts.problem, bool(facts.cure)) == ("facts", True, True), facts


def test_columns_that_fill_themselves_are_in_nobodys_way(connection: psycopg.Connection) -> None:
    connection.execute("CREATE DOMAIN region AS text DEFAULT 'eu'")
    connection.execute(
        "ALTER TABLE facts ADD tenant text NOT NULL DEFAULT 't', ADD seen timestamptz, ADD place region NOT NULL"
    )
    connection.execute("ALTER TABLE entities ADD tenant text NOT NULL")
    connection.execute(
        "CREATE FUNCTION filling() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.tenant := ''t''; RETURN NEW; END'"
    )
    connection.execute("CREATE TRIGGER filling BEFORE INSERT ON entities FOR EACH ROW EXECUTE FUNCTION filling()")
    assert unwritable(connection, GraphMapping()) == ()
    fact = _write("e1", ANN, facts=["It rains"])
    assert _upsert(connection, fact) == {("e1", True)}


def test_a_partitioned_table_is_written_as_any_other(database: str, connection: psycopg.Connection) -> None:
    """Partitions with their columns in another order, too; and a row that another made since we looked is not ours."""
    connection.execute("DROP TABLE entities")
    columns = (
        "id bigint GENERATED BY DEFAULT AS IDENTITY, arena text NOT NULL, participant_set text[],"
        " disclosure_class text, type text, name text, aliases text[], email text, provenance_event_ids text[],"
        " UNIQUE (arena, type, name)"
    )
    connection.execute(f"CREATE TABLE entities ({columns}) PARTITION BY LIST (arena)")
    connection.execute("CREATE TABLE entities_rest PARTITION OF entities DEFAULT")
    parts = ", ".join(reversed(columns.removesuffix(", UNIQUE (arena, type, name)").split(", ")))
    connection.execute(
        f"CREATE TABLE entities_sales ({parts.replace(' GENERATED BY DEFAULT AS IDENTITY', ' NOT NULL')})"
    )
    connection.execute("ALTER TABLE entities ATTACH PARTITION entities_sales FOR VALUES IN ('sales')")
    assert unwritable(connection, GraphMapping()) == ()
    graph = Graph.open(connection, GraphMapping())
    bob = {"type": "person", "name": "Bob"}
    assert _upsert(connection, _write("e1", ANN), _write("e2", ANN), graph=graph) == {("e1", True), ("e2", False)}
    assert _upsert(connection, _write("e2", ANN), graph=graph) == set()
    assert _upsert(connection, _write("e3", ANN, bob), graph=graph) == {("e3", False), ("e3", True)}
    elsewhere = GraphWrite(Event("e4", "support"), {"entities": [ANN]})
    assert _upsert(connection, elsewhere, graph=graph) == {("e4", True)}
    eve = {"type": "person", "name": "Eve"}
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as threads:
        graph.upsert(other, [_write("e5", eve)])
        waiting = threads.submit(_upsert, connection, _write("e6", eve), graph=graph)
        with psycopg.connect(database, autocommit=True) as watching:
            stuck = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            while watching.execute(stuck).fetchone() == (0,):
                pass
        other.commit()
        assert waiting.result() == {("e6", False)}


def test_writers_of_the_same_rows_in_opposite_order_wait_for_each_other_and_never_in_a_ring(
    database: str, connection: psycopg.Connection
) -> None:
    """With the sorting of the keys taken out, it ends in deadlocks."""
    names = [f"Person {number}" for number in range(40)]
    errors: list[BaseException] = []
    start = threading.Barrier(2)

    def write(worker: int) -> None:
        graph = Graph()
        with psycopg.connect(database, autocommit=True, prepare_threshold=None) as own:
            for turn in range(60):
                # New rows each turn: waiting for another's insert is a lock too.
                said: list[object] = [f"{name} {turn // 2}" for name in (names if worker else reversed(names))]
                start.wait(20)
                try:
                    with own.transaction():
                        graph.upsert(own, [_write(f"e{turn}-{worker}-{part}", *said[part::2]) for part in range(2)])
                        graph.upsert(own, [_write(f"e{turn}-{worker}-x", *said)])
                except psycopg.Error as error:
                    errors.append(error)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    sizes = connection.execute("SELECT DISTINCT cardinality(provenance_event_ids) FROM entities").fetchall()
    # Two workers, two turns with the same names, two events of each turn on each row.
    assert sizes == [(8,)]
