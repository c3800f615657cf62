"""The floor: claim, graph rows, ledger, trace and done in batches, by psycopg alone.

``live_floor.py DSN BATCH [touched]``. It has no lease to renew, no gate, no model to ask, no lane, no switch and no
retry; of the graph it keeps what a batch says, sorted and without doubles. With ``touched`` it also records which rows
an event is on, as whoever wants to take a student's write back must. Prints its CPU seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

CLAIM = """
WITH ready AS MATERIALIZED (
    SELECT id FROM distillation_queue WHERE status = 'pending' AND attempts < 3
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE distillation_queue AS queue
    SET status = 'claimed', claimed_by = %s, claimed_at = clock_timestamp(),
        claim_expires_at = clock_timestamp() + interval '120 s'
    FROM ready WHERE queue.id = ready.id RETURNING queue.id, queue.event_id
)
SELECT claimed.id, event_id, arena, content FROM claimed JOIN events ON events.id = event_id ORDER BY claimed.id
"""
UPSERT = """
INSERT INTO {table} AS held (arena, participant_set, disclosure_class, {key}, {more} provenance_event_ids)
SELECT arena, ARRAY[arena], 'private', {key}, {values} array_agg(event_id)
FROM unnest({arrays}) AS given (event_id, arena, {columns})
GROUP BY arena, {key} ORDER BY arena, {key}
ON CONFLICT (arena, {key}) DO UPDATE
SET provenance_event_ids = held.provenance_event_ids || excluded.provenance_event_ids
WHERE NOT held.provenance_event_ids @> excluded.provenance_event_ids
"""
LEDGER = """
INSERT INTO event_distillations (event_id, producer, llm_model, system_prompt_hash, escalated, distilled_at)
SELECT unnest(%s::text[]), 'student', 'student', 'f1e0ff', false, clock_timestamp() ON CONFLICT DO NOTHING
"""
TRACE = """
INSERT INTO distillation_traces (id, event_id, raw_response)
SELECT 'trace ' || event_id, event_id, response FROM unnest(%s::text[], %s::text[]) AS said (event_id, response)
"""
DONE = "UPDATE distillation_queue SET status = 'done' WHERE id = ANY(%s) AND claimed_by = %s AND status = 'claimed'"
TOUCHED = """
INSERT INTO cascade_touched_rows (event_id, table_name, row_key, created)
SELECT event_id, table_name, jsonb_build_array(row_key), true
FROM unnest(%s::text[], %s::text[], %s::text[]) AS touched (event_id, table_name, row_key) ON CONFLICT DO NOTHING
"""


def _upsert(table: str, key: Sequence[str], more: Sequence[str] = ()) -> bytes:
    columns = (*key, *more)
    names = {
        "table": table,
        "key": ", ".join(key),
        "more": "".join(f"{name}, " for name in more),
        "values": "".join(f"min({name}), " for name in more),
        "arrays": ", ".join(["%s::text[]"] * (2 + len(columns))),
        "columns": ", ".join(columns),
    }
    return UPSERT.format(**names).encode()


COLUMNS = {
    "entities": ("type", "name", "email"),
    "facts": ("category", "statement", "subject"),
    "relationships": ("source", "type", "target"),
}
UPSERTS = {
    "entities": _upsert("entities", ("type", "name"), ("email",)),
    "facts": _upsert("facts", ("category", "statement"), ("subject",)),
    "relationships": _upsert("relationships", ("source", "type", "target")),
}


def work(connection: Connection, batch: int, *, touched: bool) -> None:
    """Until the queue is empty."""
    number = 0
    while rows := connection.execute(CLAIM, [batch, fence := f"{time.time_ns()}/{number}"]).fetchall():
        number += 1
        said = [(event_id, arena, json.loads(content)) for _, event_id, arena, content in rows]
        with connection.transaction():
            _write(connection, said, touched=touched)
            event_ids = [event_id for _, event_id, _, _ in rows]
            connection.execute(LEDGER, [event_ids])
            connection.execute(TRACE, [event_ids, [content for *_, content in rows]])
            connection.execute(DONE, [[queue_id for queue_id, *_ in rows], fence])


def _write(connection: Connection, said: Iterable[tuple[str, str, Any]], *, touched: bool) -> None:
    said = list(said)
    for table, names in COLUMNS.items():
        items = {
            (event_id, arena, *map(item.get, names))
            for event_id, arena, extraction in said
            for item in extraction[table]
        }
        connection.execute(UPSERTS[table], _columns(items))
        if touched:
            keys = [(event_id, table, " ".join(map(str, key))) for event_id, _, *key in items]
            connection.execute(TOUCHED, _columns(keys))


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def main(dsn: str, batch: int, *, touched: bool) -> None:
    """Work, and print the CPU seconds that it took."""
    began_s = time.process_time()
    with psycopg.connect(dsn, autocommit=True) as connection:
        work(connection, batch, touched=touched)
    print(json.dumps({"cpu_s": time.process_time() - began_s}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), touched="touched" in sys.argv)
