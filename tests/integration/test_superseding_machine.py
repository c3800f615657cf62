"""Random interleavings of everything that writes the graph, on a real PostgreSQL, beside a slow and obvious reference.

What holds after every step: the graph has exactly the rows, with exactly the provenance, that the reference says; what
a crash left is what was there before; what an undoing put back is, row for row, what a superseding had changed, and
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg import sql

from cascade_cli.postgres.graph import Graph, GraphWrite
from cascade_cli.postgres.superseding import RefusedError, RowName, Superseding, Undoing
from cascade_cli.postgres.superseding import superseding as superseding_module
from cascade_cli.postgres.superseding.planning import Plan, plan_row
from cascade_cli.postgres.superseding.records import Held
from cascade_cli.records import Event

Key = tuple[str, ...]
Snapshot = Mapping[tuple[str, str], str]

GRAPH = Graph()
EVENTS = [f"e{number}" for number in range(6)]
KEYS = {
    "entities": ("arena", "type", "name"),
    "facts": ("arena", "category", "statement"),
    "relationships": ("arena", "source", "type", "target"),
}
# Whatever the rows are told apart by.
TABLES = {
    **dict.fromkeys(KEYS, "id::text"),
    "event_distillations": "event_id || producer",
    "cascade_touched_rows": "event_id || table_name || row_key::text",
}
WHOLE = " UNION ALL ".join(f"SELECT '{t}', {key}, to_jsonb({t})::text FROM {t}" for t, key in TABLES.items())
SUPPORTED = " UNION ALL ".join(
    f"SELECT '{table}', ARRAY[{', '.join(names)}], provenance_event_ids FROM {table}" for table, names in KEYS.items()
)

entities = st.builds(
    lambda name, email, aliases: {"type": "person", "name": name, "email": email, "aliases": aliases},
    st.sampled_from(["Ann", "Bob", "Cy"]),
    st.sampled_from([None, "a@x.test", "b@x.test"]),
    st.lists(st.sampled_from(["A.", "Chief"]), unique=True, max_size=2),
)
facts = st.builds(
    lambda statement, subject: {"category": "note", "statement": statement, "subject": subject},
    st.sampled_from(["It rains", "It snows", "It hails"]),
    st.sampled_from([None, "It", "Weather"]),
)
relationships = st.builds(
    lambda source, target: {"source": source, "type": "knows", "target": target},
    st.sampled_from(["Ann", "Bob"]),
    st.sampled_from(["Cy", "Di"]),
)
extractions = st.builds(
    lambda entities, facts, relationships: {"entities": entities, "facts": facts, "relationships": relationships},
    st.lists(entities, max_size=3),
    st.lists(facts, max_size=2),
    st.lists(relationships, max_size=2),
)
batches = st.dictionaries(st.sampled_from(EVENTS), extractions, min_size=1, max_size=3)
crashes = st.sampled_from([False, False, False, True])


class Crash(Exception):  # noqa: N818 - what happens, not a mistake
    """The worker dies before its transaction is committed."""


def event(event_id: str) -> Event:
    """An event; one in three happens elsewhere, so that not all share all rows."""
    return Event(event_id, "board" if int(event_id[1:]) % 3 == 0 else "sales")


def keys_of(event_id: str, extraction: Mapping[str, list[Mapping[str, str]]]) -> set[Key]:
    """The rows that an extraction becomes, told apart as the team's tables do."""
    row = {"arena": event(event_id).arena}
    return {
        (section, *(str((row | dict(item))[name]) for name in names))
        for section, names in KEYS.items()
        for item in extraction[section]
    }


@dataclass
class Reference:
    """Who said what; a row is there if somebody supports it or it was entered by hand."""

    by_hand: set[Key] = field(default_factory=set)
    provisional: dict[str, set[Key]] = field(default_factory=dict)
    student: dict[str, set[Key]] = field(default_factory=dict)
    teacher: dict[str, set[Key]] = field(default_factory=dict)
    superseded: dict[str, set[Key]] = field(default_factory=dict)

    def graph(self) -> dict[Key, frozenset[str]]:
        """Each row with the events that support it."""
        rows: dict[Key, set[str]] = {key: set() for key in self.by_hand}
        for said in (self.provisional, self.student, self.teacher):
            for event_id, keys in said.items():
                for key in keys:
                    rows.setdefault(key, set()).add(event_id)
        return {key: frozenset(events) for key, events in rows.items()}


@dataclass(frozen=True)
class Taken:
    """A superseding that can still be undone: what it changed."""

    receipt_id: int
    event_id: str
    before: Snapshot
    after: Snapshot


class Machine(RuleBasedStateMachine):
    """The rules; each is one transaction of somebody's."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=None)
        for table in (*TABLES, "cascade_receipts"):
            self.connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        self.superseding, self.undoing = Superseding(GRAPH), Undoing(GRAPH)
        self.reference = Reference()
        self.taken: list[Taken] = []

    def teardown(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self, *, crash: bool) -> Iterator[None]:
        """One transaction, which a crash leaves without a trace."""
        before = self.snapshot()
        try:
            with self.connection.transaction():
                yield
                if crash:
                    raise Crash  # noqa: TRY301 - through the transaction, as the worker's end would go
        except Crash:
            assert self.snapshot() == before
            raise

    def snapshot(self) -> dict[tuple[str, str], str]:
        """Every row of the graph, the ledger and the records, whole."""
        return {(table, row_id): image for table, row_id, image in self.connection.execute(WHOLE)}

    @rule(key=st.sampled_from([("entities", "sales", "person", "Ann"), ("entities", "board", "person", "Bob")]))
    def somebody_enters_a_row_by_hand(self, key: Key) -> None:
        if key in self.reference.graph():
            return
        self.connection.execute(
            "INSERT INTO entities (arena, type, name, participant_set, disclosure_class) "
            "VALUES (%s, %s, %s, '{}', 'open')",
            key[1:],
        )
        self.reference.by_hand.add(key)

    @rule(event_id=st.sampled_from(EVENTS), extraction=extractions, crash=crashes)
    def the_extractor_writes_provisionally(self, event_id: str, extraction: dict, crash: bool) -> None:
        """Before anything else is written for the event."""
        if event_id in {*self.reference.student, *self.reference.teacher}:
            return
        keys = keys_of(event_id, extraction)
        try:
            with self.transaction(crash=crash):
                for section, *values in keys:
                    self._enter(section, values, event_id)
        except Crash:
            return
        self.reference.provisional.setdefault(event_id, set()).update(keys)

    def _enter(self, section: str, values: list[str], event_id: str) -> None:
        names = ", ".join(KEYS[section])
        self.connection.execute(
            f"INSERT INTO {section} AS held ({names}, participant_set, disclosure_class, provenance_event_ids) "
            f"VALUES ({', '.join(['%s'] * len(values))}, '{{}}', 'private', ARRAY[%s]) ON CONFLICT ({names}) DO UPDATE "
            "SET provenance_event_ids = held.provenance_event_ids || excluded.provenance_event_ids "
            "WHERE NOT held.provenance_event_ids @> excluded.provenance_event_ids",
            [*values, event_id],
        )

    @rule(batch=batches, crash=crashes)
    def the_student_writes(self, batch: dict[str, dict], crash: bool) -> None:
        """Perhaps for the second time, for a lost claim is distilled again; never what the teacher wrote."""
        batch = {event_id: said for event_id, said in batch.items() if event_id not in self.reference.teacher}
        if self._write("student", batch, crash=crash):
            for event_id, said in batch.items():
                self.reference.student.setdefault(event_id, set()).update(keys_of(event_id, said))

    @rule(batch=batches, crash=crashes)
    def the_teacher_writes(self, batch: dict[str, dict], crash: bool) -> None:
        batch = {event_id: said for event_id, said in batch.items() if event_id not in self.reference.student}
        if self._write("teacher", batch, crash=crash):
            for event_id, said in batch.items():
                self.reference.teacher.setdefault(event_id, set()).update(keys_of(event_id, said))

    def _write(self, producer: str, batch: Mapping[str, dict], *, crash: bool) -> bool:
        writes = [GraphWrite(event(event_id), said) for event_id, said in batch.items()]
        try:
            with self.transaction(crash=crash):
                touched = GRAPH.upsert(self.connection, writes)
                if producer == "student":
                    GRAPH.record(self.connection, touched)
                self._enter_in_ledger(producer, batch)
        except Crash:
            return False
        return True

    def _enter_in_ledger(self, producer: str, event_ids: Iterable[str]) -> None:
        for event_id in event_ids:
            self.connection.execute(
                "INSERT INTO event_distillations (event_id, producer, llm_model) VALUES (%s, %s, 'm') "
                "ON CONFLICT (event_id, producer) DO UPDATE SET distilled_at = clock_timestamp()",
                [event_id, producer],
            )

    @precondition(lambda self: self.reference.student)
    @rule(data=st.data(), extraction=extractions, crash=crashes)
    def the_teacher_supersedes(self, data: st.DataObject, extraction: dict, crash: bool) -> None:
        event_id = data.draw(st.sampled_from(sorted(self.reference.student)))
        before = self.snapshot()
        try:
            with self.transaction(crash=crash):
                done = self.superseding.supersede(
                    self.connection, GraphWrite(event(event_id), extraction), llm_model="t", system_prompt_hash="h"
                )
        except Crash:
            return
        self.reference.superseded[event_id] = self.reference.student.pop(event_id)
        self.reference.teacher[event_id] = keys_of(event_id, extraction)
        self.taken.append(Taken(done.receipt_id, event_id, *_difference(before, self.snapshot())))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), crash=crashes)
    def somebody_undoes(self, data: st.DataObject, crash: bool) -> None:
        taken = data.draw(st.sampled_from(self.taken))
        now = self.snapshot()
        try:
            with self.transaction(crash=crash):
                self.undoing.undo(self.connection, taken.receipt_id)
        except Crash:
            return
        except RefusedError:
            assert self.snapshot() == now
            assert self._is_changed_since(taken, now)
            return
        assert self.snapshot() == {
            **{row: image for row, image in now.items() if row not in taken.after},
            **{row: image for row, image in taken.before.items() if image is not None},
        }
        self.taken.remove(taken)
        self.reference.student[taken.event_id] = self.reference.superseded.pop(taken.event_id)
        del self.reference.teacher[taken.event_id]

    def _is_changed_since(self, taken: Taken, now: Snapshot) -> bool:
        changed = any(now.get(row) != image for row, image in taken.after.items())
        return changed or any(
            self.connection.execute(
                f"SELECT 1 FROM {table} AS held, jsonb_populate_record(NULL::{table}, %s) AS image "
                f"WHERE {' AND '.join(f'held.{name} = image.{name}' for name in KEYS[table])}",
                [image],
            ).fetchone()
            for (table, _), image in taken.before.items()
            if table in KEYS and image is not None and taken.after[table, _] is None
        )

    @invariant()
    def the_graph_is_the_reference(self) -> None:
        found = {(section, *key): frozenset(events) for section, key, events in self.connection.execute(SUPPORTED)}
        assert found == self.reference.graph()


def _difference(before: Snapshot, after: Snapshot) -> tuple[Snapshot, Snapshot]:
    """What differs, on either side; None where a row is not there."""
    rows = [row for row in {**before, **after} if before.get(row) != after.get(row)]
    return {row: before.get(row) for row in rows}, {row: after.get(row) for row in rows}


def _run(dsn: str, examples: int, phases: Iterable[Phase] = tuple(Phase)) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Nothing here survives the test: waiting for the disk proves nothing.
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
    checks = settings(
        max_examples=examples,
        stateful_step_count=25,
        phases=list(phases),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(lambda: Machine(dsn), settings=checks)


def test_whatever_happens_in_whatever_order_the_graph_is_what_was_said(database: str) -> None:
    _run(database, 60)


@pytest.mark.slow
def test_nor_does_it_fail_when_much_more_happens(database: str) -> None:
    _run(database, 1_500)


def _blind_to_others(plan: Plan, name: RowName, held: Held, *rest: Any) -> None:
    plan_row(plan, name, replace(held, supported=False), *rest)


def _without_heirs(plan: Plan, *rest: Any) -> None:
    plan_row(plan, *rest)
    plan.bequeath.clear()


@pytest.mark.slow
@pytest.mark.parametrize("broken", [_blind_to_others, _without_heirs])
def test_it_fails_where_others_are_not_looked_at_and_where_a_creation_is_not_handed_on(
    database: str, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None]
) -> None:
    """The proof that the test above bites: the look for other events that support a row is taken out."""
    monkeypatch.setattr(superseding_module, "plan_row", broken)
    with pytest.raises(AssertionError):
        _run(database, 400, [Phase.generate])
