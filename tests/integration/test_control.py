"""The switch on a real PostgreSQL: when it returns, it is off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from rig import Rig, standing

from cascade_cli.errors import DependencyError
from cascade_cli.postgres.control import UNREADABLE, Control, Mode, Switch
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue import Lane

STUDENT_ROWS = "SELECT count(*) FROM event_distillations WHERE producer = 'student'"


def test_a_new_database_is_neither_killed_nor_unflipped(rig: Rig) -> None:
    switch = rig.control.read()
    assert (switch.killed, switch.flip_allowed, switch.policy_fingerprint) == (False, True, None)


def test_every_switch_is_audited_with_what_was_before(rig: Rig) -> None:
    assert rig.control.kill(who="ann", reason="made-up addresses").killed
    assert not rig.control.revive(who="bob").killed
    assert not rig.control.unflip(who="breaker", reason="parse failures").flip_allowed
    rig.control.unflip(who="breaker", reason="the same again, by another worker")
    assert rig.control.allow_flip(who="ann", reason="repaired").flip_allowed
    approved = rig.control.approve(who="ann", policy_fingerprint="abc", oldest_worker_version="1.2", rollout_stage="2")
    assert (approved.policy_fingerprint, approved.oldest_worker_version, approved.rollout_stage) == ("abc", "1.2", "2")
    assert rig.control.approve(who="ann", policy_fingerprint="").policy_fingerprint is None
    actions = [switched.action for switched in rig.control.switches(10)]
    assert actions == ["approve", "approve", "allow_flip", "unflip", "revive", "kill"]
    images = rig.execute(
        "SELECT before ->> 'killed', after ->> 'killed', who, reason FROM cascade_switches ORDER BY id"
    )
    assert images[:2] == [("false", "true", "ann", "made-up addresses"), ("true", "false", "bob", None)]


def test_what_cannot_be_read_is_off(rig: Rig) -> None:
    rig.execute("DELETE FROM cascade_control")
    assert rig.control.read() == UNREADABLE
    rig.execute("DROP TABLE cascade_control")
    assert rig.control.read() == UNREADABLE
    with Pool(make_conninfo(rig.dsn, host="/nowhere")) as nowhere:
        assert Control(nowhere).read() == UNREADABLE


def test_a_row_that_is_gone_comes_back_with_everything_off_but_what_was_switched(rig: Rig) -> None:
    rig.execute("DELETE FROM cascade_control")
    revived = rig.control.revive(who="ann")
    assert (revived.killed, revived.flip_allowed) == (False, False)


@pytest.mark.parametrize(
    ("switch", "mode"),
    [
        (Switch(killed=False, flip_allowed=True), Mode.FLIP),
        (Switch(killed=False, flip_allowed=False), Mode.SHADOW),
        (Switch(killed=True, flip_allowed=True), Mode.OFF),
        (Switch(killed=False, flip_allowed=True, policy_fingerprint="this"), Mode.FLIP),
        (Switch(killed=False, flip_allowed=True, policy_fingerprint="other"), Mode.TEACHER),
        (Switch(killed=False, flip_allowed=True, oldest_worker_version="1.10.0"), Mode.FLIP),
        (Switch(killed=False, flip_allowed=True, oldest_worker_version="1.11"), Mode.TEACHER),
    ],
)
def test_each_part_of_the_switch_only_lowers(switch: Switch, mode: Mode) -> None:
    assert switch.lowered(Mode.FLIP, "this", "1.10") is mode
    assert switch.lowered(Mode.OFF, "this", "1.10") is Mode.OFF
    assert (switch.refusal("this", "1.10") is None) == (mode >= Mode.SHADOW)


def test_when_kill_returns_no_student_write_can_commit_any_more(rig: Rig) -> None:
    """Eight writers without a pause; killed and revived twelve times.

    Without the shared lock of the writers, or without the wait of the killer, one of them commits afterwards.
    """
    rig.enqueue(*(f"e{number}" for number in range(20_000)))
    written: object = 0
    with _writers(rig, 8):
        for _ in range(12):
            written = _wait_for_more(rig, written)
            rig.control.kill(who="ann")
            at_return = rig.value(STUDENT_ROWS)
            time.sleep(0.05)
            written = rig.value(STUDENT_ROWS)
            assert written == at_return
            rig.control.revive(who="ann")
    unrecorded = "status = 'done' AND event_id NOT IN (SELECT event_id FROM event_distillations)"
    assert rig.value(f"SELECT count(*) FROM distillation_queue WHERE {unrecorded}") == 0


@contextmanager
def _writers(rig: Rig, count: int) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=_write_until, args=(rig, f"w{number}", stop)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _write_until(rig: Rig, worker: str, stop: threading.Event) -> None:
    queue = rig.queue(worker)
    writer = rig.writer(queue)
    while not stop.is_set():
        report = writer.write([standing(claim) for claim in queue.claim(Lane.STUDENT, 4)], Mode.FLIP)
        queue.release([refused.outcome.claim for refused in report.refused])


def _wait_for_more(rig: Rig, than: object) -> object:
    while (now := rig.value(STUDENT_ROWS)) == than:
        time.sleep(0.005)
    return now


def test_killing_says_so_when_somebody_goes_on_writing_and_has_switched_all_the_same(rig: Rig) -> None:
    with psycopg.connect(rig.dsn) as writing:
        assert rig.control.read_under_lock(writing).killed is False
        with pytest.raises(DependencyError, match="still writing"):
            Control(rig.pool, longest_wait_s=0.2).kill(who="ann")
    assert rig.control.read().killed
    rig.control.kill(who="ann")
