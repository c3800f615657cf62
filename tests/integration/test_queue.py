"""The queue on a real PostgreSQL: at least once in execution, exactly once in effect, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from rig import RULES, Rig, escalated, standing, taught

from cascade_cli.errors import CascadeError, UsageError
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import LONGEST_ERROR, Claimed, Lane, Queue
from cascade_cli.postgres.queue import queue as queue_module
from cascade_cli.postgres.writing import Outcome

ENDS: dict[str, Callable[[Claimed], Outcome]] = {"stand": standing, "teach": taught, "escalate": escalated}


# Retries that wait are tested apart.
AT_ONCE = replace(RULES, retry_base_s=0.0)


@dataclass(slots=True)
class Known:
    """What the model knows of one event."""

    state: str = "pending"
    attempts: int = 0
    interruptions: int = 0
    escalated: bool = False
    expired: bool = False
    holder: Claimed | None = None
    writes: int = 0

    @property
    def ended(self) -> bool:
        """Whether nobody is to do anything about it any more."""
        return self.state in ("done", "failed")


@dataclass(slots=True)
class World:
    """Every event, and every claim there ever was."""

    events: dict[str, Known] = field(default_factory=dict)
    claims: list[tuple[int, Claimed]] = field(default_factory=list)


class QueueMachine(RuleBasedStateMachine):
    """Three workers, and claims that are kept for ever: most calls are made with a fence that is no longer current."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.rig = rig
        tables = "distillation_queue, events, entities, cascade_escalations, cascade_queue_marks, cascade_touched_rows"
        rig.execute(f"TRUNCATE {tables}, event_distillations, cascade_student_answers")
        self.world = World()
        self.queues = [rig.queue(f"w{number}", AT_ONCE) for number in range(3)]
        self.writers = [rig.writer(queue) for queue in self.queues]

    @precondition(lambda self: len(self.world.events) < 8)
    @rule(count=st.integers(1, 3))
    def arrive(self, count: int) -> None:
        ids = [f"e{len(self.world.events) + number}" for number in range(count)]
        self.rig.enqueue(*ids)
        self.world.events.update({event_id: Known() for event_id in ids})

    @rule(worker=st.integers(0, 2), lane=st.sampled_from(Lane), limit=st.integers(1, 6))
    def claim(self, worker: int, lane: Lane, limit: int) -> None:
        claims = self.queues[worker].claim(lane, limit)
        assert len(claims) <= limit
        assert len({claim.fence for claim in claims}) <= 1
        for claim in claims:
            known = self.world.events[claim.event_id]
            assert known.state == "pending", "given to two workers"
            assert known.escalated == (lane is Lane.TEACHER), "given out in the wrong lane"
            assert (claim.attempts, claim.interruptions) == (known.attempts, known.interruptions)
            assert claim.interruptions < RULES.alone_from or len(claims) == 1
            assert claim.event is not None
            known.state, known.holder, known.expired = "claimed", claim, False
            self.world.claims.append((worker, claim))

    @precondition(lambda self: self.world.claims)
    @rule(data=st.data(), end=st.sampled_from(sorted(ENDS)))
    def finish(self, data: st.DataObject, end: str) -> None:
        worker, claim = self.drawn(data)
        report = self.writers[worker].write([ENDS[end](claim)], Mode.FLIP)
        known = self.world.events[claim.event_id]
        if self.is_current(claim):
            assert len(report.written) == 1
            if end == "escalate":
                known.state, known.holder, known.escalated = "pending", None, True
            else:
                known.state, known.holder, known.writes = "done", claim, known.writes + 1
        assert not report.charged
        assert not report.refused

    @precondition(lambda self: self.world.claims)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        worker, claim = self.drawn(data)
        failure = self.queues[worker].fail(claim, "it was garbage")
        assert (failure is not None) == self.is_current(claim)
        if failure is not None:
            known = self.world.events[claim.event_id]
            known.attempts += 1
            assert failure.attempts == known.attempts
            assert failure.final == (known.attempts == RULES.max_attempts)
            known.state, known.holder = "failed" if failure.final else "pending", None

    @precondition(lambda self: self.world.claims)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        worker, claim = self.drawn(data)
        known = self.world.events[claim.event_id]
        if self.queues[worker].release([claim]):
            assert known.holder == claim
            known.state, known.holder, known.expired = "pending", None, False
        else:
            assert known.holder != claim or known.state != "claimed"

    @precondition(lambda self: self.world.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        worker, claim = self.drawn(data)
        known = self.world.events[claim.event_id]
        ours = known.state == "claimed" and known.holder == claim
        assert self.queues[worker].renew([claim]) == ({claim.queue_id} if ours else frozenset())
        if ours:
            known.expired = False

    @precondition(lambda self: self.world.claims)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """The worker is gone; or only slow, and comes back when its lease is over."""
        _, claim = self.drawn(data)
        known = self.world.events[claim.event_id]
        if known.state == "claimed":
            self.expire(claim.event_id)
            known.expired = True

    @rule(worker=st.integers(0, 2))
    def reap(self, worker: int) -> None:
        taken_back = {reaped.event_id: reaped for reaped in self.queues[worker].reap()}
        assert set(taken_back) == {event_id for event_id, known in self.world.events.items() if known.expired}
        for event_id, reaped in taken_back.items():
            known = self.world.events[event_id]
            known.interruptions += 1
            assert reaped.interruptions == known.interruptions
            assert reaped.failed == (known.interruptions >= RULES.quarantine_at)
            known.state, known.holder, known.expired = "failed" if reaped.failed else "pending", None, False

    @invariant()
    def the_tables_are_as_the_model_says(self) -> None:
        rows = self.rig.execute(
            "SELECT q.event_id, q.status, q.attempts, e.event_id IS NOT NULL,"
            " (SELECT count(*) FROM entities WHERE provenance_event_ids @> ARRAY[q.event_id])"
            " FROM distillation_queue q LEFT JOIN cascade_escalations e ON e.event_id = q.event_id",
        )
        assert {row[0]: row[1:] for row in rows} == {
            event_id: (known.state, known.attempts, known.escalated and not known.ended, known.writes)
            for event_id, known in self.world.events.items()
        }
        assert all(known.writes <= 1 for known in self.world.events.values())

    def teardown(self) -> None:
        """Nothing is lost: what has not failed for good can still be done by whoever comes."""
        for event_id in self.world.events:
            self.expire(event_id)
        self.queues[0].reap()
        for lane in Lane:
            while claims := self.queues[0].claim(lane, 7):
                assert len(self.writers[0].write([ENDS["teach"](claim) for claim in claims], Mode.FLIP).written) == len(
                    claims
                )
        assert not self.rig.execute("SELECT FROM distillation_queue WHERE status NOT IN ('done', 'failed')")
        doubled = "SELECT FROM entities GROUP BY provenance_event_ids HAVING count(*) > 1"
        assert not self.rig.execute(doubled)

    def drawn(self, data: st.DataObject) -> tuple[int, Claimed]:
        """Any claim there ever was, half of the time one that holds its row."""
        holding = [pair for pair in self.world.claims if self.world.events[pair[1].event_id].holder == pair[1]]
        choice = holding if holding and data.draw(st.booleans()) else self.world.claims
        return data.draw(st.sampled_from(choice))

    def is_current(self, claim: Claimed) -> bool:
        known = self.world.events[claim.event_id]
        return known.state == "claimed" and known.holder == claim and not known.expired

    def expire(self, event_id: str) -> None:
        self.rig.execute(
            "UPDATE distillation_queue SET claim_expires_at = now() - interval '1 s'"
            " WHERE event_id = %s AND status = 'claimed'",
            event_id,
        )


def _explore(rig: Rig, examples: int, steps: int) -> None:
    """Short interleavings first, for one that fails is soon shrunk; a long one takes longer than anybody waits."""
    _explored(rig, examples, 12, (Phase.generate, Phase.shrink))
    _explored(rig, examples, steps, (Phase.generate,))


def _explored(rig: Rig, examples: int, steps: int, phases: tuple[Phase, ...]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        partial(QueueMachine, rig),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            phases=phases,
        ),
    )


def test_an_event_is_done_once_and_charged_only_for_its_own_failures(rig: Rig) -> None:
    """Random interleavings of three workers, most of whose calls come with a fence that is spent.

    Without the comparison of fences in ``lock_rows``, ``held`` or ``fail`` it fails within a few examples.
    """
    _explore(rig, 60, 50)


@pytest.mark.slow
def test_an_event_is_done_once_in_thousands_of_interleavings(rig: Rig) -> None:
    _explore(rig, 1_500, 80)


def test_exactly_as_many_tries_as_are_allowed_and_the_last_error_is_kept_short(rig: Rig) -> None:
    rig.enqueue("e1")
    queue = rig.queue(rules=AT_ONCE)
    for attempt in range(1, 4):
        (claim,) = queue.claim(Lane.STUDENT, 1)
        assert claim.attempts == attempt - 1
        failure = queue.fail(claim, f"nul \0, lone \ud800, {'long ' * 1_000}")
        assert failure is not None
        assert (failure.attempts, failure.final) == (attempt, attempt == 3)
    assert queue.claim(Lane.STUDENT, 1) == ()
    error = str(rig.value("SELECT last_error FROM distillation_queue"))
    assert (error.startswith("nul \ufffd, lone \ufffd, long"), len(error)) == (True, LONGEST_ERROR)
    assert rig.statuses() == {"e1": "failed"}


def test_a_failed_event_waits_with_full_jitter(rig: Rig) -> None:
    rig.enqueue("e1")
    queue = rig.queue(rules=replace(RULES, retry_base_s=1_000.0, retry_cap_s=1_500.0))
    (claim,) = queue.claim(Lane.STUDENT, 1)
    failure = queue.fail(claim, "garbage")
    assert failure is not None
    assert 0 < failure.wait_s < 1_000
    assert queue.claim(Lane.STUDENT, 1) == ()
    lane = queue.lanes()[Lane.STUDENT]
    assert (lane.waiting, lane.delayed, lane.claimed, lane.depth) == (1, 1, 0, 1)
    assert lane.next_try_in_s == pytest.approx(failure.wait_s, abs=5)
    assert RULES.longest_wait_s(0) == 2.0
    assert RULES.longest_wait_s(3) == 16.0
    assert RULES.longest_wait_s(10_000) == RULES.retry_cap_s


def test_what_has_failed_for_good_waits_for_the_teacher_no_more(rig: Rig) -> None:
    queue = rig.queue(rules=replace(AT_ONCE, max_attempts=1, quarantine_at=1))
    claims = rig.claimed("e1", "e2", "e3")
    rig.writer(queue).write([escalated(claim) for claim in claims], Mode.FLIP)
    queue.fail(queue.claim(Lane.TEACHER, 1)[0], "garbage")
    queue.claim(Lane.TEACHER, 1)
    rig.expire("e2")
    queue.reap()
    assert rig.statuses() == {"e1": "failed", "e2": "failed", "e3": "pending"}
    assert rig.execute("SELECT event_id FROM cascade_escalations") == [("e3",)]


def test_an_event_with_which_workers_die_is_claimed_alone_and_then_put_in_quarantine(rig: Rig) -> None:
    rig.enqueue("e1", "e2", "e3")
    queue = rig.queue()
    for interruption in range(1, 6):
        claims = queue.claim(Lane.STUDENT, 10)
        ids = [claim.event_id for claim in claims]
        assert ids == (["e1", "e2", "e3"] if interruption <= 2 else ["e1"])
        queue.release([claim for claim in claims if claim.event_id != "e1"])
        rig.expire("e1")
        (reaped,) = queue.reap()
        assert (reaped.event_id, reaped.interruptions, reaped.failed) == ("e1", interruption, interruption == 5)
    assert str(rig.value("SELECT last_error FROM distillation_queue WHERE status = 'failed'")).startswith(
        "quarantined: its claim was lost 5 times"
    )
    assert rig.value("SELECT sum(attempts) FROM distillation_queue") == 0
    assert [claim.event_id for claim in queue.claim(Lane.STUDENT, 10)] == ["e2", "e3"]


def test_a_row_that_is_claimed_alone_keeps_none_behind_it_waiting(rig: Rig) -> None:
    """It is passed over until it comes first, and then it is the only one of its claim."""
    rig.enqueue("e1", "e2", "e3")
    rig.execute(
        "INSERT INTO cascade_queue_marks (queue_id, interruptions) SELECT id::text, 2 FROM distillation_queue"
        " WHERE event_id = 'e2'"
    )
    queue = rig.queue()
    order = [[claim.event_id for claim in queue.claim(Lane.STUDENT, 2)] for _ in range(3)]
    assert order == [["e1"], ["e2"], ["e3"]]


def test_an_expired_claim_whose_budget_is_spent_fails(rig: Rig) -> None:
    rig.claimed("e1")
    rig.execute("UPDATE distillation_queue SET attempts = 3")
    rig.expire("e1")
    (reaped,) = rig.queue().reap()
    assert reaped.failed
    assert rig.value("SELECT last_error FROM distillation_queue") == "its claim expired after 3 failed attempts"


def test_an_event_that_was_escalated_since_the_claim_looked_is_given_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim waits on a row's lock with an old view of the decisions; the row is not the student's any more."""
    rig.enqueue("e1", "e2")
    queue, look = rig.queue(), Queue._fetched

    def look_late(self: Queue, *arguments: object) -> list[Claimed]:
        rig.execute(
            "INSERT INTO cascade_escalations SELECT event_id, id::text, 'r' FROM distillation_queue WHERE id = 1"
        )
        return look(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Queue, "_fetched", look_late)
    assert [claim.event_id for claim in queue.claim(Lane.STUDENT, 10)] == ["e2"]
    assert rig.statuses() == {"e1": "pending", "e2": "claimed"}


def test_events_that_are_too_large_together_are_claimed_one_after_the_other(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.enqueue("e1", "e2", "e3")
    rig.execute("UPDATE events SET content = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) AS n)")
    monkeypatch.setattr(queue_module, "MOST_BYTES", 40_000)
    queue = rig.queue()
    assert [[claim.event_id for claim in queue.claim(Lane.STUDENT, 10)] for _ in range(2)] == [["e1", "e2"], ["e3"]]
    assert set(rig.statuses().values()) == {"claimed"}


def test_events_are_weighed_as_they_are_and_not_as_they_are_stored(rig: Rig) -> None:
    """Ten megabytes of one letter are stored in a hundred kilobytes, and are ten megabytes again once they are here."""
    rig.enqueue("e1", "e2", "e3", "e4")
    rig.execute("UPDATE events SET content = repeat('a', 6000000)")
    rig.execute("UPDATE events SET attributes = jsonb_build_object('a', repeat('b', 6000000)) WHERE id = 'e2'")
    assert [claim.event_id for claim in rig.queue().claim(Lane.STUDENT, 10)] == ["e1", "e2"]


@pytest.mark.parametrize(
    "broken",
    [
        "ALTER TABLE events RENAME content TO body",
        "ALTER TABLE events RENAME TO mails",
        "ALTER TABLE events ALTER id TYPE bytea USING id::bytea",
    ],
)
def test_what_is_claimed_and_cannot_be_fetched_is_given_back_uncharged(rig: Rig, broken: str) -> None:
    rig.enqueue("e1", "e2")
    queue = rig.queue()
    rig.execute(broken)
    with pytest.raises(CascadeError):
        queue.claim(Lane.STUDENT, 10)
    assert rig.execute("SELECT status, attempts, claimed_by FROM distillation_queue") == [("pending", 0, None)] * 2
    assert rig.execute("SELECT FROM cascade_queue_marks") == []


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("ALTER TABLE events RENAME content TO body", '[postgres.events] content = "…"'),
        ("ALTER TABLE events ALTER id TYPE uuid USING NULL", "[postgres.events]"),
        ("ALTER TABLE distillation_queue ALTER claimed_by TYPE varchar(20)", "claimed_by"),
        ("ALTER TABLE distillation_queue ALTER claimed_by TYPE uuid USING NULL", "[postgres.queue]"),
        ("ALTER TABLE distillation_queue ALTER event_id TYPE bytea USING event_id::bytea", "[postgres.queue]"),
        ("DROP TABLE cascade_queue_marks", "cascade migrate"),
    ],
)
def test_what_a_worker_could_not_do_is_told_before_it_claims_anything(rig: Rig, broken: str, told: str) -> None:
    rig.execute("ALTER TABLE events DROP CONSTRAINT events_pkey")
    rig.execute(broken)
    with pytest.raises(UsageError) as refused:
        rig.queue().rehearse()
    assert told in f"{refused.value.message} {refused.value.hint}"


def test_a_queue_in_order_is_rehearsed_without_a_trace(rig: Rig) -> None:
    rig.enqueue("e1")
    rig.queue().rehearse()
    assert rig.execute("SELECT status, attempts, claimed_by FROM distillation_queue") == [("pending", 0, None)]


def test_a_queue_of_other_types_works_in_full(rig: Rig) -> None:
    """A status of its own type, and columns that hold less than we would write into them."""
    rig.execute("DROP INDEX idx_distillation_queue_pending, idx_distillation_queue_leases")
    rig.execute("ALTER TABLE distillation_queue DROP CONSTRAINT distillation_queue_status_check")
    rig.execute("CREATE TYPE \"State of work\" AS ENUM ('pending', 'claimed', 'done', 'failed')")
    rig.execute(
        "ALTER TABLE distillation_queue ALTER status DROP DEFAULT,"
        ' ALTER status TYPE "State of work" USING status::"State of work", ALTER status SET DEFAULT \'pending\','
        " ALTER last_error TYPE varchar(20), ALTER attempts TYPE smallint, ALTER claimed_by TYPE varchar(50)"
    )
    rig.enqueue("e1", "e2", "e3")
    queue = rig.queue(rules=replace(AT_ONCE, max_attempts=2, quarantine_at=1))
    queue.rehearse()
    for _ in range(2):
        claims = queue.claim(Lane.STUDENT, 2)
        assert [claim.event_id for claim in claims] == ["e1", "e2"]
        queue.fail(claims[0], "a long story " * 10)
        queue.release(claims[1:], "a long reason " * 10)
    queue.claim(Lane.STUDENT, 1)
    rig.expire("e2")
    assert [reaped.failed for reaped in queue.reap()] == [True]
    assert rig.execute("SELECT status::text, last_error FROM distillation_queue ORDER BY id") == [
        ("failed", "a long story a long "),
        ("failed", "quarantined: its cla"),
        ("pending", None),
    ]


def test_an_event_that_cannot_be_read_is_claimed_with_its_problem(rig: Rig) -> None:
    rig.enqueue("e1")
    rig.execute("ALTER TABLE events ALTER attributes TYPE text")
    rig.execute("UPDATE events SET attributes = 'no json'")
    (claim,) = rig.queue().claim(Lane.STUDENT, 1)
    assert claim.event is None
    assert claim.problem == "the event cannot be read: attributes is not JSON, or too large or deeply nested"


def test_connections_that_the_server_has_ended_are_replaced(rig: Rig) -> None:
    rig.enqueue("e1")
    queue = rig.queue()
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    rig.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    assert len(queue.claim(Lane.STUDENT, 1)) == 1


def test_several_threads_share_one_queue_and_no_event_is_given_twice(rig: Rig) -> None:
    rig.enqueue(*(f"e{number}" for number in range(400)))
    queue = rig.queue()
    with ThreadPoolExecutor(8) as threads:
        claims = [claim for part in threads.map(lambda _: queue.claim(Lane.STUDENT, 7), range(60)) for claim in part]
    assert len({claim.event_id for claim in claims}) == len(claims)
    assert len(claims) + len(queue.claim(Lane.STUDENT, 400)) == 400


def test_a_row_that_the_team_makes_anew_for_an_event_is_the_students_again(rig: Rig) -> None:
    """A decision about it replaces the one about the row that is gone, so that it is in one lane, not in neither."""
    (claim,) = rig.claimed("e1")
    queue = rig.queue()
    writer = rig.writer(queue)
    writer.write([escalated(claim)], Mode.FLIP)
    rig.execute("DELETE FROM distillation_queue")
    rig.execute("INSERT INTO distillation_queue (event_id) VALUES ('e1')")
    assert queue.claim(Lane.TEACHER, 1) == ()
    (anew,) = queue.claim(Lane.STUDENT, 1)
    writer.write([replace(escalated(anew), reason="verifier")], Mode.FLIP)
    assert queue.claim(Lane.STUDENT, 1) == ()
    (waiting,) = queue.claim(Lane.TEACHER, 1)
    assert waiting.escalation is not None
    assert waiting.escalation.reason == "verifier"


def test_a_connection_that_comes_back_after_the_end_is_closed(database: str) -> None:
    pool = Pool(database)
    with pool.lent() as connection:
        pool.close()
        assert not connection.closed
    assert connection.closed
