"""Alarms that may be looked at after every label."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, binom

from cascade_cli.stats.eprocess import (
    ChangeAlarm,
    FloorAlarm,
    baseline_floor,
    confidence_sequence,
    detection,
    e_bh,
    level_of,
    log_e_floor,
)


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.5, 0.85, 0.909]))
def test_the_evidence_is_the_mixture_that_it_is_said_to_be(agree: int, disagree: int, floor: float) -> None:
    """By numerical integration: the slow reference."""
    a, b = 8.5, 1.5

    def ratio(rate: float) -> float:
        bet = beta.pdf(rate, a, b) / beta.cdf(floor, a, b)
        return bet * (rate / floor) ** agree * ((1 - rate) / (1 - floor)) ** disagree

    expected, _ = quad(ratio, 0, floor, epsabs=0, epsrel=1e-9, limit=200)
    assert float(np.exp(log_e_floor(agree, disagree, floor))) == pytest.approx(expected, rel=1e-5)


@given(st.integers(1, 30), st.sampled_from([0.5, 0.85, 0.909]))
def test_evidence_is_expected_to_be_one_at_the_floor_and_less_above(labels: int, floor: float) -> None:
    agree = np.arange(labels + 1)
    e_values = np.exp(log_e_floor(agree, labels - agree, floor))
    assert binom.pmf(agree, labels, floor) @ e_values == pytest.approx(1.0)
    assert binom.pmf(agree, labels, (1 + floor) / 2) @ e_values <= 1.0 + 1e-9


def test_a_long_good_run_leaves_no_evidence_instead_of_an_error() -> None:
    assert FloorAlarm(0.5, agree=5000).e_value == 0.0
    assert FloorAlarm(0.909, disagree=100_000).e_value == pytest.approx(exp(700))


def test_an_alarm_latches_at_the_first_label_that_proves_it() -> None:
    alarm = FloorAlarm(0.9)
    for _ in range(50):
        alarm = alarm.after(agrees=False)
    first = alarm.alarmed_at
    assert first is not None
    assert FloorAlarm(0.9, disagree=first - 1).e_value < 20 <= FloorAlarm(0.9, disagree=first).e_value
    for _ in range(5000):
        alarm = alarm.after(agrees=True)
    assert alarm.e_value < 1
    assert alarm.alarmed_at == first


def test_detection_is_what_many_runs_show() -> None:
    found = detection(0.7, 0.9, 200)
    rng = np.random.default_rng(11)
    stopped = []
    for _ in range(2000):
        agree = np.concatenate([[0], np.cumsum(rng.random(200) < 0.7)])
        over = np.flatnonzero(log_e_floor(agree, np.arange(201) - agree, 0.9) >= log(20))
        stopped.append(over[0] if len(over) else 10**6)
    assert found.median == pytest.approx(np.median(stopped), abs=1.5)
    assert found.probability == pytest.approx(np.mean(np.array(stopped) <= 200), abs=0.01)


def test_a_baseline_leaves_half_of_alpha_to_the_floor_itself() -> None:
    floor = baseline_floor(455, 500)
    assert binom.sf(454, 500, floor) == pytest.approx(0.025)
    assert baseline_floor(0, 10) is None
    assert baseline_floor(0, 0) is None
    with pytest.raises(ValueError, match="from 0 to n"):
        baseline_floor(3, 2)


@given(st.floats(0.05, 0.95), st.booleans())
def test_the_bets_on_a_change_are_fair_at_the_floor(floor: float, agrees: bool) -> None:
    good, bad = (ChangeAlarm(floor).after(agrees=outcome).statistic for outcome in (True, False))
    assert floor * good + (1 - floor) * bad == pytest.approx(1.0)
    assert ChangeAlarm(floor).after(agrees=agrees).labels == 1


def test_a_change_after_a_long_good_past_is_seen_soon_and_latches() -> None:
    alarm = ChangeAlarm(0.9)
    for _ in range(2000):
        alarm = alarm.after(agrees=True)
    assert alarm.alarmed_at is None
    for number in range(200):
        alarm = alarm.after(agrees=number % 2 == 0)
    assert alarm.alarmed_at is not None
    assert alarm.alarmed_at < 2050
    assert alarm.after(agrees=True).alarmed_at == alarm.alarmed_at


def test_levels_of_all_hashes_add_up_to_alpha() -> None:
    assert sum(level_of(place) for place in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)
    with pytest.raises(ValueError, match="from 1"):
        level_of(0)


@pytest.mark.parametrize(
    ("e_values", "rejected"),
    [
        ([], ()),
        ([20.0], (True,)),
        ([19.0], (False,)),
        ([40.0, 1.0], (True, False)),
        ([39.0, 20.0], (True, True)),
        ([39.0, 19.0], (False, False)),
    ],
)
def test_e_bh_rejects_the_largest_values_that_pass_together(e_values: list[float], rejected: tuple[bool, ...]) -> None:
    assert e_bh(e_values) == rejected


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_confidence_sequence_holds_the_rate_and_ends_where_the_bet_wins(agree: int, disagree: int) -> None:
    found = confidence_sequence(agree, disagree)
    if agree + disagree == 0:
        assert found is None
        return
    assert 0 <= found.low <= agree / (agree + disagree) <= found.high <= 1
    if 0 < found.low < found.high < 1:
        for end in (found.low, found.high):
            bet = beta.logpdf(0.5, 1 + agree, 1 + disagree) - agree * log(0.5) - disagree * log(0.5)
            assert -bet - agree * log(end) - disagree * log(1 - end) == pytest.approx(log(20), abs=1e-3)


@pytest.mark.parametrize(("agree", "disagree"), [(10**6, 1), (1, 10**6), (10**7, 0), (10**6, 10**6)])
def test_a_confidence_sequence_of_a_million_labels_is_no_error(agree: int, disagree: int) -> None:
    found = confidence_sequence(agree, disagree)
    assert 0 <= found.low <= agree / (agree + disagree) <= found.high <= 1


@given(st.lists(st.booleans(), max_size=30))
def test_the_change_detector_sums_the_bets_begun_at_every_label(labels: list[bool]) -> None:
    """By its definition: the slow reference."""
    alarm = ChangeAlarm(0.9)
    for agrees in labels:
        alarm = alarm.after(agrees=agrees)
    expected = 0.0
    for drop in alarm.drops:
        bets = [(0.9 - drop) / 0.9 if agrees else (0.1 + drop) / 0.1 for agrees in labels]
        expected += sum(float(np.prod(bets[start:])) for start in range(len(bets))) / len(alarm.drops)
    assert alarm.statistic == pytest.approx(expected)
