"""False alarms and labels until detection, for a rate of agreement that falls from 0.909 to 0.85.

python tests/validation/alarm_report.py [--runs 2000]

Exact where the distribution can be computed (known floor, estimated baselines), else by simulation: a fall after a long
good time, clustered events, labels in the order in which they arrive, burn-in.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from cascade_cli.policy import rate_at
from cascade_cli.stats.eprocess import ALPHA, ChangeAlarm, baseline_floor, detection, log_e_floor

GOOD, FALLEN, HORIZON = 0.909, 0.85, 3_000
Bools = npt.NDArray[np.bool_]


def floor_alarm_at(labels: Bools, floor: float = GOOD, alpha: float = ALPHA) -> int | None:
    """After how many labels the floor's alarm goes off; None where it does not."""
    agree = np.cumsum(labels)
    over = np.flatnonzero(log_e_floor(agree, np.arange(1, len(labels) + 1) - agree, floor) >= -np.log(alpha))
    return int(over[0]) + 1 if len(over) else None


def change_alarm_at(labels: Bools, floor: float = GOOD) -> int | None:
    """The same for the change alarm."""
    alarm = ChangeAlarm(floor)
    for agrees in labels.tolist():
        alarm = alarm.after(agrees=agrees)
        if alarm.alarmed_at is not None:
            return alarm.alarmed_at
    return None


def shares(alarm: Callable[[Bools], int | None], draw: Callable[[], Bools], runs: int) -> tuple[float, float | None]:
    """Share of runs that alarm, and the median of the labels until then among those that do."""
    found = [alarm(draw()) for _ in range(runs)]
    alarmed = [at for at in found if at is not None]
    return len(alarmed) / runs, float(np.median(alarmed)) if alarmed else None


def known_and_estimated() -> None:
    """Exact: a known floor, and floors from baselines of several sizes whose labels agree as they should."""
    quiet, loud = detection(GOOD, GOOD, HORIZON), detection(FALLEN, GOOD, HORIZON)
    print(f"known floor {GOOD}: false alarms within {HORIZON:,} labels {quiet.probability:.1%};", end=" ")
    print(f"at {FALLEN} median {loud.median}, mean {loud.mean:.0f}, p90 {loud.p90} labels")
    for size in (500, 1_000, 2_000):
        floor = baseline_floor(round(GOOD * size), size) or 0.0
        quiet, loud = (detection(rate, floor, HORIZON, alpha=ALPHA / 2) for rate in (GOOD, FALLEN))
        print(f"baseline of {size:,} labels: floor {floor:.4f}, false alarms {quiet.probability:.2%};", end=" ")
        print(f"at {FALLEN} median {loud.median}, p90 {loud.p90} labels ({loud.probability:.1%} within {HORIZON:,})")


def after_a_good_time(runs: int) -> None:
    """A change after 2,000 good labels: the floor's alarm is diluted, the change alarm is not."""
    rng = np.random.default_rng(1)

    def draw() -> Bools:
        return np.concatenate([rng.random(2_000) < GOOD, rng.random(HORIZON) < FALLEN])

    for name, alarm in (("floor", floor_alarm_at), ("change", change_alarm_at)):
        found = [alarm(draw()) for _ in range(runs)]
        after = [at - 2_000 for at in found if at is not None and at > 2_000]
        early = sum(at is not None and at <= 2_000 for at in found)
        told = f"median {np.median(after):.0f}, p90 {np.quantile(after, 0.9):.0f}" if after else "never"
        print(
            f"{name} alarm, fall after 2,000 good labels: {told} labels after it; {early / runs:.1%} alarmed before it"
        )
    share, at = shares(change_alarm_at, lambda: rng.random(HORIZON) < GOOD, runs)
    print(f"change alarm without any fall: {share:.1%} within {HORIZON:,} labels (median {at})")


def clustered(runs: int) -> None:
    """Clusters of 8 events that share a chance of agreeing: every label, or the first of each cluster."""
    rng = np.random.default_rng(2)

    def draw(*, first_only: bool) -> Bools:
        chance = rng.beta(GOOD * 4, (1 - GOOD) * 4, HORIZON // 8)
        labels = rng.random((HORIZON // 8, 8)) < chance[:, None]
        return labels[:, 0] if first_only else labels.ravel()

    for first_only in (False, True):
        share, _ = shares(floor_alarm_at, lambda first_only=first_only: draw(first_only=first_only), runs)
        print(f"clusters of 8, {'the first of each' if first_only else 'every label'}: false alarms {share:.1%}")


def out_of_order(runs: int) -> None:
    """Labels of disagreements arrive first: in that order every hash would alarm."""
    rng = np.random.default_rng(3)

    def draw(*, by_arrival: bool) -> Bools:
        labels = rng.random(HORIZON) < GOOD
        arrival = np.arange(HORIZON) + rng.exponential(np.where(labels, 1_500.0, 50.0))
        return labels[np.argsort(arrival)] if by_arrival else labels

    for by_arrival in (True, False):
        share, _ = shares(floor_alarm_at, lambda by_arrival=by_arrival: draw(by_arrival=by_arrival), runs)
        print(f"slow labels agree more, {'as they arrive' if by_arrival else 'as decided'}: false alarms {share:.1%}")


def burn_in(runs: int) -> None:
    """The same fall from a hash's start, in events: 5 per cent sampled throughout, or a burn-in of 300."""
    rng = np.random.default_rng(4)
    for first in (0, 300):
        rates = np.array([float(rate_at(age, Decimal("0.05"), first)) for age in range(40_000)])
        found = []
        for _ in range(runs):
            places = np.flatnonzero(rng.random(len(rates)) < rates)
            at = floor_alarm_at(rng.random(len(places)) < FALLEN)
            found.append(np.inf if at is None else places[at - 1] + 1)
        print(f"burn-in {first}: median {np.median(found):,.0f}, p90 {np.quantile(found, 0.9):,.0f} standing events")


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    runs = parser.parse_args().runs
    known_and_estimated()
    after_a_good_time(min(runs, 500))
    clustered(runs)
    out_of_order(runs)
    burn_in(min(runs, 1_000))


if __name__ == "__main__":
    main()
