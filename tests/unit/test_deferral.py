"""Deferral curves against a slow reference that counts event by event."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.stats.deferral import (
    augrc,
    deferral_curve,
    gap_recovered,
    normalised_gain,
    oracle_curve,
    random_curve,
    regret,
)


def whole(calls: float | None) -> int | None:
    return None if calls is None else ceil(calls - 1e-6)


outcomes = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=25)


def quality_by_hand(found: list[tuple[int, int, int]], order: list[int], deferred: int) -> float:
    strong = set(order[:deferred])
    return sum(found[i][1] if i in strong else found[i][0] for i in range(len(found))) / len(found)


@given(outcomes)
def test_at_the_end_of_each_tie_the_curve_is_the_counted_quality(found: list[tuple[int, int, int]]) -> None:
    weak, strong, scores = zip(*found, strict=True)
    curve = deferral_curve(weak, strong, scores)
    order = sorted(range(len(found)), key=lambda i: -scores[i])
    for deferred, quality in zip(curve.deferred.astype(int), curve.quality, strict=True):
        assert quality == pytest.approx(quality_by_hand(found, order, deferred))
    assert curve.deferred[-1] == curve.events == len(found)


@given(outcomes)
def test_no_order_beats_the_oracle_and_random_lies_on_the_line(found: list[tuple[int, int, int]]) -> None:
    weak, strong, scores = zip(*found, strict=True)
    best, line, curve = oracle_curve(weak, strong), random_curve(weak, strong), deferral_curve(weak, strong, scores)
    assert best.area >= curve.area - 1e-12
    assert line.area == pytest.approx((np.mean(weak) + np.mean(strong)) / 2)
    assert regret(curve, weak, strong) == pytest.approx(best.area - curve.area)
    gain = normalised_gain(curve, weak, strong)
    assert gain is None or gain <= 1 + 1e-9
    assert normalised_gain(best, weak, strong) in (None, pytest.approx(1))


@given(outcomes, st.integers(0, 1000).map(lambda parts: parts / 1000))
def test_the_least_number_of_calls_reaches_the_quality_and_one_less_does_not(
    found: list[tuple[int, int, int]], quality: float
) -> None:
    weak, strong, _ = zip(*found, strict=True)
    calls = whole(oracle_curve(weak, strong).calls_for(quality))
    order = sorted(range(len(found)), key=lambda i: weak[i] - strong[i])
    reached = [k for k in range(len(found) + 1) if quality_by_hand(found, order, k) >= quality - 1e-9]
    assert calls == (min(reached) if reached else None)


def test_two_equal_models_have_no_gap_to_recover() -> None:
    assert gap_recovered(random_curve([1, 0], [0, 1])) is None
    assert gap_recovered(random_curve([0, 0], [0, 1])) == 0.5
    assert normalised_gain(random_curve([1, 1], [1, 1]), [1, 1], [1, 1]) is None


def test_augrc_is_half_the_error_rate_by_chance_and_less_where_the_score_tells() -> None:
    wrong = [1, 0, 0, 0]
    assert augrc(wrong, [0, 0, 0, 0]) == pytest.approx(0.125)
    assert augrc(wrong, [1, 0, 0, 0]) == pytest.approx(0.25 * 0.25 / 2)
    assert augrc(wrong, [0, 1, 1, 1]) == pytest.approx(0.25 * (0.75 + 0.125))


def test_no_events_have_no_curve() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        deferral_curve([], [], [])
