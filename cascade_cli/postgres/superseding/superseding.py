"""One event's student write taken back and the teacher's put in its place, with a receipt that can undo it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from psycopg import errors

from cascade_cli.postgres.graph import Graph, GraphWrite
from cascade_cli.postgres.graph.writing import Key, Pending, gathered
from cascade_cli.postgres.superseding.changing import Changes
from cascade_cli.postgres.superseding.locking import Reader, Said, array_text, ids_by_section
from cascade_cli.postgres.superseding.planning import Amendment, Plan, amendment_of, plan_row
from cascade_cli.postgres.superseding.records import Held, Recorded, RefusedError, RowName, Superseded
from cascade_cli.postgres.superseding.statements import Statements

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection


class Superseding:
    """Replaces what the student wrote for an event; on a connection, and inside a transaction, of the caller's.

    Args:
        graph: where both write.
    """

    def __init__(self, graph: Graph) -> None:
        self._mapping = graph.mapping
        self._statements = Statements(graph.mapping)

    def supersede(
        self, connection: Connection, write: GraphWrite, *, llm_model: str, system_prompt_hash: str | None
    ) -> Superseded:
        """Take back what the student's write did for an event, and write what the teacher says.

        Of the rows that the student's write recorded, those that it created and no other event supports go, unless the
        teacher says them too: then they keep their id and get the teacher's columns. From the others the event is
        taken, and the columns that the write changed are put back where nobody has written the row since. Then the
        teacher's rows are written as ever, and its ledger row, and the order for the event is finished.

        Args:
            connection: in a transaction; the student's ledger row stays locked until that ends.
            write: the event with the teacher's extraction.
            llm_model: the teacher's name.
            system_prompt_hash: the teacher prompt in force; None when unknown.

        Raises:
            RefusedError: the student did not write the event, the teacher has already, or a row that the student
                touched is gone and no merge says where to. Nothing was changed.
            psycopg.errors.SerializationFailure: another writer made one of the rows at the same moment; do it again.
            ValueError: there is no transaction.
        """
        reader = Reader(connection, self._statements, self._mapping)
        _check_ledger(reader.lock_ledger(write.event_id), write.event_id)
        said: Said = gathered(self._mapping, [write])
        held, moved = self._lock(reader, write.event_id, said)
        # Only now, for another superseding may have made the student the creator of a row that it held until now.
        recorded = _resolved(reader.recorded(write.event_id), moved)
        plan = self._planned(held, recorded, said)
        changes = Changes(plan.delete, self._amendments(held, plan, said), _to_make(said, held))
        receipt = {
            "event_id": write.event_id,
            "llm_model": llm_model,
            "system_prompt_hash": system_prompt_hash,
            "heirs": json.dumps(self._bequeath(connection, write.event_id, plan)),
            "kept": json.dumps([name._asdict() for name in plan.kept]),
        }
        finish = self._statements.finish(changes.parts)
        ((receipt_id, made),) = connection.execute(finish, receipt | changes.parameters).fetchall()
        if len(made) != sum(map(len, changes.make.values())):
            raise errors.SerializationFailure("another writer made the same row at the same moment")
        return Superseded(
            receipt_id,
            write.event_id,
            tuple(changes.delete),
            tuple(changes.amend),
            tuple(RowName(*name) for name in made),
            tuple(plan.kept),
        )

    def _lock(self, reader: Reader, event_id: str, said: Said) -> tuple[dict[RowName, Held], Mapping[RowName, RowName]]:
        """Lock the rows that the student touched and those that the teacher says; tell which of them moved where."""
        names = reader.recorded(event_id)
        held = reader.lock_rows(event_id, names, said)
        gone = [name for name in names if name not in held]
        moved = reader.followed(gone) if gone else {}
        held |= reader.lock_rows(event_id, [name for name in moved.values() if name not in held], {})
        for name in gone:
            if moved.get(name) not in held:
                raise self._lost(name, event_id)
        return held, moved

    def _lost(self, name: RowName, event_id: str) -> RefusedError:
        audit = self._mapping.of_section(name.section).merges
        told = f"and {audit.table} does not say where to" if audit else "and no table of merges is configured"
        return RefusedError(
            f"Row {name.row_id} of {name.section}, which the student wrote for event {event_id}, is gone, {told}.",
            hint=f'Name the table that audits merges as [postgres.{name.section}] merges = "…".',
        )

    def _planned(self, held: Mapping[RowName, Held], recorded: Mapping[RowName, Recorded], said: Said) -> Plan:
        plan = Plan()
        for name, record in recorded.items():
            pending = said[name.section].get(held[name].key)
            plan_row(
                plan,
                name,
                held[name],
                record,
                pending.values if pending else None,
                self._mapping.of_section(name.section),
            )
        return plan

    def _amendments(self, held: Mapping[RowName, Held], plan: Plan, said: Said) -> dict[RowName, Amendment]:
        """The rows that lose the event, and those that get it, for the teacher says them and they lack it."""
        changing = [name for name, row in held.items() if _is_joined(name, row, said) or name in plan.strip]
        return {name: self._amendment(name, held[name], plan, said) for name in changing}

    def _amendment(self, name: RowName, row: Held, plan: Plan, said: Said) -> Amendment:
        pending = said[name.section].get(row.key)
        table = self._mapping.of_section(name.section)
        return amendment_of(row, plan.strip.get(name, {}), pending.values if pending else None, table)

    def _bequeath(self, connection: Connection, event_id: str, plan: Plan) -> list[Mapping[str, str]]:
        """Hand creations on; returns the records that were changed by it."""
        return [
            {"section": section, "row_id": row_id, "event_id": heir}
            for section, ids in ids_by_section(plan.bequeath).items()
            for heir, row_id in connection.execute(
                self._statements.whole("bequeath", section), {"ids": array_text(ids), "event_id": event_id}
            )
        ]


def _check_ledger(producers: Collection[str], event_id: str) -> None:
    if "student" not in producers:
        raise RefusedError(f"The student did not write event {event_id}.", hint="The teacher may write it as ever.")
    if "teacher" in producers:
        raise RefusedError(
            f"The teacher wrote event {event_id} already.", hint="Undo its receipt first, where it has one."
        )


def _resolved(recorded: Mapping[RowName, Recorded], moved: Mapping[RowName, RowName]) -> dict[RowName, Recorded]:
    """Records by the rows that there are now. Into whatever row one was merged, that row was there without it."""
    there = {name: record for name, record in recorded.items() if name not in moved}
    for name in recorded:
        if name in moved:
            there.setdefault(moved[name], Recorded(created=False, before=None, after=None))
    return there


def _to_make(said: Said, held: Mapping[RowName, Held]) -> dict[str, dict[Key, Pending]]:
    """What the teacher says that is no row yet."""
    there = {(name.section, row.key) for name, row in held.items()}
    return {
        section: {key: pending for key, pending in rows.items() if (section, key) not in there}
        for section, rows in said.items()
    }


def _is_joined(name: RowName, row: Held, said: Said) -> bool:
    return not row.carried and row.key in said[name.section]
