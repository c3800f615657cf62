"""What sending the right events to the stronger model first is worth: deferral curves and their summaries.

Events are deferred in the order of a score, highest first. Where scores tie, any order among them is as likely, so the
curve runs straight from one end of a tie to the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class DeferralCurve:
    """Mean quality by how many events are deferred; straight between two points.

    Attributes:
        deferred: numbers of events, rising from 0 to n, shape (points,).
        quality: mean quality of all n events when so many are deferred, shape (points,).
    """

    deferred: Floats
    quality: Floats

    @property
    def events(self) -> int:
        """How many events there are."""
        return int(self.deferred[-1])

    @property
    def area(self) -> float:
        """Mean quality over all shares that can be deferred, by trapezoids."""
        return float(np.trapezoid(self.quality, self.deferred / self.events))

    def calls_for(self, quality: float) -> float | None:
        """The least number of events to defer for a mean quality, between whole events where the curve is a mean.

        Returns:
            A number in [0, n]; None where no number reaches that quality.
        """
        reached = np.flatnonzero(self.quality >= quality - _ROUNDING)
        if len(reached) == 0:
            return None
        place = int(reached[0])
        if place == 0:
            return 0.0
        low, high = self.quality[place - 1], self.quality[place]
        share = max(0.0, min(1.0, (quality - low) / (high - low)))
        return float(self.deferred[place - 1] + share * (self.deferred[place] - self.deferred[place - 1]))


def deferral_curve(weak: npt.ArrayLike, strong: npt.ArrayLike, scores: npt.ArrayLike) -> DeferralCurve:
    """The curve of deferring by a score.

    Args:
        weak: quality of each event where it is not deferred, any numbers.
        strong: the same where it is; for a residual, 0 for wrong answers that are removed.
        scores: events with the highest are deferred first; -scores gives the opposite order.

    Raises:
        ValueError: there are no events, or the lengths differ.
    """
    weak, strong, scores = (np.asarray(column, dtype=np.float64) for column in (weak, strong, scores))
    if not len(weak) == len(strong) == len(scores) > 0:
        raise ValueError(f"as many of each are wanted, at least 1: {len(weak)}, {len(strong)}, {len(scores)}")
    tie, sizes = _ties(scores)
    gains = np.bincount(tie, strong - weak)
    deferred = np.concatenate([[0.0], np.cumsum(sizes)])
    quality = (weak.sum() + np.concatenate([[0.0], np.cumsum(gains)])) / len(weak)
    return DeferralCurve(deferred, quality)


def _ties(scores: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The number of each event's tie, the highest scores first, and how many events each tie has."""
    low, high = scores.min(), scores.max()
    # Most orders here are those of a yes or a no, and a million need not be sorted for that.
    if ((scores == low) | (scores == high)).all():
        tie = (scores != high).astype(np.int64)
        return tie, np.bincount(tie)
    _, tie, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    return tie, sizes


def oracle_curve(weak: npt.ArrayLike, strong: npt.ArrayLike) -> DeferralCurve:
    """The best order that there is: by what deferring gains."""
    gain = np.asarray(strong, dtype=np.float64) - np.asarray(weak, dtype=np.float64)
    return deferral_curve(weak, strong, gain)


def random_curve(weak: npt.ArrayLike, strong: npt.ArrayLike) -> DeferralCurve:
    """No order at all: a straight line from the weak to the strong model's mean."""
    return deferral_curve(weak, strong, np.zeros(len(np.asarray(weak))))


def gap_recovered(curve: DeferralCurve) -> float | None:
    """Mean share of the gap between the two models that the curve closes; 0.5 for a random order.

    APGR of Ong et al., "RouteLLM" (2024), here by trapezoids over every number of deferred events.

    Returns:
        A number, above 1 where the order avoids events on which the strong model is the worse one; None where the
        two are equally good.
    """
    weak, strong = float(curve.quality[0]), float(curve.quality[-1])
    return None if strong == weak else (curve.area - weak) / (strong - weak)


def normalised_gain(curve: DeferralCurve, weak: npt.ArrayLike, strong: npt.ArrayLike) -> float | None:
    """How far the curve's area lies from random (0) to oracle (1); below 0 where it is worse than random.

    Returns:
        None where no order is better than another.
    """
    return gain_between(curve, random_curve(weak, strong), oracle_curve(weak, strong))


def gain_between(curve: DeferralCurve, chance: DeferralCurve, best: DeferralCurve) -> float | None:
    """The same from the curves of a random order and of the oracle."""
    room = best.area - chance.area
    return None if room <= _ROUNDING else (curve.area - chance.area) / room


def regret(curve: DeferralCurve, weak: npt.ArrayLike, strong: npt.ArrayLike) -> float:
    """Mean quality that the oracle's order has and the curve's has not, at least 0."""
    return regret_to(curve, oracle_curve(weak, strong))


def regret_to(curve: DeferralCurve, best: DeferralCurve) -> float:
    """The same from the oracle's curve."""
    return max(0.0, best.area - curve.area)


def auc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """The chance that a positive scores above a negative, ties half (Mann and Whitney, 1947).

    Args:
        positive: 1 or 0 for each, shape (n,).
        scores: any numbers, shape (n,).

    Returns:
        A number in [0, 1]; None where there is no positive or no negative.
    """
    labels = np.asarray(positive, dtype=np.float64)
    positives, negatives = float(labels.sum()), float((1 - labels).sum())
    if not positives or not negatives:
        return None
    ranks = rankdata(np.asarray(scores, dtype=np.float64))
    return (float(ranks @ labels) - positives * (positives + 1) / 2) / (positives * negatives)


def augrc(wrong: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Mean, over all shares kept, of the share of *all* events that are kept and wrong.

    The area under the generalised risk coverage curve (Traub et al., "Overcoming common flaws in the evaluation of
    selective classification systems", 2024): unlike the mean risk among the kept, it weighs every mistake alike.

    Args:
        wrong: whether each event is wrong where it is kept.
        scores: events with the highest are given away first.

    Returns:
        A number in [0, 1]: half the error rate for a random order, less for a good one.
    """
    errors = np.asarray(wrong, dtype=np.float64)
    return deferral_curve(errors, np.zeros(len(errors)), scores).area
