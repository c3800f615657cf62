"""A superseding undone: every row as it was before, or a reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg import sql

from cascade_cli.postgres.graph import Graph
from cascade_cli.postgres.superseding.locking import Reader, array_text, ids_by_section
from cascade_cli.postgres.superseding.records import RefusedError, RowName, Undone
from cascade_cli.postgres.superseding.statements import Statements

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Receipt:
    """What a receipt says of the rows that were changed.

    Attributes:
        receipt_id: its id.
        event_id: the event that was superseded.
        digests: of each row as it was left; None where it was deleted.
        imaged: the rows that were there before.
        heirs: how many records of others were changed.
    """

    receipt_id: int
    event_id: str
    digests: dict[RowName, str | None]
    imaged: frozenset[RowName]
    heirs: int

    @property
    def made(self) -> list[RowName]:
        """Rows that were not there before."""
        return [name for name in self.digests if name not in self.imaged]

    @property
    def altered(self) -> list[RowName]:
        """Rows that were there before and after."""
        return [name for name, digest in self.digests.items() if digest is not None and name in self.imaged]

    @property
    def deleted(self) -> list[RowName]:
        """Rows that were there only before."""
        return [name for name, digest in self.digests.items() if digest is None]


class Undoing:
    """Undoes what `Superseding` did; on a connection, and inside a transaction, of the caller's.

    Args:
        graph: whose rows they are.
    """

    def __init__(self, graph: Graph) -> None:
        self._mapping = graph.mapping
        self._statements = Statements(graph.mapping)

    def undo(self, connection: Connection, receipt_id: int) -> Undone:
        """Bring back every row, the ledger and the student's records as they were before an event was superseded.

        Args:
            connection: in a transaction, to be rolled back where this raises.
            receipt_id: of the superseding.

        Raises:
            RefusedError: there is no such receipt, it was undone before, or something that it speaks of has changed
                since; says what.
            ValueError: there is no transaction.
        """
        reader = Reader(connection, self._statements, self._mapping)
        receipt = self._lock_receipt(connection, receipt_id)
        reader.lock_ledger(receipt.event_id)
        self._check_ledger(connection, receipt)
        reader.lock_rows(receipt.event_id, receipt.digests, {})
        _check_rows(receipt, reader.digests(receipt.digests))
        self._check_keys(connection, receipt)
        self._put_rows_back(connection, receipt)
        if (
            connection.execute(self._statements.whole("disinherit"), {"receipt_id": receipt_id}).rowcount
            < receipt.heirs
        ):
            raise _changed(receipt, "the record of a student's write that inherited a row is gone")
        connection.execute(self._statements.whole("finish_undo"), {"receipt_id": receipt_id})
        return Undone(receipt_id, receipt.event_id, (*receipt.altered, *receipt.deleted), tuple(receipt.made))

    def _lock_receipt(self, connection: Connection, receipt_id: int) -> _Receipt:
        found = connection.execute(self._statements.whole("lock_receipt"), {"receipt_id": receipt_id}).fetchone()
        if found is None:
            raise RefusedError(f"There is no receipt {receipt_id}.", hint="cascade status lists the latest.")
        event_id, undone, left, imaged, heirs = found
        if undone:
            raise RefusedError(f"Receipt {receipt_id} was undone before.")
        digests = {RowName(row["section"], row["row_id"]): row["digest"] for row in left}
        return _Receipt(receipt_id, event_id, digests, frozenset(RowName(*row.split(" ", 1)) for row in imaged), heirs)

    def _check_ledger(self, connection: Connection, receipt: _Receipt) -> None:
        given = {"receipt_id": receipt.receipt_id}
        ((same,),) = connection.execute(self._statements.whole("ledger_is_as_left"), given).fetchall()
        if not same:
            raise _changed(receipt, "the event was written again")

    def _check_keys(self, connection: Connection, receipt: _Receipt) -> None:
        for section, ids in ids_by_section(receipt.deleted).items():
            given = {"receipt_id": receipt.receipt_id, "row_ids": ids}
            taken = connection.execute(self._statements.whole("made_anew", section), given).fetchall()
            if taken:
                raise _changed(receipt, f"row {taken[0][0]} of {section} has the key of a row that was deleted")

    def _put_rows_back(self, connection: Connection, receipt: _Receipt) -> None:
        for section, ids in ids_by_section(receipt.made).items():
            connection.execute(self._statements.whole("remove_rows", section), {"ids": array_text(ids)})
        for query, names in (("put_back", receipt.altered), ("bring_back", receipt.deleted)):
            for section, ids in ids_by_section(names).items():
                given = {"receipt_id": receipt.receipt_id, "row_ids": ids}
                connection.execute(self._with_columns(connection, query, section), given)

    def _with_columns(self, connection: Connection, query: str, section: str) -> bytes:
        """A statement over all columns of a table, as they are called today; what is generated is not written."""
        found = connection.execute(self._statements.whole("writable_columns", section)).fetchall()
        columns = [sql.Identifier(name) for (name,) in found]
        others = [sql.Identifier(name) for (name,) in found if name != self._mapping.of_section(section).id]
        return self._statements.filled(
            query,
            section,
            {
                "columns": sql.SQL(", ").join(columns),
                "image_columns": sql.SQL(", ").join(sql.SQL("image.{}").format(column) for column in columns),
                "assignments": sql.SQL(", ").join(sql.SQL("{0} = image.{0}").format(column) for column in others),
            },
        )


def _check_rows(receipt: _Receipt, digests: dict[RowName, str]) -> None:
    other = [name for name, digest in receipt.digests.items() if digests.get(name) != digest]
    if other:
        shown = ", ".join(f"{name.section} {name.row_id}" for name in other[:_SHOWN])
        more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
        raise _changed(receipt, f"these rows are no longer as it left them: {shown}{more}")


def _changed(receipt: _Receipt, why: str) -> RefusedError:
    return RefusedError(
        f"Receipt {receipt.receipt_id} of event {receipt.event_id} cannot be undone: {why}.",
        hint="What came since would be lost. Order the event once more with cascade mop-up, or mend it by hand.",
    )
