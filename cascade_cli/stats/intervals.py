"""Intervals for a rate, of independent events and of events that share a cluster.

Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
Statistical Association 22 (1927); L. Kish, "Survey Sampling" (1965), chapters 5 and 8.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_SPARSE = 8
Clusters = Sequence[Hashable] | npt.NDArray[np.int64]
"""What each event shares with others: any names, or numbers."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; ``low <= high``."""

    low: float
    high: float


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval | None:
    """Return the score interval of a rate (Wilson, 1927).

    Args:
        successes: from 0 to ``n``; need not be whole, for a design effect shrinks both alike.
        n: how many were observed, at least 0.
        confidence: strictly between 0 and 1.

    Returns:
        An interval within [0, 1] around ``successes / n``; None where ``n`` is 0.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be from 0 to n, got {successes} of {n}")
    if n == 0:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # The ends at 0 and 1 are exact on paper; rounding must not cut the rate itself out of its interval.
    return Interval(
        low=0.0 if successes == 0 else min(max(centre - half, 0.0), rate),
        high=1.0 if successes == n else max(min(centre + half, 1.0), rate),
    )


def design_effect(values: Sequence[float] | Floats, clusters: Clusters) -> float | None:
    """Return by what factor clustering multiplies the variance of the mean (Kish, 1965).

    The estimate is the variance of the mean between clusters over that of as many independent values. Where the
    values do not vary, nothing can be learnt about likeness within clusters, and the worst is assumed: every cluster
    speaks with one voice, and the factor is the mean cluster size as an event sees it.

    Args:
        values: one number an event.
        clusters: the cluster of each event, in the same order.

    Returns:
        A factor of at least 1: a sample is never credited with more than its size. None without events.

    Raises:
        ValueError: the lengths differ.
    """
    observed = np.asarray(values, dtype=np.float64)
    codes, n_clusters = cluster_codes(clusters)
    if len(observed) != len(codes):
        raise ValueError(f"{len(observed)} values but {len(codes)} clusters")
    n = len(observed)
    if n == 0:
        return None
    sizes = np.bincount(codes, minlength=n_clusters)
    worst = float((sizes.astype(np.float64) ** 2).sum() / n)
    residuals = observed - observed.mean()
    independent = float((residuals**2).sum())
    if n_clusters == 1 or independent <= np.finfo(np.float64).eps * n:
        return worst
    between = np.bincount(codes, weights=residuals, minlength=n_clusters)
    # Both variances with their own degrees of freedom: clusters of one event each give exactly 1.
    degrees = n_clusters / (n_clusters - 1) * (n - 1) / n
    return max(1.0, degrees * float((between**2).sum()) / independent)


def agreement_interval(
    agrees: Sequence[bool] | npt.NDArray[np.bool_],
    clusters: Clusters | None = None,
    confidence: float = 0.95,
) -> Interval | None:
    """Return the interval of an agreement rate: Wilson's, with n divided by the design effect.

    Args:
        agrees: the verdict of each event.
        clusters: the document or conversation of each event; None where events are independent.
        confidence: strictly between 0 and 1.

    Returns:
        An interval within [0, 1]; None without events.

    Raises:
        ValueError: the lengths differ.
    """
    verdicts = np.asarray(agrees, dtype=np.float64)
    effect = 1.0 if clusters is None else design_effect(verdicts, clusters)
    if effect is None:
        return None
    return wilson(float(verdicts.sum()) / effect, len(verdicts) / effect, confidence)


def cluster_codes(clusters: Clusters) -> tuple[npt.NDArray[np.int64], int]:
    """Return a number from 0 for each cluster, and how many clusters there are; quick where they come as numbers."""
    if isinstance(clusters, np.ndarray):
        return _renumbered(clusters)
    numbers: dict[Hashable, int] = {}
    codes = np.fromiter(
        (numbers.setdefault(cluster, len(numbers)) for cluster in clusters), dtype=np.int64, count=len(clusters)
    )
    return codes, len(numbers)


def _renumbered(numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    """Numbers from 0 without gaps; by a table where they are about as many as they say, else by sorting."""
    if len(numbers) == 0 or numbers.min() < 0 or numbers.max() > _SPARSE * len(numbers):
        present, codes = np.unique(numbers, return_inverse=True)
        return codes.astype(np.int64, copy=False), len(present)
    present = np.flatnonzero(np.bincount(numbers))
    table = np.zeros(int(present[-1]) + 1, dtype=np.int64)
    table[present] = np.arange(len(present))
    return table[numbers], len(present)
