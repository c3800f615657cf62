"""What a superseding and its undoing read of the database, most of it under a lock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from psycopg.pq import TransactionStatus

from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.graph.writing import Key, Pending
from cascade_cli.postgres.superseding.records import Held, Recorded, RowName
from cascade_cli.postgres.superseding.statements import Statements

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

Said = Mapping[str, Mapping[Key, Pending]]
"""What the teacher says, by section and key."""


class Reader:
    """Reads on one connection, inside a transaction of the caller's.

    Args:
        connection: in a transaction.
        statements: of the mapping.
        mapping: of the team's tables.

    Raises:
        ValueError: there is no transaction, so that no lock would last.
    """

    def __init__(self, connection: Connection, statements: Statements, mapping: GraphMapping) -> None:
        if connection.info.transaction_status is not TransactionStatus.INTRANS:
            raise ValueError("superseding needs a transaction around it")
        self._connection = connection
        self._statements = statements
        self._mapping = mapping

    def lock_ledger(self, event_id: str) -> frozenset[str]:
        """Who wrote the event, by its ledger rows, which are locked."""
        self._connection.execute(self._statements.whole("lock_ledger"), {"event_id": event_id})
        found = self._connection.execute(self._statements.whole("producers"), {"event_id": event_id})
        return frozenset(producer for (producer,) in found)

    def recorded(self, event_id: str) -> dict[RowName, Recorded]:
        """What the student's writes for the event did."""
        found = self._connection.execute(self._statements.whole("touched_rows"), {"event_id": event_id})
        return {
            RowName(section, row_id): Recorded(created, before, after)
            for section, row_id, created, before, after in found
        }

    def lock_rows(self, event_id: str, names: Iterable[RowName], said: Said) -> dict[RowName, Held]:
        """Lock some rows, and those that have a key of what is said; rows that are not there are absent."""
        ids = ids_by_section(names)
        sections = [
            table.section for table in self._mapping.tables if ids.get(table.section) or said.get(table.section)
        ]
        if not sections:
            return {}
        given = {"event_id": event_id}
        for section in sections:
            given[f"{section}_ids"] = array_text(ids.get(section, ()))
            given[f"{section}_keys"] = self._keys(section, said.get(section, {}))
        found = self._connection.execute(self._statements.arms("lock_rows_arm", sections), given)
        return {
            RowName(section, row_id): Held(tuple(key), columns, *support)
            for section, row_id, key, columns, support in found
        }

    def followed(self, names: Iterable[RowName]) -> dict[RowName, RowName]:
        """Into which rows others were merged; one that no audit table tells of is absent."""
        found: dict[RowName, RowName] = {}
        for section, ids in ids_by_section(names).items():
            if self._mapping.of_section(section).merges is not None:
                query = self._statements.whole("follow_merges", section)
                for row_id, kept in self._connection.execute(query, {"ids": array_text(ids)}):
                    found[RowName(section, row_id)] = RowName(section, kept)
        return found

    def digests(self, names: Iterable[RowName]) -> dict[RowName, str]:
        """Digests of whole rows; a row that is not there is absent."""
        ids = ids_by_section(names)
        if not ids:
            return {}
        given = {f"{section}_ids": array_text(rows) for section, rows in ids.items()}
        found = self._connection.execute(self._statements.arms("digests_arm", ids), given)
        return {RowName(section, row_id): text for section, row_id, text in found}

    def _keys(self, section: str, rows: Mapping[Key, Pending]) -> str:
        names = self._mapping.of_section(section).key
        return json.dumps([dict(zip(names, key, strict=True)) for key in rows], ensure_ascii=False)


def ids_by_section(names: Iterable[RowName]) -> dict[str, list[str]]:
    """Row ids by their sections, in the order in which sections come first."""
    ids: dict[str, list[str]] = {}
    for section, row_id in names:
        ids.setdefault(section, []).append(row_id)
    return ids


def array_text(ids: Iterable[str]) -> str:
    """Ids as the text of an array, which the server reads by the type of what it is compared with."""
    quoted = (row_id.replace("\\", "\\\\").replace('"', '\\"') for row_id in ids)
    return "{" + ",".join(f'"{row_id}"' for row_id in quoted) + "}"
