"""What the queue's statements cost, told by the server's own plans: the same however many rows are done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import psycopg
import pytest
from rig import Rig

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.ages import standing_events
from cascade_cli.postgres.connection import compose
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


def test_how_old_a_prompt_is_and_what_was_said_is_found_without_reading_everything(rig: Rig) -> None:
    """Every worker asks for the age twice a minute while a prompt is new; ids may be of any type."""
    rig.execute("ALTER TABLE events ALTER id TYPE uuid USING NULL")
    rig.execute("INSERT INTO events (id) SELECT gen_random_uuid() FROM generate_series(1, 5000)")
    ledger = "INSERT INTO event_distillations (event_id, producer, llm_model, system_prompt_hash)"
    rig.execute(f"{ledger} SELECT id::text, 'student', 'm', 'old' FROM events")
    rig.execute(f"{ledger} SELECT 'new', 'student', 'm', 'h'")
    rig.execute("VACUUM ANALYZE")
    mapping, ages = rig.mapping, read_named_sql(files("cascade_cli.postgres") / "ages.sql")
    age = compose(ages["standing_events"], {"ledger": mapping.table("event_distillations")}).as_bytes(None)
    assert standing_events(rig.pool, mapping, "h", 100) == 1
    ids = [str(event_id) for (event_id,) in rig.execute("SELECT id FROM events LIMIT 2")]
    said = {"prompt_hash": "h", "most": 100, "event_ids": ids, "queue_event_ids": array_text(ids)}
    for query in (age, MopUp(mapping)._said):
        plan = _explained(rig, "EXPLAIN (FORMAT JSON) ", query, said)
        read = {(node["Node Type"], node.get("Relation Name")) for node in _nodes(plan)}
        assert not read & {("Seq Scan", "event_distillations"), ("Seq Scan", "events")}, plan


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
