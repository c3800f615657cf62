"""How often the intervals of a sampled cascade cover the process's own rates, and what a naive figure says instead.

A process of events: some fire gates (and agree less), the rest stand; these are sampled at 5 per cent, with or
without a burn-in; events may come in clusters that share a chance of agreeing. Run with ``-s`` for the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest

from cascade_cli.policy import rate_at
from cascade_cli.stats import Interval, wilson
from cascade_cli.stats.estimates import hajek

REPETITIONS, EVENTS, RATE = 2_000, 5_400, 0.05
STANDS, STANDING_AGREES, GATED_AGREES = 0.8, 0.913, 0.60


@dataclass(frozen=True, slots=True)
class Design:
    """How labels come about."""

    burn_in: int = 0
    cluster: int = 1
    spread: float = 0.0


DESIGNS = {
    "even": Design(),
    "burn-in": Design(burn_in=100),
    "clusters": Design(cluster=4, spread=30.0),
    "both": Design(burn_in=100, cluster=4, spread=30.0),
}


def rates(burn_in: int) -> np.ndarray:
    return np.array([float(rate_at(age, Decimal(str(RATE)), burn_in)) for age in range(EVENTS)])


def scaled(interval: Interval, share: float) -> tuple[float, float]:
    return share * (1 - interval.high), share * (1 - interval.low)


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_cover_the_process(name: str) -> None:
    design, rng = DESIGNS[name], np.random.default_rng(2026)
    schedule = rates(design.burn_in)
    covered = dict.fromkeys(("standing", "residual", "overall"), 0)
    naive, labels = [], []
    truth_overall = STANDS * STANDING_AGREES + (1 - STANDS) * GATED_AGREES
    for _ in range(REPETITIONS):
        clusters = np.arange(EVENTS) // design.cluster
        base = np.full(EVENTS, STANDING_AGREES)
        if design.spread:
            a = STANDING_AGREES * design.spread
            base = rng.beta(a, design.spread - a, clusters[-1] + 1)[clusters]
        standing = rng.random(EVENTS) < STANDS
        agrees = rng.random(EVENTS) < np.where(standing, base, GATED_AGREES)
        chance = np.ones(EVENTS)
        chance[standing] = schedule[: standing.sum()]
        seen = rng.random(EVENTS) < chance
        known = standing & seen
        shared = clusters[known].tolist() if design.cluster > 1 else None
        found = hajek(agrees[known], chance[known], shared)
        labels.append(found.labels)
        covered["standing"] += found.interval.low <= STANDING_AGREES <= found.interval.high
        left = (standing & ~seen).mean()
        expected_left = STANDS * (1 - chance[standing]).mean()
        low, high = scaled(found.interval, left)
        covered["residual"] += low <= expected_left * (1 - STANDING_AGREES) <= high
        everyone = hajek(agrees[seen], chance[seen], clusters[seen].tolist() if design.cluster > 1 else None)
        covered["overall"] += everyone.interval.low <= truth_overall <= everyone.interval.high
        naive.append(agrees[seen].mean())
    shares = {what: count / REPETITIONS for what, count in covered.items()}
    told = ", ".join(f"{what} {share:.1%}" for what, share in shares.items())
    print(f"\n{name}: coverage {told}; labels {np.mean(labels):.0f}; ", end="")
    print(f"naive pooled {np.mean(naive):.3f} for a true {STANDING_AGREES} standing and {truth_overall:.3f} overall")
    assert min(labels) >= 150
    assert min(shares.values()) >= 0.93


def test_a_wilson_interval_looked_at_again_and_again_is_no_alarm() -> None:
    """At every 20 labels up to 1,000: it alarms falsely far more often than its 2.5 per cent."""
    rng = np.random.default_rng(7)
    false = 0
    for _ in range(1000):
        agree = np.cumsum(rng.random(1000) < 0.909)
        false += any(wilson(int(agree[n - 1]), n).high < 0.909 for n in range(20, 1001, 20))
    assert false / 1000 > 0.1
