"""``cascade mop-up`` and ``cascade undo`` on a real PostgreSQL: what is chosen, what is ordered, what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from cascade_cli.app import run
from cascade_cli.postgres.graph import Graph, GraphWrite
from cascade_cli.postgres.superseding import Superseding
from cascade_cli.records import Event

Connection = psycopg.Connection[tuple[Any, ...]]
Cascade = Callable[..., "Ended"]
GRAPH = Graph()


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


class Ended(NamedTuple):
    """A command that was run."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def cascade(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cascade:
    """Run the command line, in this process, for starting one takes longer than all that is tested here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database)

    def ended(*arguments: str) -> Ended:
        capsys.readouterr()
        return Ended(run(arguments), *capsys.readouterr())

    return ended


def _distilled(connection: Connection, number: int, said: str = '{"entities": ["Ann"]}', prompt: str = "f1e0ff") -> str:
    """An event that the student wrote an hour ago for each number, with its queue row, and what the student said."""
    event_id = f"e{number}"
    connection.execute("INSERT INTO events (id, arena, content) VALUES (%s, 'sales', 'Ann was here')", [event_id])
    connection.execute(
        "INSERT INTO distillation_queue (event_id, status, attempts, claimed_by, last_error) "
        "VALUES (%s, 'done', 2, 'w', 'x')",
        [event_id],
    )
    with connection.transaction():
        GRAPH.record(connection, GRAPH.upsert(connection, [GraphWrite(Event(event_id, "sales"), json.loads(said))]))
        connection.execute(
            "INSERT INTO event_distillations "
            "VALUES (%s, 'student', 'm', %s, false, NULL, now() - %s * interval '1 hour')",
            [event_id, prompt, number],
        )
    connection.execute(
        "INSERT INTO cascade_student_answers (event_id, student_model, prompt_shape, sample_index, response) "
        "VALUES (%s, 'm', 'event_block', 0, %s)",
        [event_id, said],
    )
    return event_id


def _chosen(cascade: Cascade, *arguments: str) -> list[str]:
    ended = cascade("mop-up", "--dry-run", "--allow-empty", "--json", *arguments)
    assert ended.returncode == 0, ended.stderr
    return [event["event_id"] for event in json.loads(ended.stdout)["data"]["events"]]


def test_an_order_puts_the_event_into_the_teachers_lane_with_all_its_attempts(
    connection: Connection, cascade: Cascade
) -> None:
    _distilled(connection, 1)
    ended = cascade("mop-up", "--event", "e1", "--because", "a test")
    assert (ended.returncode, "Ordered: 1 event for the teacher" in ended.stdout) == (0, True), ended.stderr
    queue = connection.execute(
        "SELECT id::text, status, attempts, claimed_by, last_error FROM distillation_queue"
    ).fetchone()
    escalation = connection.execute("SELECT queue_id, event_id, reason FROM cascade_escalations").fetchone()
    order = connection.execute(
        "SELECT event_id, reason, ordered_by <> '', finished_at FROM cascade_mop_up_orders"
    ).fetchone()
    assert queue is not None
    assert queue[1:] == ("pending", 0, None, None)
    assert escalation == (queue[0], "e1", "mop_up")
    assert order == ("e1", "a test", True, None)


def test_a_dry_run_changes_nothing(connection: Connection, cascade: Cascade) -> None:
    _distilled(connection, 1, prompt="f1e0ff" + 58 * "0")
    ended = cascade("mop-up", "--dry-run")
    assert "1 event would be ordered" in ended.stdout
    assert "There are more" not in ended.stdout
    assert ("f1e0ff000000" in ended.stdout, "f1e0ff0000000" in ended.stdout) == (True, False)
    assert connection.execute("SELECT count(*) FROM cascade_mop_up_orders").fetchone() == (0,)
    assert connection.execute("SELECT status FROM distillation_queue").fetchone() == ("done",)


def test_events_are_chosen_by_prompt_time_list_gate_and_limit(
    connection: Connection, cascade: Cascade, tmp_path: Path
) -> None:
    _distilled(connection, 1)
    _distilled(connection, 2, prompt="bbdaba")
    _distilled(connection, 30, '{"facts": [{"category": "Decision", "statement": "We buy"}]}')
    _distilled(connection, 4, '{"entities": [{"name": "Ann", "email": "made@up.test"}]}')
    assert _chosen(cascade) == ["e30", "e4", "e2", "e1"]
    assert _chosen(cascade, "--limit", "2") == ["e30", "e4"]
    assert "There are more: these are the 3 oldest" in cascade("mop-up", "--dry-run", "--limit", "3").stdout
    assert "There are more" not in cascade("mop-up", "--dry-run", "--limit", "4").stdout
    assert _chosen(cascade, "--prompt-hash", "bb") == ["e2"]
    assert _chosen(cascade, "--since", "3h") == ["e2", "e1"]
    assert _chosen(cascade, "--until", "1d") == ["e30"]
    assert _chosen(cascade, "--reason", "high_value_class") == ["e30"]
    assert _chosen(cascade, "--reason", "grounding_violation") == ["e4"]
    connection.execute("UPDATE cascade_student_answers SET signals = '{\"verifier\": 0.6}' WHERE event_id = 'e2'")
    assert _chosen(cascade, "--verifier-threshold", "0.5") == ["e2"]
    assert _chosen(cascade, "--verifier-threshold", "0.5", "--reason", "verifier") == ["e2"]
    assert _chosen(cascade, "--verifier-threshold", "0.6") == []
    (tmp_path / "list.jsonl").write_text('{"event_id": "e1", "agreement": 0.2}\n\ne4\nunknown\n')
    assert _chosen(cascade, "--events", "list.jsonl") == ["e4", "e1"]
    (tmp_path / "empty").write_text("")
    assert _chosen(cascade, "--events", "empty") == []


def test_what_is_ordered_or_the_teachers_is_not_chosen_again(connection: Connection, cascade: Cascade) -> None:
    _distilled(connection, 1)
    _distilled(connection, 2)
    connection.execute("INSERT INTO event_distillations (event_id, producer, llm_model) VALUES ('e2', 'teacher', 't')")
    assert cascade("mop-up").returncode == 0
    again = cascade("mop-up")
    assert (again.returncode, "No event was found" in again.stderr) == (5, True)


def test_what_somebody_is_busy_with_is_not_ordered_and_told(connection: Connection, cascade: Cascade) -> None:
    _distilled(connection, 1)
    connection.execute("UPDATE distillation_queue SET status = 'claimed'")
    ended = cascade("mop-up", "--json")
    assert (json.loads(ended.stdout)["data"]["ordered"], ended.returncode) == (0, 0)
    assert connection.execute("SELECT count(*) FROM cascade_mop_up_orders").fetchone() == (0,)


def test_undo_brings_the_event_back_so_that_it_can_be_ordered_again(connection: Connection, cascade: Cascade) -> None:
    _distilled(connection, 1)
    assert cascade("mop-up").returncode == 0
    with connection.transaction():
        teacher = GraphWrite(Event("e1", "sales"), {"entities": ["Bob"]})
        done = Superseding(GRAPH).supersede(connection, teacher, llm_model="t", system_prompt_hash=None)
    connection.execute("UPDATE distillation_queue SET status = 'done'")
    ended = cascade("undo", str(done.receipt_id))
    assert (ended.returncode, "Event e1 is the student's again" in ended.stdout) == (0, True), ended.stderr
    assert connection.execute("SELECT name FROM entities").fetchall() == [("Ann",)]
    again = cascade("undo", str(done.receipt_id))
    assert (again.returncode, "was undone before" in again.stderr) == (4, True)
    assert cascade("mop-up").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["undo", "99"], 4, "There is no receipt 99"),
        (["mop-up", "--reason", "high_value"], 2, "high_value_class"),
        (["mop-up", "--reason", "verifier"], 2, "No threshold"),
        (["mop-up", "--reason", "random_sample", "--verifier-threshold", "0.5"], 2, "There is no gate"),
        (["mop-up", "--reason", "high_value_class", "--verifier-threshold", "0.5"], 2, "contradict"),
        (["mop-up", "--verifier-threshold", "high"], 2, "high"),
        (["mop-up", "--verifier-threshold", "0.1:0.9:0.1"], 2, "One threshold"),
        (["mop-up", "--verifier-threshold", "off"], 2, "a number from 0 to 1"),
        (["mop-up", "--events", "nowhere"], 2, "cannot be read"),
        (["mop-up", "--since", "yesterday"], 2, "no moment"),
        (["mop-up", "--event", "e1"], 5, "No event was found"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_exit_status(
    cascade: Cascade, arguments: list[str], status: int, said: str
) -> None:
    ended = cascade(*arguments)
    assert (ended.returncode, said in ended.stderr) == (status, True), ended.stderr
