"""What the queue's statements cost, told by the server's own plans: the same however many rows are done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from rig import Rig

from cascade_cli.postgres.queue import Lane
from cascade_cli.postgres.superseding import MopUp
from cascade_cli.postgres.superseding.locking import array_text

# The embedded tables have these; on others `cascade migrate` makes them.
_LIKELY = {"idx_distillation_queue_pending", "idx_distillation_queue_leases", "distillation_queue_pkey"}
_SEVERAL = ["1", "2"]
_VALUES: dict[str, object] = {
    "action": "kill",
    "alone_from": 2,
    "answers": "[]",
    "error": "garbage",
    "escalated": [True, None],
    "event_ids": _SEVERAL,
    "fence": "w/1",
    "fences": _SEVERAL,
    "final": False,
    "mops_up": True,
    "flip_allowed": None,
    "killed": True,
    "lease_s": 60.0,
    "limit": 10,
    "llm_model": "m",
    "longest_error": 20,
    "max_attempts": 3,
    "most_bytes": 1_000,
    "oldest_worker_version": None,
    "policy_fingerprint": "p",
    "producer": "teacher",
    "quarantine_at": 5,
    "queue_id": "1",
    "queue_ids": _SEVERAL,
    "reason": "r",
    "reasons": _SEVERAL,
    "rollout_stage": None,
    "system_prompt_hash": "h",
    "timeout_ms": "10",
    "traces": "[]",
    "wait_s": 1.0,
    "who": "ann",
}


def statements(rig: Rig) -> dict[str, bytes]:
    """Every statement of queue, writing and switch, as it is sent."""
    queue = rig.queue()
    writer = rig.writer(queue)
    claims = {f"claim for the {lane.value}": query for lane, query in queue._claims.items()}
    with psycopg.connect(rig.dsn) as connection:
        control = {name: query.as_bytes(connection) for name, query in rig.control._queries.items()}
    return {**claims, **queue._queries, **writer._queries, **writer._records.queries, **control}


def fill(rig: Rig, done: int) -> None:
    """So many rows that are done, and the same handful that are not; the server knows how many."""
    rig.execute("TRUNCATE distillation_queue, events, cascade_escalations, cascade_queue_marks")
    rig.enqueue(*(f"e{number}" for number in range(done + 400)))
    rig.execute(
        "UPDATE distillation_queue SET status = 'done' WHERE event_id = ANY(%s)", [f"e{n}" for n in range(done)]
    )
    pending = "FROM distillation_queue WHERE status = 'pending' ORDER BY id"
    rig.execute(
        "INSERT INTO cascade_escalations (event_id, queue_id, reason)"
        f" SELECT event_id, id::text, 'r' {pending} DESC LIMIT 100"
    )
    rig.execute(f"INSERT INTO cascade_queue_marks (queue_id, not_before) SELECT id::text, now() {pending} LIMIT 50")
    rig.queue().claim(Lane.STUDENT, 50)
    rig.execute("VACUUM ANALYZE")


def test_every_statement_can_be_explained_and_none_reads_the_whole_queue(rig: Rig) -> None:
    fill(rig, 20_000)
    for name, query in statements(rig).items():
        plan = json.dumps(_explained(rig, "EXPLAIN (FORMAT JSON) ", query))
        for node in _nodes(json.loads(plan)):
            assert (node["Node Type"], node.get("Relation Name")) != ("Seq Scan", "distillation_queue"), name
            if node.get("Relation Name") == "distillation_queue" and "Index Name" in node:
                assert node["Index Name"] in _LIKELY, name


@pytest.mark.parametrize("lane", Lane)
def test_claiming_reads_as_many_pages_with_thirty_times_as_many_rows_done(rig: Rig, lane: Lane) -> None:
    pages = []
    for done in (1_000, 30_000):
        fill(rig, done)
        plan = _explained(rig, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ", rig.queue()._claims[lane])
        root = plan[0]["Plan"]
        assert root["Actual Rows"] == 10
        pages.append(root["Shared Hit Blocks"] + root["Shared Read Blocks"])
    # An index has grown by one level, which each row that is looked up by its id reads.
    assert pages[1] <= pages[0] * 1.2 + 2 * 10


def test_what_was_said_is_found_without_reading_every_event_whatever_the_type_of_ids(rig: Rig) -> None:
    rig.execute("ALTER TABLE events ALTER id TYPE uuid USING NULL")
    rig.execute("INSERT INTO events (id) SELECT gen_random_uuid() FROM generate_series(1, 5000)")
    rig.execute("VACUUM ANALYZE")
    ids = [str(event_id) for (event_id,) in rig.execute("SELECT id FROM events LIMIT 2")]
    said = {"event_ids": ids, "queue_event_ids": array_text(ids)}
    plan = _explained(rig, "EXPLAIN (FORMAT JSON) ", MopUp(rig.mapping)._said, said)
    read = {(node["Node Type"], node.get("Relation Name")) for node in _nodes(plan)}
    assert ("Seq Scan", "events") not in read, plan


def _explained(rig: Rig, explain: str, query: bytes, values: Mapping[str, object] = _VALUES) -> Any:
    with psycopg.connect(rig.dsn) as connection:
        ((plan,),) = connection.execute(explain.encode() + query, values).fetchall()
        connection.rollback()
    return plan


def _nodes(plan: Any) -> list[dict[str, Any]]:
    if isinstance(plan, list):
        return [node for part in plan for node in _nodes(part)]
    if not isinstance(plan, dict):
        return []
    own = [plan] if "Node Type" in plan else []
    return own + [node for part in plan.values() for node in _nodes(part)]
