"""The queue on a real PostgreSQL: at least once in execution, exactly once in effect, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from rig import RULES, Rig, escalated, standing, taught

from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed, Lane
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
            event_id: (known.state, known.attempts, known.escalated and known.state != "done", known.writes)
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
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        partial(QueueMachine, rig),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
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
