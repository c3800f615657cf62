"""The live worker's rules: modes, outages, the ceiling and the quality breaker, by an injected clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from math import inf
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.live.breakers import WINDOW_ANSWERS, Breaker
from cascade_cli.live.burn_in import BurnIn
from cascade_cli.live.ceilings import Ceiling
from cascade_cli.live.measures import Measures
from cascade_cli.live.modes import Environment, in_force
from cascade_cli.live.outages import Outages, Silence
from cascade_cli.live.switching import Switchboard
from cascade_cli.policy import Decision, Policy, decide, rate_at
from cascade_cli.postgres.control import UNREADABLE, Mode, Switch
from cascade_cli.records import Event
from cascade_cli.stats import wilson

READY = Environment(enabled=True, has_student=True, flip=True, policy_fingerprint="p1", version="0.5.0")
OPEN = Switch(killed=False, flip_allowed=True)


@dataclass
class Clock:
    """Says what it is told to."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


# Modes


@pytest.mark.parametrize(
    ("environment", "switch", "kill_file", "name"),
    [
        (READY, OPEN, False, "flip"),
        (replace(READY, flip=False), OPEN, False, "shadow"),
        (READY, replace(OPEN, flip_allowed=False), False, "shadow"),
        (replace(READY, has_student=False, flip=False), OPEN, False, "teacher"),
        (READY, replace(OPEN, policy_fingerprint="p2"), False, "teacher"),
        (READY, replace(OPEN, policy_fingerprint="p1"), False, "flip"),
        (READY, replace(OPEN, oldest_worker_version="0.5.1"), False, "teacher"),
        (READY, replace(OPEN, killed=True, policy_fingerprint="p2"), False, "off"),
        (READY, replace(OPEN, oldest_worker_version="0.5"), False, "flip"),
        (READY, OPEN, True, "off"),
        (READY, UNREADABLE, False, "off"),
        (replace(READY, enabled=False), OPEN, False, "off"),
    ],
)
def test_each_switch_leads_where_the_contract_says(
    environment: Environment, switch: Switch, kill_file: bool, name: str
) -> None:
    found = in_force(environment, switch, kill_file=kill_file)
    assert found.name == name
    assert found.asks_student == (name in {"flip", "shadow"})
    assert (found.reason is None) == (name == "flip" or (name == "shadow" and not environment.flip))


def test_no_switch_ever_switches_anything_on() -> None:
    def rank(enabled: bool, student: bool, flip: bool, kill_file: bool, killed: bool, allowed: bool) -> tuple[int, int]:
        environment = replace(READY, enabled=enabled, has_student=student, flip=flip)
        found = in_force(environment, Switch(killed=killed, flip_allowed=allowed), kill_file=kill_file)
        return found.mode, found.asks_student

    for states in product([False, True], repeat=6):
        enabled, student, flip, kill_file, killed, allowed = states
        here = rank(*states)
        assert rank(False, student, flip, kill_file, killed, allowed) <= here
        assert rank(enabled, False, flip, kill_file, killed, allowed) <= here
        assert rank(enabled, student, False, kill_file, killed, allowed) <= here
        assert rank(enabled, student, flip, True, killed, allowed) <= here
        assert rank(enabled, student, flip, kill_file, True, allowed) <= here
        assert rank(enabled, student, flip, kill_file, killed, False) <= here
        assert here[0] < Mode.FLIP or (enabled and student and flip and allowed and not (kill_file or killed))


@pytest.mark.parametrize(
    ("found", "kill_file", "now", "for_writing"),
    [
        (UNREADABLE, False, Mode.OFF, Mode.FLIP),
        (UNREADABLE, True, Mode.OFF, Mode.OFF),
        (replace(OPEN, changed_at=datetime.now(UTC)), False, Mode.FLIP, Mode.FLIP),
        (replace(OPEN, changed_at=datetime.now(UTC), killed=True), False, Mode.OFF, Mode.OFF),
    ],
)
def test_a_row_that_cannot_be_read_stops_the_student_and_is_read_again_by_whoever_writes(
    tmp_path: Path, found: Switch, kill_file: bool, now: Mode, for_writing: Mode
) -> None:
    file = tmp_path / "kill"
    if kill_file:
        file.touch()
    board = Switchboard(READY, file, lambda: found, Clock(), Measures(), lambda _: None)
    assert asyncio.run(board.now()).mode is now
    assert board.for_writing() is for_writing


# Outages


def _fail_for(outages: Outages, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        clock.now += 1
        outages.failed()


def _answer_for(outages: Outages, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        clock.now += 1
        outages.answered()


def test_an_outage_is_declared_after_half_a_minute_of_failures_and_counted_from_the_first() -> None:
    clock = Clock()
    outages = Outages(clock)
    _fail_for(outages, clock, 30)
    assert not outages.is_away
    _fail_for(outages, clock, 1)
    assert outages.is_away
    assert outages.lasts_s == 30.0


def test_two_failures_with_a_long_silence_between_them_are_no_outage() -> None:
    clock = Clock()
    outages = Outages(clock)
    _fail_for(outages, clock, 3)
    outages.answered()
    clock.now += 60
    outages.failed()
    assert outages.is_suspected
    assert not outages.is_away
    _fail_for(outages, clock, 30)
    assert outages.is_away


def test_people_are_told_when_an_endpoint_begins_to_fail_is_away_and_is_back() -> None:
    clock = Clock()
    outages, silence = Outages(clock), Silence("student", clock)
    assert silence.told(outages) is None
    outages.failed(why="connection refused.")
    assert silence.told(outages) == "The student does not answer: connection refused. It is asked again."
    assert silence.told(outages) is None
    for _ in range(3):  # it comes and goes
        _answer_for(outages, clock, 5)
        assert silence.told(outages) is None
        assert not outages.is_suspected
        _fail_for(outages, clock, 3)
        assert silence.told(outages) is None
    _answer_for(outages, clock, 60)
    assert silence.told(outages) is None
    _fail_for(outages, clock, 3)
    assert "does not answer" in (silence.told(outages) or "")
    _fail_for(outages, clock, 60)
    assert silence.told(outages) == "The student is away: its events wait."
    assert silence.told(outages) is None
    outages.answered()
    assert silence.told(outages) == "The student is back."


def test_calls_of_which_half_are_answered_are_no_outage() -> None:
    clock = Clock()
    outages = Outages(clock)
    for _ in range(200):
        clock.now += 0.5
        outages.failed()
        outages.answered()
    assert not outages.is_away


def test_one_failure_among_many_answers_never_starts_the_half_minute() -> None:
    clock = Clock()
    outages = Outages(clock)
    for number in range(600):
        clock.now += 0.1
        (outages.failed if number % 10 == 0 else outages.answered)()
    _fail_for(outages, clock, 1)
    clock.now += 29
    outages.failed()
    assert not outages.is_away


@pytest.mark.parametrize("seed", range(5))
def test_the_calls_that_count_are_the_late_ones_whatever_came_before(seed: int) -> None:
    clock, random = Clock(), Random(seed)
    outages = Outages(clock, declared_after_s=inf)
    calls = []
    for _ in range(6_000):
        clock.now += random.random() / 100
        calls.append(random.random() < 0.5)
        (outages.failed if calls[-1] else outages.answered)()
        late = calls[-4_096:]
        assert (outages._failing_since is None) == (sum(late) <= len(late) / 2)


def test_three_calls_in_a_row_that_find_nobody_are_suspicious_and_one_answer_clears_it() -> None:
    clock = Clock()
    outages = Outages(clock)
    for _ in range(600):
        clock.now += 0.01
        outages.answered()
    outages.failed()
    outages.failed()
    assert not outages.is_suspected
    outages.failed()
    assert outages.is_suspected
    assert not outages.is_away
    outages.answered()
    assert not outages.is_suspected


def test_during_an_outage_one_probe_at_a_time_is_made_and_ever_less_often() -> None:
    clock = Clock()
    outages = Outages(clock)
    _fail_for(outages, clock, 31)
    pauses = []
    for _ in range(8):
        began = clock.now
        while (probe := outages.may_call()) is None:
            clock.now += 0.25
        assert not outages.may_call()
        pauses.append(clock.now - began)
        outages.failed(probe)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_one_answer_ends_an_outage_and_the_next_must_last_half_a_minute_again() -> None:
    clock = Clock()
    outages = Outages(clock)
    _fail_for(outages, clock, 100)
    outages.answered()
    assert outages.may_call()
    assert outages.may_call()
    _fail_for(outages, clock, 29)
    assert not outages.is_away


def test_what_failed_in_an_outage_is_forgotten_once_it_is_over() -> None:
    clock = Clock()
    outages = Outages(clock)
    _fail_for(outages, clock, 100)
    outages.answered()
    outages.answered()
    assert not outages.is_suspected


def test_a_probe_that_had_nothing_to_ask_leaves_the_next_one_free() -> None:
    clock = Clock()
    outages = Outages(clock)
    _fail_for(outages, clock, 31)
    clock.now += 1
    probe = outages.may_call()
    assert probe is not None
    outages.ended(probe)
    assert outages.may_call()


def test_a_call_from_before_the_outage_that_ends_during_a_probe_permits_no_second_one() -> None:
    clock = Clock()
    outages = Outages(clock)
    before = outages.may_call()
    assert before is not None
    _fail_for(outages, clock, 31)
    clock.now += 1
    probe = outages.may_call()
    assert probe is not None
    outages.failed(before)
    outages.ended(before)
    clock.now += 0.5
    assert not outages.may_call()
    outages.failed(probe)
    clock.now += 1
    assert not outages.may_call()
    clock.now += 1
    assert outages.may_call()


# Burn-in


def _decided(policy: Policy, event_id: str, rate: Decimal, student: dict[str, object]) -> Decision:
    return decide(Event(event_id), student, policy, rate=rate)


def test_a_new_prompt_is_sampled_whole_and_then_ever_less_as_the_simulator_says() -> None:
    policy = Policy(sample_rate=Decimal("0.1"), burn_in_events=10)
    burn_in = BurnIn(policy)
    for age in range(200):
        assert burn_in.rate == rate_at(age, policy.sample_rate, policy.burn_in_events)
        burn_in.decided(_decided(policy, f"e{age}", burn_in.rate, {"entities": ["x"]}))
        burn_in.decided(_decided(policy, f"gated {age}", burn_in.rate, {}))
    assert burn_in.rate == Decimal("0.1")
    assert burn_in.settled_at == 101


def test_what_the_ledger_holds_takes_the_place_of_what_was_counted_here() -> None:
    burn_in = BurnIn(Policy(sample_rate=Decimal("0.1"), burn_in_events=10))
    for number in range(8):
        burn_in.decided(_decided(burn_in.policy, f"e{number}", burn_in.rate, {"entities": ["x"]}))
    burn_in.looked(5)
    assert burn_in.rate == 1
    burn_in.looked(50)
    assert burn_in.rate == rate_at(50, Decimal("0.1"), 10)
    assert BurnIn(Policy()).settled_at == 0


# The ceiling


@given(
    st.integers(0, 50),
    st.lists(st.tuples(st.floats(0, 30, allow_nan=False), st.integers(0, 40)), max_size=60),
)
def test_no_minute_ever_holds_more_than_the_ceiling(per_min: int, asked: list[tuple[float, int]]) -> None:
    clock = Clock()
    ceiling = Ceiling(per_min, clock)
    passed: list[float] = []
    for pause_s, wanted in asked:
        clock.now += pause_s
        passed += [clock.now] * ceiling.take(wanted)
    for begin in passed:
        assert sum(begin <= at < begin + 60 for at in passed) <= per_min


def test_the_ceiling_is_reached_and_without_one_all_pass() -> None:
    clock = Clock()
    ceiling = Ceiling(10, clock)
    assert [ceiling.take(7), ceiling.take(7), ceiling.take(7)] == [7, 3, 0]
    clock.now += 60
    assert ceiling.take(20) == 10
    assert Ceiling(None, clock).take(9_999) == 9_999


# The breaker


def test_a_breaker_opens_on_many_bad_answers_and_not_on_a_handful() -> None:
    breaker = Breaker("student_parse_fail", most=0.05)
    for number in range(20):
        assert breaker.opens is None
        breaker.saw(["student_parse_fail"] if number < 5 else [])
    assert breaker.opens == "student_parse_fail for 5 of the last 20 answers, more than 5%"
    calm = Breaker("student_parse_fail", most=0.05)
    for number in range(1_000):
        calm.saw(["student_parse_fail"] if number % 20 == 0 else [])
        assert calm.opens is None
    for _ in range(40):
        calm.saw(["student_parse_fail", "student_empty"])
    assert calm.opens == "student_parse_fail for 48 of the last 200 answers, more than 5%"


@pytest.mark.parametrize("most", [0.0, 0.05, 0.3])
def test_a_breaker_opens_by_the_lower_bound_alone(most: float) -> None:
    for bad in range(WINDOW_ANSWERS + 1):
        breaker = Breaker("student_parse_fail", most)
        for number in range(WINDOW_ANSWERS):
            breaker.saw(["student_parse_fail"] if number < bad else [])
        share = wilson(bad, WINDOW_ANSWERS)
        assert share is not None
        assert (breaker.opens is not None) == (share.low > most)


def test_a_breaker_begins_anew_with_the_flip_that_a_person_gives_back() -> None:
    breaker = Breaker("student_parse_fail", most=0.05)
    for _ in range(200):
        breaker.saw(["student_parse_fail"])
    assert breaker.opens is not None
    breaker.forget()
    breaker.saw(["student_parse_fail"])
    assert breaker.opens is None
