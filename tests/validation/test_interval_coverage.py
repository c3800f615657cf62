"""An interval of 95 % must hold the truth about 95 times in 100: simulated where the truth is known."""

import numpy as np
import pytest

from cascade_cli.stats import agreement_interval, bootstrap_f1, wilson

pytestmark = pytest.mark.slow
TRIALS = 2000
# Three standard errors of a share of 0.95 in 2,000 trials.
NOISE = 3 * (0.95 * 0.05 / TRIALS) ** 0.5


def coverage(truth, intervals):
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


@pytest.mark.parametrize("rate", [0.5, 0.85, 0.95, 0.99])
@pytest.mark.parametrize("n", [30, 200, 2000])
def test_wilson_covers_on_average_over_nearby_rates(rate, n):
    """At a single rate the coverage of any interval of a binomial oscillates (Brown, Cai, DasGupta, 2001)."""
    generator = np.random.default_rng(1)
    truths = np.clip(rate + generator.uniform(-0.01, 0.01, TRIALS), 0, 1)
    held = [
        interval.low <= truth <= interval.high
        for truth, k in zip(truths, generator.binomial(n, truths), strict=True)
        for interval in [wilson(k, n)]
    ]
    assert 0.95 - NOISE - 0.005 <= np.mean(held) <= 0.95 + NOISE + 0.025


def clustered_verdicts(generator, n_clusters, likeness):
    """Threads of 1 to 9 events, each thread with its own rate: beta with mean 0.85 and this intraclass correlation."""
    strength = 1 / likeness - 1
    rates = generator.beta(0.85 * strength, 0.15 * strength, n_clusters)
    clusters = np.repeat(np.arange(n_clusters), generator.integers(1, 10, n_clusters))
    return generator.random(len(clusters)) < rates[clusters], clusters


@pytest.mark.parametrize("likeness", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("n_clusters", [40, 200])
def test_an_agreement_interval_covers_under_clusters_where_wilson_alone_does_not(likeness, n_clusters):
    generator = np.random.default_rng(2)
    samples = [clustered_verdicts(generator, n_clusters, likeness) for _ in range(TRIALS)]
    clustered = coverage(0.85, [agreement_interval(verdicts, clusters.tolist()) for verdicts, clusters in samples])
    naive = coverage(0.85, [agreement_interval(verdicts) for verdicts, _ in samples])
    print(f"{n_clusters} clusters, likeness {likeness}: {clustered:.3f} with clusters, {naive:.3f} without")
    assert clustered >= 0.92
    assert naive < clustered


@pytest.mark.parametrize("by_cluster", [False, True])
def test_the_bootstrap_covers_the_micro_f1(by_cluster):
    """Events of a thread share one error rate; F1's truth is the ratio of expected sums, over a large sample."""

    def sample(n_threads, generator):
        threads = np.repeat(np.arange(n_threads), 4)
        right = generator.beta(9, 1, n_threads)[threads] if by_cluster else np.full(len(threads), 0.9)
        gold = generator.integers(1, 12, len(threads))
        tp = generator.binomial(gold, right)
        return tp, generator.poisson(0.5, len(threads)), gold - tp, threads

    generator = np.random.default_rng(3)
    tp, fp, fn, _ = sample(400_000, generator)
    truth = 2 * tp.sum() / (2 * tp.sum() + fp.sum() + fn.sum())
    found = []
    for _ in range(500):
        tp, fp, fn, threads = sample(60, generator)
        found.append(bootstrap_f1(tp, fp, fn, threads.tolist() if by_cluster else None, replicates=500))
    share = coverage(truth, found)
    print(f"bootstrap, clustered {by_cluster}: {share:.3f}")
    assert share >= 0.915
