"""A rate of agreement from labels that were not drawn alike: strata, weights, predictions.

In production only sampled events have both answers, and the rate of sampling differs by prompt hash and over time. A
plain mean over the labels is then the mean of the sampling, not of the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cascade_cli.stats.intervals import Clusters, Floats, Interval, cluster_codes, wilson

INSUFFICIENT = 30
"""With fewer labels an interval is shown, and nothing is decided by the estimate."""
_FOLDS = 5
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate with what it rests on.

    Attributes:
        rate: in [0, 1].
        interval: at 95 %.
        labels: how many labels there were.
        effective_labels: how many independent, evenly drawn ones would tell as much, above 0.
        largest_weight: share in (0, 1] of the weight that one label carries.
    """

    rate: float
    interval: Interval
    labels: int
    effective_labels: float
    largest_weight: float

    @property
    def sufficient(self) -> bool:
        """Whether there are labels enough to decide by it."""
        return self.labels >= INSUFFICIENT


@dataclass(frozen=True, slots=True)
class Stratum:
    """Events that were sampled alike, as those of one prompt hash at one rate.

    Attributes:
        events: how many there are, labelled or not.
        labels: how many have a label.
        agree: how many of those agree.
    """

    events: int
    labels: int
    agree: int


def post_stratified(strata: Sequence[Stratum], confidence: float = 0.95) -> Estimate | None:
    """The rate over all events, each stratum weighing as much as it has events (Holt and Smith, 1979).

    The interval is Wilson's: with all labels where every stratum was sampled at one rate, else with as many as would
    give this variance. In a stratum's variance one label of each sort is added (Agresti and Coull, 1998), for a few
    labels that all agree say little.

    Args:
        strata: those without events are passed over.
        confidence: strictly between 0 and 1.

    Returns:
        None without events, or where a stratum with events has no label: then the rate is not identified.

    Raises:
        ValueError: counts contradict each other.
    """
    if any(not 0 <= each.agree <= each.labels <= each.events for each in strata):
        raise ValueError("a stratum has at most as many agreeing labels as labels, and as many labels as events")
    there = [each for each in strata if each.events]
    if not there or any(each.labels == 0 for each in there):
        return None
    events, labels, agree = (np.array(column, dtype=np.float64) for column in _columns(there))
    weights, rates = events / events.sum(), agree / labels
    rate, largest, total = float(weights @ rates), float((weights / labels).max()), float(labels.sum())
    if np.allclose(weights, labels / total):
        return _estimate(rate, 0.0, 1 / total, total, largest, confidence)
    guarded = (agree + 1) / (labels + 2)
    variance = float((weights**2 * guarded * (1 - guarded) / labels).sum())
    return _estimate(rate, variance, float((weights**2 / labels).sum()), total, largest, confidence)


def _columns(strata: Sequence[Stratum]) -> tuple[list[int], list[int], list[int]]:
    return [each.events for each in strata], [each.labels for each in strata], [each.agree for each in strata]


def hajek(
    agrees: npt.ArrayLike,
    inclusion: npt.ArrayLike,
    clusters: Clusters | None = None,
    confidence: float = 0.95,
) -> Estimate | None:
    """The rate from labels that were drawn with known chances, each weighing the inverse of its own (Hajek, 1971).

    Weights are divided by their sum, not by the number of events: on rates that are nearly even this varies far less
    than Horvitz and Thompson's estimate. Replaying another policy on production logs uses it with the chances of the
    policy that was in force.

    Args:
        agrees: the label of each event, 0 or 1.
        inclusion: the chance in [0, 1] with which each was labelled.
        clusters: what each shares with others; None where they are independent.
        confidence: strictly between 0 and 1.

    Returns:
        None without labels, or where a chance is 0: the events that it stands for were never seen.

    Raises:
        ValueError: the lengths differ, or a chance is not in [0, 1].
    """
    labels, chances = np.asarray(agrees, dtype=np.float64), np.asarray(inclusion, dtype=np.float64)
    if len(labels) != len(chances) or (clusters is not None and len(clusters) != len(labels)):
        raise ValueError(f"as many of each are wanted: {len(labels)} labels, {len(chances)} chances")
    if len(chances) and not (chances.min() >= 0 and chances.max() <= 1):
        raise ValueError("a chance must be in [0, 1]")
    if len(labels) == 0 or chances.min() == 0:
        return None
    weights = 1 / chances / (1 / chances).sum()
    # Where all are alike, so is their mean, whatever the weights add up to in floats.
    rate = float(labels[0]) if labels.min() == labels.max() else float(weights @ labels)
    residuals, shares = weights * (labels - rate), weights
    if clusters is not None:
        codes, n_clusters = cluster_codes(clusters)
        residuals, shares = (np.bincount(codes, column, minlength=n_clusters) for column in (residuals, shares))
    units = len(residuals)
    variance = float((residuals**2).sum()) * (units / (units - 1) if units > 1 else 1.0)
    guarded = max(variance, _guarded_variance(labels, weights))
    return _estimate(rate, guarded, float((shares**2).sum()), len(labels), float(weights.max()), confidence)


def _guarded_variance(labels: Floats, weights: Floats) -> float:
    """The variance of independent labels, those of about one weight together, one of each sort added to them.

    Where the few heavy labels happen to agree, the variance seen is that of the light ones; in each group of weights
    that differ by less than a factor of two, one label of each sort is added (Agresti and Coull, 1998).
    """
    groups = np.floor(np.log2(weights / weights.min())).astype(np.int64)
    agree, number, squares = (np.bincount(groups, column) for column in (labels, np.ones(len(labels)), weights**2))
    rates = (agree + 1) / (number + 2)
    return float((squares * rates * (1 - rates)).sum())


def _estimate(
    rate: float, variance: float, flat: float, labels: float, largest_weight: float, confidence: float
) -> Estimate | None:
    """An estimate whose interval is Wilson's at the number of labels that gives its variance.

    Args:
        rate: in [0, 1].
        variance: of the rate.
        flat: the inverse of the number of labels that the weights alone leave.
        labels: how many there were.
        largest_weight: share of one label.
        confidence: strictly between 0 and 1.
    """
    rate = min(max(rate, 0.0), 1.0)
    # A few labels may vary less than their process does: never credit them with more than their own number.
    # Where all agree, or none, rounding leaves a variance that is no variance.
    spread = rate * (1 - rate)
    effective = float(min(spread / variance if min(spread, variance) > _ROUNDING else 1 / flat, labels))
    interval = wilson(rate * effective, effective, confidence)
    if interval is None:
        return None
    return Estimate(rate, interval, int(labels), effective, float(largest_weight))


@dataclass(frozen=True, slots=True)
class Powered:
    """An estimate that a prediction helps.

    Attributes:
        estimate: of the rate.
        gain: by what factor the prediction multiplies the number of labels; 1 where it tells nothing, below 1 where it
            costs. At an AUC of 0.63 about 1.02.
    """

    estimate: Estimate
    gain: float


def prediction_powered(
    agrees: npt.ArrayLike,
    predicted: npt.ArrayLike,
    predicted_elsewhere: npt.ArrayLike,
    confidence: float = 0.95,
    *,
    effect: float = 1.0,
) -> Powered | None:
    """The rate from some labels, and from a prediction for labelled and unlabelled events alike.

    The mean of the labels, corrected by how much the prediction's mean differs between the two sets, with the weight of
    the correction chosen for the least variance (Angelopoulos, Duchi and Zrnic, "PPI++", 2023) on other folds than the
    one that it is applied to.

    Args:
        agrees: labels, 0 or 1, drawn evenly.
        predicted: the prediction for those events, any numbers.
        predicted_elsewhere: the prediction for events without a label.
        confidence: strictly between 0 and 1.
        effect: by what factor clusters multiply the variance, at least 1.

    Returns:
        None with fewer labels than twice the folds, or without any event elsewhere.

    Raises:
        ValueError: labels and predictions differ in number.
    """
    labels, here, elsewhere = (
        np.asarray(column, dtype=np.float64) for column in (agrees, predicted, predicted_elsewhere)
    )
    if len(labels) != len(here):
        raise ValueError(f"{len(labels)} labels but {len(here)} predictions")
    n, others = len(labels), len(elsewhere)
    if n < 2 * _FOLDS or others == 0:
        return None
    corrected = np.empty(n)
    for fold in range(_FOLDS):
        inside = np.arange(n) % _FOLDS == fold
        weight = _power(labels[~inside], here[~inside], n / others)
        corrected[inside] = labels[inside] - weight * (here[inside] - elsewhere.mean())
    weight = _power(labels, here, n / others)
    variance = float(corrected.var(ddof=1)) / n + weight**2 * float(elsewhere.var()) / others
    plain = float(labels.var(ddof=1)) / n
    found = _estimate(float(corrected.mean()), variance * effect, effect / n, n + others, 1 / n, confidence)
    if found is None:
        return None
    estimate = Estimate(found.rate, found.interval, n, found.effective_labels, found.largest_weight)
    return Powered(estimate, plain / variance if variance > 0 else 1.0)


def _power(labels: Floats, predicted: Floats, ratio: float) -> float:
    spread = float(predicted.var())
    if spread == 0:
        return 0.0
    covariance = float(np.mean((labels - labels.mean()) * (predicted - predicted.mean())))
    return covariance / spread / (1 + ratio)


def noise_ceiling(agreement: float | None, self_agreement: float | None) -> float | None:
    """The student's agreement with the teacher as a share of what the teacher reaches with itself.

    Args:
        agreement: of the student, in [0, 1]; None where it is undefined.
        self_agreement: of the teacher asked twice, likewise.

    Returns:
        About 1 where the student errs no more than the teacher varies; None where either is undefined, or the teacher
        never agrees with itself.
    """
    return agreement / self_agreement if agreement is not None and self_agreement else None
