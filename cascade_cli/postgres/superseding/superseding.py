"""One event's student write taken back and the teacher's put in its place, with a receipt that can undo it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from psycopg import errors

from cascade_cli.postgres.graph import Graph, GraphWrite, Touched
from cascade_cli.postgres.graph.writing import gathered
from cascade_cli.postgres.superseding.locking import Reader, Said, array_text, ids_by_section
from cascade_cli.postgres.superseding.planning import Plan, plan_row
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
        self._graph = graph
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
        images = reader.images(_to_be_joined(held, said)) | self._take_back(connection, write.event_id, plan)
        heirs = self._bequeath(connection, plan)
        touched = self._graph.upsert_rows(connection, _still_to_write(said, held, plan))
        changed = {**images, **_made(touched, images)}
        receipt = {
            "event_id": write.event_id,
            "llm_model": llm_model,
            "system_prompt_hash": system_prompt_hash,
            "heirs": json.dumps(heirs),
            "kept": json.dumps([name._asdict() for name in plan.kept]),
            "rows_before": _with_images(changed),
            "rows_after": _with_digests(changed, reader.digests(changed)),
        }
        ((receipt_id,),) = connection.execute(self._statements.whole("finish"), receipt).fetchall()
        return Superseded(receipt_id, write.event_id, tuple(plan.delete), tuple(plan.strip), tuple(plan.kept), touched)

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

    def _take_back(self, connection: Connection, event_id: str, plan: Plan) -> dict[RowName, str]:
        """Delete and strip; returns the rows as they were."""
        images: dict[RowName, str] = {}
        for query, names in (("delete_rows", plan.delete), ("strip_rows", plan.strip)):
            for section, ids in ids_by_section(names).items():
                columns = {row_id: plan.strip.get(RowName(section, row_id)) for row_id in ids}
                given = {"ids": array_text(ids), "event_id": event_id, "columns": json.dumps(columns)}
                found = connection.execute(self._statements.whole(query, section), given)
                images |= {RowName(section, row_id): image for row_id, image in found}
        return images

    def _bequeath(self, connection: Connection, plan: Plan) -> list[Mapping[str, str]]:
        """Hand creations on; returns the records that were changed by it."""
        return [
            {"section": section, "row_id": row_id, "event_id": heir}
            for section, ids in ids_by_section(plan.bequeath).items()
            for heir, row_id in connection.execute(
                self._statements.whole("bequeath", section), {"ids": array_text(ids)}
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


def _still_to_write(said: Said, held: Mapping[RowName, Held], plan: Plan) -> Said:
    """What the teacher says, without the rows that carry the event and keep it."""
    kept = {(name.section, row.key) for name, row in held.items() if row.carried and name not in plan.strip}
    return {
        section: {key: pending for key, pending in rows.items() if (section, key) not in kept}
        for section, rows in said.items()
    }


def _to_be_joined(held: Mapping[RowName, Held], said: Said) -> list[RowName]:
    """Rows to which the teacher's write will add the event, for it says them and they lack it."""
    return [name for name, row in held.items() if not row.carried and row.key in said[name.section]]


def _made(touched: Iterable[Touched], images: Mapping[RowName, str]) -> dict[RowName, None]:
    """The rows that the teacher created; of all others it touched there must be an image."""
    names = {RowName(each.table, each.row_key[0]): each.created for each in touched}
    if any(not created and name not in images for name, created in names.items()):
        raise errors.SerializationFailure("another writer made the same row at the same moment")
    return {name: None for name, created in names.items() if created}


def _with_images(rows: Mapping[RowName, str | None]) -> str:
    """Rows as they were, as a JSON list. An image is JSON already, and more exact than if it were read here."""
    entries = (
        f'{{"section": {json.dumps(name.section)}, "row_id": {json.dumps(name.row_id)}, "image": {image or "null"}}}'
        for name, image in rows.items()
    )
    return f"[{', '.join(entries)}]"


def _with_digests(rows: Iterable[RowName], digests: Mapping[RowName, str]) -> str:
    """The same rows as they were left; null where there is none any more."""
    return json.dumps([{**name._asdict(), "digest": digests.get(name)} for name in rows])
