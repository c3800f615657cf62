"""Superseding and undoing, case by case: which columns come back, which rows keep their id, and when it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import psycopg
import pytest

from cascade_cli.postgres.graph import Graph, GraphMapping, GraphWrite
from cascade_cli.postgres.superseding import RefusedError, Superseded, Superseding, Undoing
from cascade_cli.postgres.superseding.locking import Reader
from cascade_cli.postgres.superseding.statements import QUERIES, Statements
from cascade_cli.records import Event

Connection = psycopg.Connection[tuple[Any, ...]]
GRAPH = Graph()
MERGING = Graph(GraphMapping.of("public", {"merges": "entity_merges"}, {"merges": "fact_merges"}, {}))
ANN = {"type": "person", "name": "Ann"}
CHANGES = ("deleted", "amended", "made")
CHANGED = {"entities_deleted": "{1}", "entities_amended": "{2}", "entities_amendments": "{}", "entities_made": "[]"}


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as opened:
        yield opened


def _said(event_id: str, *entities: object, **sections: object) -> GraphWrite:
    return GraphWrite(Event(event_id, "sales"), {"entities": list(entities), **sections})


def _write(connection: Connection, producer: str, *writes: GraphWrite) -> None:
    with connection.transaction():
        touched = GRAPH.upsert(connection, writes)
        if producer == "student":
            GRAPH.record(connection, touched)
        for write in writes:
            connection.execute(
                "INSERT INTO event_distillations (event_id, producer, llm_model, escalated) "
                "VALUES (%s, %s, 'm', false)",
                [write.event_id, producer],
            )


def _student(connection: Connection, *writes: GraphWrite) -> None:
    _write(connection, "student", *writes)


def _teacher(connection: Connection, *writes: GraphWrite) -> None:
    _write(connection, "teacher", *writes)


def _supersede(connection: Connection, write: GraphWrite, graph: Graph = GRAPH) -> Superseded:
    with connection.transaction():
        return Superseding(graph).supersede(connection, write, llm_model="t", system_prompt_hash="f1e0ff")


def _undo(connection: Connection, receipt_id: int) -> None:
    with connection.transaction():
        Undoing(GRAPH).undo(connection, receipt_id)


def _entities(connection: Connection) -> list[Mapping[str, Any]]:
    return [row for (row,) in connection.execute("SELECT to_jsonb(e) FROM entities AS e ORDER BY name, id")]


def test_the_ledger_says_that_the_teacher_was_asked_again_and_keeps_the_students_row(connection: Connection) -> None:
    _student(connection, _said("e1", ANN))
    connection.execute(
        "INSERT INTO cascade_mop_up_orders (event_id, reason, ordered_by) VALUES ('e1', 'r', 'somebody')"
    )
    _supersede(connection, _said("e1", ANN))
    rows = connection.execute(
        "SELECT producer, llm_model, system_prompt_hash, escalated, escalate_reason FROM event_distillations ORDER BY 1"
    ).fetchall()
    assert rows == [("student", "m", None, False, None), ("teacher", "t", "f1e0ff", True, "mop_up")]
    orders = connection.execute("SELECT finished_at IS NOT NULL, last_error FROM cascade_mop_up_orders").fetchall()
    assert orders == [(True, None)]
    assert connection.execute("SELECT count(*) FROM cascade_touched_rows").fetchone() == (0,)


def test_a_row_that_the_teacher_says_too_keeps_its_id_and_gets_the_teachers_columns(connection: Connection) -> None:
    _student(connection, _said("e1", {**ANN, "email": "made@up.test", "aliases": ["Annie"]}, {**ANN, "name": "Bob"}))
    ann, _ = _entities(connection)
    done = _supersede(connection, _said("e1", {**ANN, "email": "ann@x.test"}))
    (after,) = _entities(connection)
    assert after == {**ann, "email": "ann@x.test", "aliases": []}
    assert [len(done.deleted), len(done.amended), len(done.kept)] == [1, 1, 0]


def test_a_row_of_which_both_say_the_same_is_not_written_at_all(connection: Connection) -> None:
    _student(connection, _said("e1", ANN, facts=["It rains"]))
    before = connection.execute("SELECT xmin::text FROM entities UNION ALL SELECT xmin::text FROM facts").fetchall()
    done = _supersede(connection, _said("e1", ANN, facts=["It rains"]))
    after = connection.execute("SELECT xmin::text FROM entities UNION ALL SELECT xmin::text FROM facts").fetchall()
    assert (after, done.amended, done.made) == (before, (), ())


def test_columns_that_the_student_changed_on_anothers_row_come_back(connection: Connection) -> None:
    _teacher(connection, _said("e0", {**ANN, "aliases": ["A."]}))
    before = _entities(connection)
    _student(connection, _said("e1", {**ANN, "email": "made@up.test", "aliases": ["Annie"]}))
    done = _supersede(connection, _said("e1"))
    assert _entities(connection) == before
    assert done.kept == ()


def test_columns_are_kept_and_told_where_somebody_wrote_the_row_since(connection: Connection) -> None:
    _teacher(connection, _said("e0", ANN))
    _student(connection, _said("e1", {**ANN, "email": "made@up.test"}))
    _teacher(connection, _said("e2", ANN))
    done = _supersede(connection, _said("e1"))
    (row,) = _entities(connection)
    assert (row["email"], row["provenance_event_ids"]) == ("made@up.test", ["e0", "e2"])
    assert [(name.section, name.row_id) for name in done.kept] == [("entities", str(row["id"]))]
    ((kept,),) = connection.execute("SELECT after -> 'kept' FROM cascade_receipts").fetchall()
    assert kept == [{"section": "entities", "row_id": str(row["id"])}]


def test_what_the_teacher_knows_besides_is_added_to_a_shared_row(connection: Connection) -> None:
    _teacher(connection, _said("e0", ANN))
    _student(connection, _said("e1", ANN))
    _supersede(connection, _said("e1", {**ANN, "email": "ann@x.test"}))
    (row,) = _entities(connection)
    assert (row["email"], row["provenance_event_ids"]) == ("ann@x.test", ["e0", "e1"])


def test_provisional_rows_of_the_event_stay_whatever_the_teacher_says(connection: Connection) -> None:
    with connection.transaction():
        GRAPH.upsert(connection, [_said("e1", ANN)])
    before = _entities(connection)
    _student(connection, _said("e1", ANN, {**ANN, "name": "Bob"}))
    _supersede(connection, _said("e1", {**ANN, "email": "ann@x.test"}))
    assert _entities(connection) == before


@pytest.mark.parametrize("producers", [(), ("teacher",), ("student", "teacher")])
def test_an_event_that_is_not_the_students_alone_is_refused(connection: Connection, producers: tuple[str, ...]) -> None:
    for producer in producers:
        _write(connection, producer, _said("e1", ANN))
    with pytest.raises(RefusedError, match="e1") as refused:
        _supersede(connection, _said("e1", ANN))
    assert refused.value.exit_code == 4
    assert connection.execute("SELECT count(*) FROM cascade_receipts").fetchone() == (0,)


def test_without_a_transaction_nothing_is_begun(connection: Connection) -> None:
    with pytest.raises(ValueError, match="transaction"):
        Superseding(GRAPH).supersede(connection, _said("e1"), llm_model="t", system_prompt_hash=None)


def _merge(connection: Connection, merged: str, kept: str) -> None:
    """As a deduplication of the team's may do it."""
    connection.execute(
        "WITH gone AS (DELETE FROM entities WHERE name = %s RETURNING id, provenance_event_ids), "
        "kept AS (UPDATE entities AS e SET provenance_event_ids = e.provenance_event_ids || gone.provenance_event_ids "
        "FROM gone WHERE e.name = %s RETURNING e.id) INSERT INTO entity_merges SELECT gone.id, kept.id FROM gone, kept",
        [merged, kept],
    )


@pytest.fixture
def merged(connection: Connection) -> Connection:
    """Somebody merged what the student called Anne into Annie, and that into Ann, whom the teacher had written."""
    connection.execute("CREATE TABLE entity_merges (merged_id bigint, kept_id bigint)")
    _teacher(connection, _said("e0", ANN))
    _student(connection, _said("e1", {**ANN, "name": "Anne"}, {**ANN, "name": "Bob"}))
    _teacher(connection, _said("e2", {**ANN, "name": "Annie"}))
    _merge(connection, "Anne", "Annie")
    _merge(connection, "Annie", "Ann")
    return connection


def test_rows_that_were_merged_since_are_followed(merged: Connection) -> None:
    _supersede(merged, _said("e1"), MERGING)
    (row,) = _entities(merged)
    assert (row["name"], row["provenance_event_ids"]) == ("Ann", ["e0", "e2"])


def test_rows_that_are_gone_without_an_audit_are_refused_and_nothing_is_changed(merged: Connection) -> None:
    before = _entities(merged)
    with pytest.raises(RefusedError, match="no table of merges is configured") as refused:
        _supersede(merged, _said("e1"))
    assert "postgres.entities" in str(refused.value.hint)
    merged.execute("DELETE FROM entity_merges")
    with pytest.raises(RefusedError, match="entity_merges does not say"):
        _supersede(merged, _said("e1"), MERGING)
    assert _entities(merged) == before


def test_undoing_brings_back_whole_rows_with_columns_that_we_know_nothing_of(connection: Connection) -> None:
    connection.execute(
        "ALTER TABLE entities ADD COLUMN score double precision, ADD COLUMN seen_at timestamptz, "
        "ADD COLUMN note jsonb, ADD COLUMN weight numeric, "
        "ADD COLUMN shown text GENERATED ALWAYS AS (upper(name)) STORED"
    )
    _student(
        connection, _said("e1", ANN, {**ANN, "name": "Bob"}), _said("e2", {**ANN, "name": "Cy", "email": "c@x.test"})
    )
    connection.execute(
        "UPDATE entities SET score = 0.1, seen_at = '2026-06-18 12:00:00.123456+02', note = '{\"a\": [1.50]}', "
        "weight = 12345678901234567890.123"
    )
    before = _entities(connection)
    done = _supersede(connection, _said("e1", {**ANN, "email": "ann@x.test"}, {**ANN, "name": "Di"}))
    # Another session may have other habits.
    connection.execute("SET TimeZone = 'Asia/Tokyo'")
    _undo(connection, done.receipt_id)
    connection.execute("RESET TimeZone")
    assert _entities(connection) == before
    assert connection.execute("SELECT producer FROM event_distillations WHERE event_id = 'e1'").fetchall() == [
        ("student",)
    ]
    assert connection.execute("SELECT count(*) FROM cascade_touched_rows").fetchone() == (3,)


def _superseded(connection: Connection) -> int:
    _student(connection, _said("e1", ANN, {**ANN, "name": "Bob"}), _said("e2", ANN))
    return _supersede(connection, _said("e1", {**ANN, "name": "Cy"})).receipt_id


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: _teacher(c, _said("e3", {**ANN, "name": "Cy"})), "no longer as it left them: entities"),
        (lambda c: _teacher(c, _said("e3", ANN)), "no longer as it left them: entities"),
        (lambda c: _teacher(c, _said("e3", {**ANN, "name": "Bob"})), "has the key of a row that was deleted"),
        (lambda c: c.execute("DELETE FROM entities WHERE name = 'Cy'"), "no longer as it left them: entities"),
        (
            lambda c: c.execute("UPDATE event_distillations SET llm_model = 'x' WHERE producer = 'teacher'"),
            "written again",
        ),
        (lambda c: c.execute("DELETE FROM event_distillations"), "written again"),
        (lambda c: c.execute("DELETE FROM cascade_touched_rows"), "inherited a row is gone"),
        (lambda c: _undo(c, 1), "was undone before"),
    ],
)
def test_undoing_refuses_with_the_reason_and_changes_nothing(
    connection: Connection, change: Callable[[Connection], object], why: str
) -> None:
    receipt_id = _superseded(connection)
    change(connection)
    before = _entities(connection)
    with pytest.raises(RefusedError, match=why):
        _undo(connection, receipt_id)
    assert _entities(connection) == before


def test_an_unknown_receipt_is_refused(connection: Connection) -> None:
    with pytest.raises(RefusedError, match="There is no receipt 7"):
        _undo(connection, 7)


def test_what_was_undone_can_be_superseded_and_undone_again(connection: Connection) -> None:
    _undo(connection, _superseded(connection))
    before = _entities(connection)
    done = _supersede(connection, _said("e1", {**ANN, "name": "Cy"}))
    _undo(connection, done.receipt_id)
    assert _entities(connection) == before


def test_two_who_supersede_the_same_event_take_turns_and_the_second_is_refused(
    database: str, connection: Connection
) -> None:
    _student(connection, _said("e1", ANN))
    refused: list[str] = []

    def second() -> None:
        with psycopg.connect(database, autocommit=True) as own:
            try:
                _supersede(own, _said("e1", ANN))
            except RefusedError as error:
                refused.append(error.message)

    other = threading.Thread(target=second)
    with connection.transaction():
        Superseding(GRAPH).supersede(connection, _said("e1", ANN), llm_model="t", system_prompt_hash=None)
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join()
    assert refused == ["The teacher wrote event e1 already."]


def test_events_that_share_a_row_are_superseded_at_the_same_time_and_leave_no_orphan(
    database: str, connection: Connection
) -> None:
    """The row passes from heir to heir while others wait for it, and goes with the last.

    Read before the rows are locked, the records would be those of before the inheritance, and the test fails.
    """
    count = 12
    events = [f"e{number}" for number in range(count)]
    _student(connection, *(_said(event, ANN, {**ANN, "name": "Bob"}) for event in events))
    errors: list[BaseException] = []

    def supersede(mine: list[str]) -> None:
        with psycopg.connect(database, autocommit=True, prepare_threshold=None) as own:
            for event in mine:
                try:
                    _supersede(own, _said(event))
                except psycopg.Error as error:
                    errors.append(error)

    threads = [threading.Thread(target=supersede, args=(events[part::3],)) for part in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert _entities(connection) == []


def _keys(write: GraphWrite) -> set[tuple[str, str]]:
    return {("sales", entity["name"]) for entity in write.extraction["entities"]}  # type: ignore[attr-defined]


def _worker(database: str, seed: int, mine: list[str], ends: dict[str, set[tuple[str, str]]]) -> None:
    """Write, supersede and undo some events at random; what each came to at last stands in ``ends``."""
    random = Random(seed)
    receipts: dict[str, int] = {}
    students: dict[str, GraphWrite] = {}
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as own:
        for _ in range(60):
            event = random.choice(mine)
            write = _said(event, *({**ANN, "name": f"P{n}"} for n in random.sample(range(9), 3)))
            if event not in students:
                _patiently(lambda write=write: _student(own, write))
                students[event], ends[event] = write, _keys(write)
            elif event not in receipts:
                receipts[event] = _patiently(lambda write=write: _supersede(own, write)).receipt_id
                ends[event] = _keys(write)
            else:
                try:
                    _patiently(lambda event=event: _undo(own, receipts[event]))
                except RefusedError:
                    continue
                del receipts[event]
                ends[event] = _keys(students[event])


def _patiently(work: Callable[[], Any]) -> Any:
    """As a worker does it: a deadlock, or a row made by another at that moment, is tried again."""
    while True:
        try:
            return work()
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.UniqueViolation):
            continue


def test_workers_that_write_supersede_and_undo_at_once_leave_what_each_event_came_to(
    database: str, connection: Connection
) -> None:
    ends: dict[str, set[tuple[str, str]]] = {}
    parts = [[f"e{worker}-{number}" for number in range(4)] for worker in range(3)]
    threads = [threading.Thread(target=_worker, args=(database, n, part, ends)) for n, part in enumerate(parts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected: dict[tuple[str, str], set[str]] = {}
    for event, keys in ends.items():
        for key in keys:
            expected.setdefault(key, set()).add(event)
    rows = connection.execute("SELECT arena, name, provenance_event_ids FROM entities").fetchall()
    assert {(arena, name): set(events) for arena, name, events in rows} == expected
    assert all(len(events) == len(set(events)) for _, _, events in rows)


def test_every_statement_can_be_explained(connection: Connection) -> None:
    connection.execute("CREATE TABLE entity_merges (merged_id bigint, kept_id bigint)")
    statements = Statements(MERGING.mapping)
    names = {"columns": "arena", "image_columns": "image.arena", "assignments": "arena = image.arena"}
    filled = {name: psycopg.sql.SQL(text) for name, text in names.items()}
    arms = {name for name in QUERIES if name.endswith("_arm")}
    values = dict.fromkeys(("event_id", "llm_model", "system_prompt_hash", "heirs", "kept", "receipt_id", "row_ids"))
    values |= CHANGED | {"ids": "{1}", "entities_ids": "{1}", "entities_keys": "[]"}
    parts = {"change", "changed", "columns_amended", "deleted", "amended", "made", "finish"}
    for name in QUERIES.keys() - parts:
        query = statements.arms(name, ["entities"]) if name in arms else statements.filled(name, "entities", filled)
        connection.execute(b"EXPLAIN " + query, values)
    connection.execute(b"EXPLAIN " + statements.finish((what, "entities") for what in CHANGES), values)


def test_rows_are_found_by_index_alone(connection: Connection) -> None:
    """Else an event would cost more, the larger the graph."""
    _student(connection, *(_said(f"e{n}", *({**ANN, "name": f"P {n} {m}"} for m in range(5))) for n in range(400)))
    connection.execute("ANALYZE")
    statements = Statements(GRAPH.mapping)
    plans = []
    with connection.transaction():
        reader = Reader(connection, statements, GRAPH.mapping)
        ids = [name.row_id for name in reader.recorded("e1")]
        keys = '[{"arena": "sales", "type": "person", "name": "P 2 2"}]'
        given = {"event_id": "e1", "entities_ids": "{" + ",".join(ids) + "}", "entities_keys": keys, "ids": "{1}"}
        given |= CHANGED | dict.fromkeys(("llm_model", "system_prompt_hash", "heirs", "kept"))
        for query in (
            statements.arms("lock_rows_arm", ["entities"]),
            statements.arms("digests_arm", ["entities"]),
            statements.whole("touched_rows"),
            statements.whole("bequeath", "entities"),
            statements.finish((what, "entities") for what in CHANGES),
        ):
            plans += [line for (line,) in connection.execute(b"EXPLAIN " + query, given)]
    # The orders are an empty table here, which is read as a whole in any case.
    assert not [line for line in plans if "Seq Scan" in line and "orders" not in line]
