"""Intervals and paired tests: their laws, and slow obvious references beside the fast ways."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.stats import (
    Interval,
    agreement_interval,
    bootstrap_f1,
    design_effect,
    mcnemar,
    paired_f1_difference,
    paired_rate_difference,
    wilson,
)

COUNT = st.integers(0, 6)
EVENTS = st.lists(st.tuples(COUNT, COUNT, COUNT), min_size=1, max_size=12)
VERDICTS = st.lists(st.booleans(), min_size=1, max_size=40)


def columns(events):
    return tuple(list(column) for column in zip(*events, strict=True))


def micro_f1(events):
    tp, fp, fn = (sum(column) for column in columns(events))
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None


@given(n=st.floats(0.01, 1e7), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_wilson_stays_in_the_unit_interval_and_holds_the_rate(n, share, confidence):
    interval = wilson(share * n, n, confidence)
    assert 0 <= interval.low <= share * n / n <= interval.high <= 1


@given(n=st.integers(1, 10_000), data=st.data())
def test_wilson_treats_successes_and_failures_alike(n, data):
    successes = data.draw(st.integers(0, n))
    one, other = wilson(successes, n), wilson(n - successes, n)
    assert math.isclose(one.low, 1 - other.high, abs_tol=1e-12)
    assert math.isclose(one.high, 1 - other.low, abs_tol=1e-12)


@given(n=st.integers(2, 5_000), data=st.data())
def test_the_ends_of_wilson_are_where_the_score_test_just_rejects(n, data):
    """Wilson's own definition: |rate - p| = z sqrt(p (1 - p) / n) at both ends."""
    successes = data.draw(st.integers(1, n - 1))
    interval = wilson(successes, n)
    for end in (interval.low, interval.high):
        deviations = abs(successes / n - end) / math.sqrt(end * (1 - end) / n)
        assert math.isclose(deviations, 1.959963984540054, rel_tol=1e-6)


def test_wilson_agrees_with_a_published_example():
    """Newcombe (1998), table I, method 3: 81 of 263 and 15 of 148."""
    for successes, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        interval = wilson(successes, n)
        assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_wilson_of_nothing_is_undefined():
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1), (math.nan, 5)])
def test_wilson_refuses_counts_that_cannot_be(successes, n):
    with pytest.raises(ValueError, match="successes must be"):
        wilson(successes, n)


@given(values=st.lists(st.integers(0, 1), min_size=2, max_size=50))
def test_clusters_of_one_event_cost_nothing(values):
    assert math.isclose(design_effect(values, range(len(values))), 1.0)


@given(rates=st.lists(st.integers(0, 1), min_size=2, max_size=30), size=st.integers(1, 9))
def test_clusters_of_copies_count_about_once_each(rates, size):
    """Events that merely repeat one another add nothing: the factor is the size of a cluster."""
    values = [rate for rate in rates for _ in range(size)]
    clusters = [cluster for cluster in range(len(rates)) for _ in range(size)]
    n, k = len(values), len(rates)
    degrees = 1.0 if len(set(rates)) == 1 else k / (k - 1) * (n - 1) / n
    assert math.isclose(design_effect(values, clusters), max(1.0, size * degrees))


@given(values=VERDICTS, data=st.data())
def test_the_design_effect_is_the_ratio_of_two_variances(values, data):
    """Against both variances written out, in exact fractions."""
    clusters = data.draw(st.lists(st.integers(0, 5), min_size=len(values), max_size=len(values)))
    n, k = len(values), len(set(clusters))
    mean = Fraction(sum(values), n)
    squares = sum((value - mean) ** 2 for value in values)
    if k < 2 or squares == 0:
        expected = Fraction(sum(clusters.count(cluster) ** 2 for cluster in set(clusters)), n)
    else:
        totals = [sum(v - mean for v, c in zip(values, clusters, strict=True) if c == own) for own in set(clusters)]
        clustered = Fraction(k, k - 1) * sum(total**2 for total in totals) / n**2
        expected = max(Fraction(1), clustered / (squares / (n - 1) / n))
    assert math.isclose(design_effect(values, clusters), expected, rel_tol=1e-9)


def test_a_design_effect_needs_events():
    assert design_effect([], []) is None
    assert agreement_interval([], []) is None
    assert agreement_interval([]) is None


@given(verdicts=VERDICTS, data=st.data())
def test_clusters_never_narrow_an_agreement_interval(verdicts, data):
    clusters = data.draw(st.lists(st.integers(0, 5), min_size=len(verdicts), max_size=len(verdicts)))
    plain, clustered = agreement_interval(verdicts), agreement_interval(verdicts, clusters)
    assert clustered.low <= plain.low + 1e-12
    assert clustered.high >= plain.high - 1e-12


def test_one_cluster_is_one_observation():
    assert agreement_interval([True] * 50, ["thread"] * 50) == wilson(1, 1)


@given(events=EVENTS)
def test_a_bootstrap_interval_is_in_range_and_undefined_only_without_items(events):
    interval = bootstrap_f1(*columns(events), replicates=50)
    if micro_f1(events) is None:
        assert interval is None
    elif interval is not None:
        assert 0 <= interval.low <= interval.high <= 1


@given(events=EVENTS, data=st.data())
def test_the_order_of_events_does_not_move_a_bootstrap_interval(events, data):
    shuffled = data.draw(st.permutations(events))
    assert bootstrap_f1(*columns(events), replicates=50) == bootstrap_f1(*columns(shuffled), replicates=50)


@given(events=EVENTS, data=st.data())
def test_the_names_of_clusters_do_not_move_a_bootstrap_interval(events, data):
    clusters = data.draw(st.lists(st.integers(0, 3), min_size=len(events), max_size=len(events)))
    renamed = [f"thread {7 - cluster}" for cluster in clusters]
    one = bootstrap_f1(*columns(events), clusters, replicates=50)
    assert one == bootstrap_f1(*columns(events), renamed, replicates=50)


def reference_f1_interval(events, replicates, seed):
    """The textbook way: draw events themselves."""
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(events), size=(replicates, len(events)))
    tp, fp, fn = np.asarray(events)[picks].sum(axis=1).T
    return np.quantile(2 * tp / (2 * tp + fp + fn), [0.025, 0.975])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_drawing_distinct_rows_gives_the_distribution_of_drawing_events(seed):
    generator = np.random.default_rng(seed)
    events = np.column_stack([generator.poisson(mean, 200) for mean in (3, 1, 1)])
    ours = bootstrap_f1(*events.T, replicates=20_000, seed=seed)
    low, high = reference_f1_interval(events, 20_000, seed + 100)
    # The Monte Carlo error of such a percentile is about 1/60 of the width here.
    tolerance = 0.06 * (high - low)
    assert math.isclose(ours.low, low, abs_tol=tolerance)
    assert math.isclose(ours.high, high, abs_tol=tolerance)


def test_replicates_drawn_in_many_portions_are_those_drawn_in_one(monkeypatch):
    events = np.random.default_rng(5).poisson(3, (3, 300))
    at_once = bootstrap_f1(*events)
    monkeypatch.setattr("cascade_cli.stats.bootstrap._DRAWS_IN_MEMORY", 1000)
    assert bootstrap_f1(*events) == at_once


def test_a_cluster_is_drawn_whole():
    """Two threads, one all right and one all wrong: every replicate is 0, one half or 1."""
    tp, fp, fn = [1] * 10 + [0] * 10, [0] * 10 + [1] * 10, [0] * 10 + [1] * 10
    clusters = ["right"] * 10 + ["wrong"] * 10
    assert bootstrap_f1(tp, fp, fn, clusters) == Interval(0.0, 1.0)
    assert bootstrap_f1(tp, fp, fn).low > 0.1


@pytest.mark.parametrize(
    "call",
    [
        lambda: bootstrap_f1([1, 2], [1], [1, 2]),
        lambda: bootstrap_f1([1], [1], [1], clusters=["a", "b"]),
        lambda: design_effect([1.0], ["a", "b"]),
        lambda: paired_rate_difference([True], [True, False]),
    ],
)
def test_columns_of_different_lengths_are_refused(call):
    with pytest.raises(ValueError, match=r"length|clusters"):
        call()


@given(first=EVENTS, data=st.data())
def test_swapping_two_measurements_flips_the_sign_of_their_difference(first, data):
    second = data.draw(st.lists(st.tuples(COUNT, COUNT, COUNT), min_size=len(first), max_size=len(first)))
    there = paired_f1_difference(columns(first), columns(second), replicates=200)
    if micro_f1(first) is None or micro_f1(second) is None:
        assert there is None
    elif there is not None:
        assert math.isclose(there.value, micro_f1(second) - micro_f1(first), abs_tol=1e-12)


def test_a_measurement_does_not_differ_from_itself():
    events = columns([(3, 1, 0), (2, 0, 2), (5, 1, 1)])
    same = paired_f1_difference(events, events)
    assert (same.value, same.interval) == (0.0, Interval(0.0, 0.0))


@given(first=VERDICTS, data=st.data())
def test_a_difference_of_rates_is_the_difference_of_the_means(first, data):
    second = data.draw(st.lists(st.booleans(), min_size=len(first), max_size=len(first)))
    found = paired_rate_difference(first, second, replicates=100)
    assert math.isclose(found.value, np.mean(second) - np.mean(first), abs_tol=1e-12)
    assert -1 <= found.interval.low <= found.interval.high <= 1


def test_pairing_narrows_the_interval_of_a_difference():
    generator = np.random.default_rng(11)
    first = generator.random(500) < 0.8
    second = first.copy()
    second[:10] = ~second[:10]
    paired = paired_rate_difference(first, second).interval
    unpaired = paired_rate_difference(first, generator.permutation(second)).interval
    assert paired.high - paired.low < (unpaired.high - unpaired.low) / 2


def test_a_difference_without_events_is_undefined():
    assert paired_rate_difference([], []) is None
    assert paired_f1_difference(([], [], []), ([], [], [])) is None


@given(only_first=st.integers(0, 60), only_second=st.integers(0, 60))
def test_mcnemar_is_the_sum_of_both_tails(only_first, only_second):
    """Against the binomial written out in whole numbers."""
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    expected = None if n == 0 else float(min(Fraction(1), Fraction(2 * tail, 2**n)))
    found = mcnemar(only_first, only_second)
    assert found == expected if expected is None else math.isclose(found, expected, rel_tol=1e-9)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 3)
