"""Alarms that may be looked at after every label: e-processes for a rate of agreement.

An e-process is a running bet against a hypothesis that cannot be expected to grow while the hypothesis holds, so the
chance that it *ever* reaches 1 / alpha is at most alpha (Ville, 1939; Ramdas, Grünwald, Vovk and Shafer,
"Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38, 2023). A confidence interval that
is looked at again and again has no such promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, pi

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import betainc, betaincinv, betaln

from cascade_cli.stats.intervals import Interval

Floats = npt.NDArray[np.float64]
PRIOR = (8.5, 1.5)
"""The default bet, a Beta distribution: that agreement is mostly near 0.85."""
ALPHA = 0.05


def log_e_floor(
    agree: npt.ArrayLike, disagree: npt.ArrayLike, floor: float, prior: tuple[float, float] = PRIOR
) -> Floats:
    """The logarithm of the evidence that the rate of agreement is below a floor.

    The likelihood ratio of a Beta distribution cut off at the floor against the floor itself, whose expectation is at
    most 1 as long as every label agrees with a chance of at least ``floor``.

    Args:
        agree: labels that agree so far, at least 0; any shape.
        disagree: labels that do not, of the same shape.
        floor: in (0, 1).
        prior: the Beta distribution's two parameters, above 0.

    Returns:
        Numbers of that shape; minus infinity where a long good run leaves no evidence that a float can hold.
    """
    good, bad = np.asarray(agree, dtype=np.float64), np.asarray(disagree, dtype=np.float64)
    a, b = prior
    with np.errstate(divide="ignore"):
        tail = np.log(betainc(a + good, b + bad, floor)) - np.log(betainc(a, b, floor))
    log_e: Floats = betaln(a + good, b + bad) - betaln(a, b) + tail - good * log(floor) - bad * np.log1p(-floor)
    return log_e


@dataclass(frozen=True, slots=True)
class FloorAlarm:
    """Watches whether a rate of agreement has ever been shown to be below a floor; two whole numbers of state.

    Attributes:
        floor: in (0, 1); a service level, or a bound from :func:`baseline_floor`.
        alpha: the chance in (0, 1) that it ever alarms although the rate never falls below the floor.
        prior: of the bet.
        agree: labels that agreed.
        disagree: labels that did not.
        alarmed_at: after how many labels it alarmed first; None while it has not. It latches.
    """

    floor: float
    alpha: float = ALPHA
    prior: tuple[float, float] = PRIOR
    agree: int = 0
    disagree: int = 0
    alarmed_at: int | None = None

    @property
    def e_value(self) -> float:
        """The evidence now, at least 0; it may fall again after an alarm."""
        return _exp(float(log_e_floor(self.agree, self.disagree, self.floor, self.prior)))

    def after(self, *, agrees: bool) -> FloorAlarm:
        """The state after one more label, in the order of the decisions."""
        agree, disagree = self.agree + agrees, self.disagree + (not agrees)
        alarmed_at = self.alarmed_at
        if alarmed_at is None and float(log_e_floor(agree, disagree, self.floor, self.prior)) >= -log(self.alpha):
            alarmed_at = agree + disagree
        return FloorAlarm(self.floor, self.alpha, self.prior, agree, disagree, alarmed_at)


def baseline_floor(agree: int, n: int, alpha: float = ALPHA) -> float | None:
    """The floor that labels of a good time give: the lower end of Clopper and Pearson's interval (1934) at alpha / 2.

    A :class:`FloorAlarm` with this floor and alpha / 2 keeps alpha in all: alpha / 2 that the floor lies above the true
    rate, alpha / 2 that the alarm is false.

    Args:
        agree: labels of that time that agree.
        n: all of them.
        alpha: of both together.

    Returns:
        A number in [0, 1); None without labels, or where none agrees: then there is no floor to fall below.

    Raises:
        ValueError: ``agree`` is not from 0 to ``n``.
    """
    if not 0 <= agree <= n:
        raise ValueError(f"agree must be from 0 to n, got {agree} of {n}")
    return float(betaincinv(agree, n - agree + 1, alpha / 2)) if agree else None


@dataclass(frozen=True, slots=True)
class ChangeAlarm:
    """Watches for a fall at an unknown time: a Shiryaev-Roberts detector over a few depths of fall.

    A floor's e-process is diluted by a long good past. This one begins anew at every label (Shin, Ramdas and Rinaldo,
    "E-detectors", 2023): while the rate stays at or above ``floor``, at least ``average_run_length`` labels pass on
    average before it alarms. It promises nothing about the chance of ever alarming.

    Attributes:
        floor: in (0, 1).
        average_run_length: labels between false alarms, at least 1.
        drops: how deep the falls are that it bets on, each in (0, floor).
        evidence: one number a drop.
        labels: seen so far.
        alarmed_at: after how many labels it alarmed first; None while it has not. It latches.
    """

    floor: float
    average_run_length: float = 10_000.0
    drops: tuple[float, ...] = (0.03, 0.06, 0.12, 0.25)
    evidence: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    labels: int = 0
    alarmed_at: int | None = None

    @property
    def statistic(self) -> float:
        """The mean over the drops; it alarms at ``average_run_length``."""
        return sum(self.evidence) / len(self.evidence)

    def after(self, *, agrees: bool) -> ChangeAlarm:
        """The state after one more label, in the order of the decisions."""
        bets = (_bet(self.floor, drop, agrees=agrees) for drop in self.drops)
        # Bounded, so that a very long bad time cannot overflow; the alarm has latched long before.
        evidence = tuple(min((past + 1) * bet, 1e300) for past, bet in zip(self.evidence, bets, strict=True))
        labels, alarmed_at = self.labels + 1, self.alarmed_at
        if alarmed_at is None and sum(evidence) / len(evidence) >= self.average_run_length:
            alarmed_at = labels
        return ChangeAlarm(self.floor, self.average_run_length, self.drops, evidence, labels, alarmed_at)


def change_point(agrees: Sequence[bool], floor: float, drops: Sequence[float]) -> int:
    """After how many labels the fall most probably began, given that there was one of these depths.

    The likeliest start of a run of labels that ends with the last one (Page, 1954). It was chosen for looking worst, so
    what is estimated from the labels after it is somewhat too low.

    Args:
        agrees: labels in their order, at least one.
        floor: agreement before it, in (0, 1).
        drops: how deep it may have fallen, each in (0, floor).

    Returns:
        A number from 0 to one less than there are labels.
    """
    labels = np.asarray(agrees, dtype=np.bool_)
    best, place = -inf, 0
    for drop in drops:
        bets = np.where(labels, log(_bet(floor, drop, agrees=True)), log(_bet(floor, drop, agrees=False)))
        evidence = np.cumsum(bets[::-1])[::-1]
        if evidence.max() > best:
            best, place = float(evidence.max()), int(evidence.argmax())
    return place


def _bet(floor: float, drop: float, *, agrees: bool) -> float:
    low = max(floor - drop, floor / 2)
    return low / floor if agrees else (1 - low) / (1 - floor)


def level_of(place: int, alpha: float = ALPHA) -> float:
    """The share of alpha for the alarm of the ``place``-th prompt hash, from 1; those of all hashes add up to alpha."""
    if place < 1:
        raise ValueError(f"places count from 1, got {place}")
    return alpha * 6 / (pi * place) ** 2


def e_bh(e_values: Sequence[float], alpha: float = ALPHA) -> tuple[bool, ...]:
    """Which of several hypotheses to reject, the share of false ones among them at most alpha in expectation.

    The e-Benjamini-Hochberg procedure (Wang and Ramdas, "False discovery rate control with e-values", 2022); the
    e-values may depend on each other in any way. Its answer may be revoked when the values change.

    Args:
        e_values: one a hypothesis, at least 0, the hypotheses fixed beforehand.
        alpha: in (0, 1).
    """
    order = sorted(range(len(e_values)), key=lambda place: -e_values[place])
    passing = [k for k, place in enumerate(order, start=1) if k * e_values[place] >= len(order) / alpha]
    rejected = set(order[: max(passing, default=0)])
    return tuple(place in rejected for place in range(len(order)))


def confidence_sequence(agree: int, disagree: int, alpha: float = ALPHA) -> Interval | None:
    """An interval that holds at all times together, for display beside Wilson's, which holds at one.

    All rates against which a uniform bet has not won 1 / alpha (Robbins, "Statistical methods related to the law of the
    iterated logarithm", 1970).

    Args:
        agree: labels that agree so far.
        disagree: labels that do not.
        alpha: the chance that it is ever wrong.

    Returns:
        An interval within [0, 1]; None without labels.
    """
    n = agree + disagree
    if n == 0:
        return None
    mixture = float(betaln(1 + agree, 1 + disagree))

    def excess(rate: float) -> float:
        likelihood = (agree * log(rate) if agree else 0.0) + (disagree * log(1 - rate) if disagree else 0.0)
        return mixture - likelihood + log(alpha)

    # Where an end lies closer to 0 or 1 than a float can tell, it is that.
    mean, first, last = agree / n, 1e-300, float(np.nextafter(1.0, 0.0))
    low = float(brentq(excess, first, min(mean, last))) if agree and excess(first) > 0 else 0.0
    high = float(brentq(excess, max(mean, first), last)) if disagree and excess(last) > 0 else 1.0
    return Interval(min(low, mean), max(high, mean))


@dataclass(frozen=True, slots=True)
class Detection:
    """When a floor's alarm goes off, exactly, for labels that agree with one chance throughout.

    Attributes:
        probability: that it goes off within the horizon.
        median: labels until then, None where the probability is below a half; ``p90`` likewise.
        p90: the 90th percentile.
        mean: labels until then among runs that alarm within the horizon; None where none can.
    """

    probability: float
    median: int | None
    p90: int | None
    mean: float | None


def detection(
    rate: float, floor: float, horizon: int, *, alpha: float = ALPHA, prior: tuple[float, float] = PRIOR
) -> Detection:
    """How soon a floor's alarm goes off when labels agree with a given chance: no simulation, the distribution itself.

    Goes through all numbers of agreeing labels after each label: 10 ms for a horizon of 1,000, with its square.

    Args:
        rate: the chance in [0, 1] that a label agrees.
        floor: what the alarm defends, in (0, 1).
        horizon: labels to look ahead, at least 1.
        alpha: of the alarm.
        prior: of the alarm's bet.
    """
    return _detection(rate, _boundary(floor, horizon, alpha, prior))


def minimum_detectable_drop(
    floor: float, labels: int, *, alpha: float = ALPHA, power: float = 0.8, prior: tuple[float, float] = PRIOR
) -> float | None:
    """The least depth of a fall below the floor that so many labels would have shown.

    Args:
        floor: what the alarm defends, in (0, 1).
        labels: how many there are, at least 0.
        alpha: of the alarm.
        power: the chance with which it would have gone off, in (0, 1).
        prior: of the alarm's bet.

    Returns:
        A number in (0, floor], to a tenth of a point; None where even an agreement of 0 would not have shown.
    """
    if labels == 0:
        return None
    boundary = _boundary(floor, labels, alpha, prior)
    # In tenths of a point: the first depth that shows, by halves, for a deeper fall only shows sooner.
    least, most = 1, max(1, round(floor * 1_000))
    if _detection(0.0, boundary).probability < power:
        return None
    while least < most:
        middle = (least + most) // 2
        seen = _detection(max(floor - middle / 1_000, 0.0), boundary).probability >= power
        least, most = (least, middle) if seen else (middle + 1, most)
    return min(least / 1_000, floor)


def _boundary(floor: float, horizon: int, alpha: float, prior: tuple[float, float]) -> npt.NDArray[np.int64]:
    """For 1, 2, .. labels the most agreeing ones with which the alarm goes off, -1 where none would, shape (horizon,).

    More agreement is always less evidence, so the boundary is found by halves.
    """
    labels = np.arange(1, horizon + 1)
    low, high = np.full(horizon, -1), labels.copy()
    while (low < high).any():
        middle = (low + high + 1) // 2
        over = log_e_floor(middle, labels - middle, floor, prior) >= -log(alpha)
        low, high = np.where(over, middle, low), np.where(over, high, middle - 1)
    return low


def _detection(rate: float, boundary: npt.NDArray[np.int64]) -> Detection:
    alive, alarmed = np.ones(1), np.zeros(len(boundary))
    for labels, most in enumerate(boundary.tolist(), start=1):
        grown = np.zeros(labels + 1)
        grown[:-1] += alive * (1 - rate)
        grown[1:] += alive * rate
        alarmed[labels - 1] = grown[: most + 1].sum()
        grown[: most + 1] = 0.0
        alive = grown
    reached, horizon = np.cumsum(alarmed), len(boundary)
    total = float(reached[-1])
    mean = float((alarmed * np.arange(1, horizon + 1)).sum() / total) if total else None
    return Detection(total, _first(reached, 0.5), _first(reached, 0.9), mean)


def _first(reached: Floats, share: float) -> int | None:
    return int(np.argmax(reached >= share)) + 1 if reached[-1] >= share else None


def _exp(value: float) -> float:
    return 0.0 if value == -inf else exp(min(value, 700.0))
