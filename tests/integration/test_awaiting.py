"""Labels that the teacher owes: from the worker's decisions through the workspace to the monitor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from live_rig import stage
from psycopg import sql
from rig import Rig, escalated, taught_after_escalation
from shadowing import cascade

from cascade_cli.policy import RANDOM_SAMPLE
from cascade_cli.postgres import ColumnMapping, PostgresSource
from cascade_cli.postgres import source as source_module
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.mapping import QueueColumns
from cascade_cli.postgres.queue import Lane
from cascade_cli.pulling import pull_postgres
from cascade_cli.records import AwaitedEvent, BadRow, Row
from cascade_cli.workspace import Awaited, Workspace

NEVER = datetime.min.replace(tzinfo=UTC)
UNANSWERED = (
    "DELETE FROM distillation_traces WHERE event_id = %s",
    "DELETE FROM event_distillations WHERE event_id = %s",
    "UPDATE distillation_queue SET status = 'pending' WHERE event_id = %s",
    """INSERT INTO cascade_escalations SELECT event_id, id::text, 'random_sample', clock_timestamp()
    FROM distillation_queue WHERE event_id = %s""",
)


def _awaited(dsn: str, mapping: ColumnMapping | None = None) -> list[AwaitedEvent] | None:
    with PostgresSource.open(dsn, mapping) as source:
        found = source.awaited(3)
        return None if found is None else found[1]


@pytest.mark.parametrize("page_size", [1, 2, 1_000])
def test_what_was_escalated_and_is_not_done_is_awaited(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, page_size: int
) -> None:
    monkeypatch.setattr(source_module, "PAGE_SIZE", page_size)
    queue = rig.queue()
    claims = rig.claimed("e1", "e2", "e3", "e4", "e5")
    before = datetime.now(UTC)
    rig.writer(queue).write([escalated(claim) for claim in claims], Mode.FLIP)
    done, *_ = queue.claim(Lane.TEACHER, 2)  # the other one stays claimed
    rig.writer(queue).write([taught_after_escalation(done)], Mode.FLIP)
    rig.execute("UPDATE distillation_queue SET status = 'done' WHERE event_id = 'e5'")  # by somebody else
    found = _awaited(rig.dsn)
    assert found is not None
    assert sorted(each.event_id for each in found) == sorted({"e1", "e2", "e3", "e4"} - {done.event_id})
    assert {each.reason for each in found} == {"high_value_class"}
    answered = dict(rig.execute("SELECT event_id, answered_at FROM cascade_student_answers"))
    assert all(each.decided_at == answered[each.event_id] for each in found)
    assert all(abs(each.decided_at - before) < timedelta(minutes=1) for each in found)


def test_an_event_that_no_worker_claims_any_more_is_not_awaited(rig: Rig) -> None:
    queue = rig.queue()
    rig.writer(queue).write([escalated(claim) for claim in rig.claimed("e1", "e2")], Mode.FLIP)
    rig.execute("UPDATE distillation_queue SET attempts = 3 WHERE event_id = 'e1'")
    assert [each.event_id for each in _awaited(rig.dsn) or []] == ["e2"]


def test_what_waits_is_kept_before_any_trace_so_that_a_kill_leaves_none_without_it(rig: Rig, tmp_path: Path) -> None:
    """One event is answered while the pull is under way: its trace comes, and it is awaited no more."""
    queue = rig.queue()
    rig.writer(queue).write([escalated(claim) for claim in rig.claimed("e1", "e2")], Mode.FLIP)
    with PostgresSource.open(rig.dsn) as source, pytest.MonkeyPatch.context() as patch:
        traces = source.traces

        def killed(_start: datetime | None) -> Iterator[Row]:
            raise KeyboardInterrupt

        patch.setattr(source, "traces", killed)
        with pytest.raises(KeyboardInterrupt):
            pull_postgres(source, tmp_path)
        with Workspace.open(tmp_path) as workspace:
            assert (workspace.awaited("high_value_class") or Awaited(NEVER)).events == 2

        def answered(start: datetime | None) -> Iterator[Row | BadRow]:
            done, *_ = queue.claim(Lane.TEACHER, 1)
            rig.writer(queue).write([taught_after_escalation(done)], Mode.FLIP)
            return traces(start)

        patch.setattr(source, "traces", answered)
        pull_postgres(source, tmp_path)
    with Workspace.open(tmp_path) as workspace:
        assert (workspace.awaited("high_value_class") or Awaited(NEVER)).events == 1


def test_an_id_that_is_none_is_said_and_the_traces_are_pulled(rig: Rig, tmp_path: Path) -> None:
    rig.enqueue("e1")
    rig.execute("INSERT INTO cascade_escalations VALUES ('e1', '1f3c-uuid', 'random_sample', now())")
    with PostgresSource.open(rig.dsn) as source:
        report = pull_postgres(source, tmp_path)
    assert [warning.partition(":")[0] for warning in report.warnings] == [
        "Which events wait for the teacher is unknown"
    ]


def test_a_list_that_cannot_be_asked_for_any_more_is_forgotten(rig: Rig, tmp_path: Path) -> None:
    rig.writer(rig.queue()).write([escalated(claim) for claim in rig.claimed("e1")], Mode.FLIP)
    for change, known in (("SELECT 1", True), ("DROP TABLE cascade_escalations", False)):
        rig.execute(change)
        with PostgresSource.open(rig.dsn) as source:
            pull_postgres(source, tmp_path)
        with Workspace.open(tmp_path) as workspace:
            assert (workspace.awaited("high_value_class") is not None) == known


def test_a_decision_without_an_answer_is_dated_by_itself(rig: Rig) -> None:
    queue = rig.queue()
    rig.writer(queue).write([escalated(claim) for claim in rig.claimed("e1")], Mode.FLIP)
    decided_at = rig.value("SELECT decided_at FROM cascade_escalations")
    rig.execute("UPDATE cascade_student_answers SET answered_at = answered_at + interval '1 hour'")  # another task's
    (found,) = _awaited(rig.dsn) or []
    assert found.decided_at == decided_at


def test_without_a_workers_tables_nothing_is_known_and_pulled_all_the_same(rig: Rig, tmp_path: Path) -> None:
    rig.execute("DROP TABLE cascade_escalations")
    with PostgresSource.open(rig.dsn) as source:
        report = pull_postgres(source, tmp_path)
    assert report.warnings == ()
    with Workspace.open(tmp_path) as workspace:
        assert workspace.awaited(RANDOM_SAMPLE) is None


def test_what_may_not_be_looked_at_is_said_and_the_rest_is_pulled(rig: Rig, ordinary_user: str) -> None:
    rig.execute("REVOKE SELECT ON distillation_queue FROM refused_worker")
    with PostgresSource.open(ordinary_user) as source:
        assert source.awaited(3) is None
        assert source.warnings == ('Table "distillation_queue" may not be read by this user; its rows were left out.',)
    other = ColumnMapping(queue=QueueColumns(status="state"))
    with PostgresSource.open(rig.dsn, other) as source:
        assert source.awaited(3) is None
        (warning,) = source.warnings
    assert warning.startswith("Which events wait for the teacher is unknown: ")
    assert "state" in warning


def test_the_monitor_lets_nothing_speak_that_was_decided_after_an_owed_label(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 120) as live:
        live.configure("[policy]\nsample_rate = 0.5\n")
        assert live.run("--once", "--flip").code == 0
        whole = _monitored(live.folder, live.endpoint.url, live.environment())
        assert whole["awaited"] == {**whole["awaited"], "events": 0, "since": None, "lost": 0}
        sampled = live.rows(
            "SELECT answer.event_id, answer.answered_at FROM cascade_student_answers AS answer"
            " JOIN event_distillations AS ledger ON ledger.event_id = answer.event_id"
            " WHERE escalate_reason = 'random_sample' ORDER BY answered_at, answer.event_id"
        )
        owed, since = sampled[len(sampled) // 2]
        with psycopg.connect(database, autocommit=True) as connection:  # the teacher has not come to it yet
            for statement in UNANSWERED:
                connection.execute(sql.SQL(statement), [owed])
        again = tmp_path / "again"
        again.mkdir()
        (again / "cascade.toml").write_text("[policy]\nsample_rate = 0.5\n", encoding="utf-8")
        held = _monitored(again, live.endpoint.url, live.environment())
    assert (held["awaited"]["events"], held["awaited"]["lost"]) == (1, 0)
    assert datetime.fromisoformat(held["awaited"]["since"]) == since
    labels, spoken = ([each["labels"] for each in data["hashes"]] for data in (whole, held))
    assert all(few <= many for few, many in zip(spoken, labels, strict=True))
    assert sum(labels) - sum(spoken) == sum(each["held"] for each in held["hashes"]) + 1
    assert 0 < sum(spoken) <= len(sampled) // 2 < sum(labels)
    assert held["notices"][0]["kind"] == "owed_labels"


def _monitored(folder: Path, url: str, environment: dict[str, str]) -> dict[str, object]:
    assert cascade(folder, url, "pull", "--since", "1d", "-q", "--json", env=environment).code == 0
    words = ("monitor", "--floor", "0.1", "--allow-empty", "-q", "--json")
    done = cascade(folder, url, *words, env=environment)
    assert done.code == 0
    return done.data


def test_the_workspace_counts_what_waits_without_a_trace_and_what_is_lost(rig: Rig, tmp_path: Path) -> None:
    """From the decision to the trace, and an answer from which nothing came."""
    queue = rig.queue()
    claims = rig.claimed("e1", "e2")
    rig.writer(queue).write([escalated(claim) for claim in claims], Mode.FLIP)
    with PostgresSource.open(rig.dsn) as source:
        pull_postgres(source, tmp_path)
    with Workspace.open(tmp_path) as workspace:
        waits, other = (workspace.awaited(reason) for reason in ("high_value_class", RANDOM_SAMPLE))
    assert waits is not None
    since = min(at for (at,) in rig.execute("SELECT answered_at FROM cascade_student_answers"))
    assert waits == Awaited(waits.as_of, 2, since)
    assert other == Awaited(waits.as_of)
    (first, second) = queue.claim(Lane.TEACHER, 2)
    rig.writer(queue).write([taught_after_escalation(first)], Mode.FLIP)
    queue.fail(second, "garbage")
    rig.execute("UPDATE distillation_queue SET status = 'failed' WHERE status <> 'done'")
    rig.execute("UPDATE cascade_student_answers SET answered_at = answered_at - interval '2 days'")
    with PostgresSource.open(rig.dsn) as source:
        pull_postgres(source, tmp_path / "later")
    with Workspace.open(tmp_path / "later") as workspace:
        later = workspace.awaited("high_value_class")
    assert later is not None
    assert (later.events, later.since, later.lost) == (0, None, 1)
