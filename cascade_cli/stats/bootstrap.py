"""Percentile bootstrap of ratios that are made of sums over events, or over clusters of events.

A replicate draws as many events as there are, with replacement (B. Efron, "Bootstrap methods: another look at the
jackknife", Annals of Statistics 7, 1979). Events with the same counts are exchangeable, so how often each *distinct*
row of counts is drawn is multinomial: drawing those numbers gives the same distribution, and a million events cost no
more than their few hundred distinct rows. With clusters, a row is the sum over one cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cascade_cli.stats.intervals import Clusters, Floats, Interval, cluster_codes, wilson

Counts = Sequence[float] | npt.NDArray[np.float64] | npt.NDArray[np.int64]
_REPLICATES = 2000
_SEED = 1979
# Draws held at once: 32 MB, however many distinct rows there are.
_DRAWS_IN_MEMORY = 4_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """How much a second measurement lies above a first one, with its interval."""

    value: float
    interval: Interval


def bootstrap_f1(
    tp: Counts,
    fp: Counts,
    fn: Counts,
    clusters: Clusters | None = None,
    *,
    replicates: int = _REPLICATES,
    seed: int = _SEED,
    confidence: float = 0.95,
) -> Interval | None:
    """Return the interval of the micro F1, 2 tp / (2 tp + fp + fn) over all events.

    Args:
        tp: true positives, one number of at least 0 an event; ``fp`` and ``fn`` likewise, in the same order.
        fp: false positives.
        fn: false negatives.
        clusters: the cluster of each event; None where events are independent.
        replicates: how many samples are drawn.
        seed: the same seed gives the same interval, whatever the order of events and the names of clusters.
        confidence: strictly between 0 and 1.

    Returns:
        An interval within [0, 1], over those replicates whose F1 is defined. Where every event is right, or every one
        wrong, no replicate differs from another and the bootstrap sees no doubt: then Wilson's, each event (cluster)
        with items counting once. None where no event has any item, or only one has and it is neither.

    Raises:
        ValueError: the lengths differ.
    """
    rows = _rows_of((tp, fp, fn), clusters)
    rows = rows[rows.any(axis=1)]
    whole = float(_micro_f1(rows.sum(axis=0, keepdims=True))[0])
    if whole in {0.0, 1.0}:
        return wilson(whole * len(rows), len(rows), confidence)
    if len(rows) == 1:
        return None
    return _percentile_interval(rows, _micro_f1, replicates=replicates, seed=seed, confidence=confidence)


def paired_f1_difference(
    first: tuple[Counts, Counts, Counts],
    second: tuple[Counts, Counts, Counts],
    clusters: Clusters | None = None,
    *,
    replicates: int = _REPLICATES,
    seed: int = _SEED,
    confidence: float = 0.95,
) -> Difference | None:
    """Return the second micro F1 less the first, both on the same events, drawn together.

    Args:
        first: tp, fp and fn of each event in the first measurement.
        second: the same events in the same order in the second one.
        clusters: the cluster of each event; None where events are independent.
        replicates: how many samples are drawn.
        seed: the same seed gives the same interval.
        confidence: strictly between 0 and 1.

    Returns:
        A difference in [-1, 1]; None where either F1 is undefined.

    Raises:
        ValueError: the lengths differ.
    """
    rows = _rows_of((*first, *second), clusters)
    return _difference(rows, _f1_difference, replicates=replicates, seed=seed, confidence=confidence)


def paired_rate_difference(
    first: Sequence[bool] | npt.NDArray[np.bool_],
    second: Sequence[bool] | npt.NDArray[np.bool_],
    clusters: Clusters | None = None,
    *,
    replicates: int = _REPLICATES,
    seed: int = _SEED,
    confidence: float = 0.95,
) -> Difference | None:
    """Return the second rate less the first, both on the same events, drawn together.

    Args:
        first: the verdict of each event in the first measurement.
        second: the same events in the same order in the second one.
        clusters: the cluster of each event; None where events are independent.
        replicates: how many samples are drawn.
        seed: the same seed gives the same interval.
        confidence: strictly between 0 and 1.

    Returns:
        A difference in [-1, 1]; None without events.

    Raises:
        ValueError: the lengths differ.
    """
    verdicts = [np.asarray(side, dtype=np.float64) for side in (first, second)]
    rows = _rows_of((*verdicts, np.ones(len(verdicts[0]))), clusters)
    return _difference(rows, _rate_difference, replicates=replicates, seed=seed, confidence=confidence)


def resampled_sums(
    columns: Sequence[Counts],
    clusters: Clusters | None = None,
    *,
    replicates: int = _REPLICATES,
    seed: int = _SEED,
) -> Floats:
    """The sums of several columns in each replicate, drawn together: for figures that are made of the same events.

    Args:
        columns: one number an event each, in the same order.
        clusters: the cluster of each event; None where events are independent.
        replicates: how many samples are drawn.
        seed: the same seed gives the same sums.

    Returns:
        Shape (replicates, columns).

    Raises:
        ValueError: the lengths differ.
    """
    return np.concatenate(list(_resampled_sums(_rows_of(columns, clusters), replicates, seed)))


# Sums, one row a replicate -> the measurement of each replicate; NaN where it is undefined.
_Measurement = Callable[[Floats], Floats]


def _micro_f1(sums: Floats) -> Floats:
    tp, fp, fn = sums[:, 0], sums[:, 1], sums[:, 2]
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _f1_difference(sums: Floats) -> Floats:
    return _micro_f1(sums[:, 3:]) - _micro_f1(sums[:, :3])


def _rate_difference(sums: Floats) -> Floats:
    return _ratio(sums[:, 1] - sums[:, 0], sums[:, 2])


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    ratio = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _rows_of(columns: Sequence[Counts], clusters: Clusters | None) -> Floats:
    """Return one row an event, or one a cluster: its sums; the shape is (rows, columns)."""
    lengths = {len(column) for column in columns} | ({len(clusters)} if clusters is not None else set())
    if len(lengths) > 1:
        raise ValueError(f"one number an event is wanted everywhere, got lengths {sorted(lengths)}")
    rows = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
    if clusters is None:
        return rows
    codes, n_clusters = cluster_codes(clusters)
    return np.column_stack([np.bincount(codes, weights=column, minlength=n_clusters) for column in rows.T])


def _difference(
    rows: Floats, measure: _Measurement, *, replicates: int, seed: int, confidence: float
) -> Difference | None:
    interval = _percentile_interval(rows, measure, replicates=replicates, seed=seed, confidence=confidence)
    if interval is None:
        return None
    return Difference(float(measure(rows.sum(axis=0, keepdims=True))[0]), interval)


def _percentile_interval(
    rows: Floats, measure: _Measurement, *, replicates: int, seed: int, confidence: float
) -> Interval | None:
    if np.isnan(measure(rows.sum(axis=0, keepdims=True))[0]):
        return None
    drawn = np.concatenate([measure(sums) for sums in _resampled_sums(rows, replicates, seed)])
    defined = drawn[~np.isnan(drawn)]
    if len(defined) == 0:
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _resampled_sums(rows: Floats, replicates: int, seed: int) -> Iterator[Floats]:
    """Yield the column sums of each replicate, some replicates at a time."""
    distinct, copies = np.unique(rows, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    at_once = max(1, _DRAWS_IN_MEMORY // len(distinct))
    for done in range(0, replicates, at_once):
        size = min(at_once, replicates - done)
        draws = generator.multinomial(len(rows), copies / len(rows), size=size)
        yield draws @ distinct
