"""Estimates from labels that were not drawn alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.stats import wilson
from cascade_cli.stats.estimates import Stratum, hajek, noise_ceiling, post_stratified, prediction_powered

strata = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 40), st.integers(0, 40)).map(
        lambda found: Stratum(max(found), *sorted(found[1:], reverse=True))
    ),
    max_size=5,
)


def test_strata_weigh_as_much_as_they_have_events() -> None:
    found = post_stratified([Stratum(900, 45, 45), Stratum(100, 100, 50)])
    assert found.rate == pytest.approx(0.9 * 1.0 + 0.1 * 0.5)
    assert found.labels == 145
    assert found.largest_weight == pytest.approx(0.9 / 45)
    assert found.effective_labels < 145


def test_at_one_rate_it_is_the_plain_mean_with_wilsons_interval() -> None:
    found = post_stratified([Stratum(200, 20, 19), Stratum(100, 10, 7), Stratum(0, 0, 0)])
    assert found.rate == pytest.approx(26 / 30)
    assert found.interval == pytest.approx(wilson(26, 30)) or vars_equal(found.interval, wilson(26, 30))
    assert found.sufficient


def vars_equal(one: object, other: object) -> bool:
    return (one.low, one.high) == pytest.approx((other.low, other.high))


@pytest.mark.parametrize("found", [[], [Stratum(0, 0, 0)], [Stratum(10, 5, 5), Stratum(3, 0, 0)]])
def test_what_is_not_identified_has_no_estimate(found: list[Stratum]) -> None:
    assert post_stratified(found) is None


@given(strata)
def test_estimates_stay_in_their_range_and_never_count_more_labels_than_there_are(found: list[Stratum]) -> None:
    estimate = post_stratified(found)
    if estimate is not None:
        assert 0 <= estimate.interval.low <= estimate.rate <= estimate.interval.high <= 1
        assert 0 < estimate.effective_labels <= estimate.labels == sum(each.labels for each in found if each.events)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="as many labels as events"):
        post_stratified([Stratum(1, 2, 1)])
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        hajek([1.0], [1.5])
    with pytest.raises(ValueError, match="as many of each"):
        hajek([1.0], [])


def test_hajek_weighs_by_the_inverse_of_the_chance() -> None:
    found = hajek([1, 1, 0], [0.1, 0.1, 1.0])
    assert found.rate == pytest.approx(20 / 21)
    assert found.largest_weight == pytest.approx(10 / 21)
    assert hajek([1, 0], [0.5, 0.0]) is None
    assert hajek([], []) is None


def test_hajek_at_one_chance_is_the_mean_and_a_cluster_speaks_once() -> None:
    labels = [1, 1, 0, 1] * 25
    alone = hajek(labels, [0.2] * 100)
    assert alone.rate == pytest.approx(0.75)
    assert alone.effective_labels == pytest.approx(99, abs=1)
    together = hajek([1] * 75 + [0] * 25, [0.2] * 100, [number // 25 for number in range(100)])
    assert together.effective_labels < 6


def test_a_prediction_that_tells_all_is_worth_many_labels_and_one_that_tells_nothing_none() -> None:
    rng = np.random.default_rng(1)
    truth = (rng.random(20_000) < 0.9).astype(float)
    sure = prediction_powered(truth[:400], truth[:400], truth[400:])
    assert sure.gain > 20
    assert sure.estimate.rate == pytest.approx(truth.mean(), abs=0.005)
    blind = prediction_powered(truth[:400], rng.random(400), rng.random(19_600))
    assert blind.gain == pytest.approx(1.0, abs=0.03)
    assert prediction_powered([1.0] * 9, [1.0] * 9, [1.0]) is None
    assert prediction_powered([1.0, 0.0] * 9, [1.0] * 18, [1.0]).gain == pytest.approx(1.0)


def test_the_gain_of_a_weak_verifier_is_two_per_cent() -> None:
    """Binormal scores at AUC 0.63 and a disagreement of 9.1 per cent."""
    rng = np.random.default_rng(5)
    truth = (rng.random(400_000) < 0.909).astype(float)
    score = rng.normal(size=len(truth)) - 0.4693 * truth
    found = prediction_powered(truth[:20_000], score[:20_000], score[20_000:])
    assert found.gain == pytest.approx(1.02, abs=0.006)


def test_the_ceiling_is_the_students_agreement_by_the_teachers_own() -> None:
    assert noise_ceiling(0.9, 0.95) == pytest.approx(0.9 / 0.95)
    assert noise_ceiling(None, 0.9) is None
    assert noise_ceiling(0.9, None) is None
    assert noise_ceiling(0.9, 0.0) is None


def test_where_all_agree_uneven_weights_leave_as_much_as_they_are_worth_whatever_rounding_says() -> None:
    rng = np.random.default_rng(11)
    for _ in range(300):
        chances = rng.choice([1.0, 0.3, 0.05, 0.013], size=60)
        found = hajek(np.ones(60), chances)
        weights = 1 / chances / (1 / chances).sum()
        assert found.rate == 1.0
        assert found.effective_labels == pytest.approx(1 / (weights**2).sum())


def test_a_few_heavy_labels_that_agree_are_not_taken_for_many() -> None:
    found = hajek([0.0, *[1.0] * 59], [1.0] * 50 + [0.05] * 10)
    assert found.effective_labels < 25


def test_numbers_name_clusters_as_well_as_texts_do() -> None:
    rng = np.random.default_rng(5)
    agrees, codes = rng.random(200) < 0.8, rng.integers(0, 40, 200) * 7
    chances = np.where(rng.random(200) < 0.5, 1.0, 0.1)
    assert hajek(agrees, chances, codes) == hajek(agrees, chances, [f"c{code}" for code in codes])
