"""The fleet's loop against two closed forms, within 1 per cent."""

from __future__ import annotations

import time
from math import exp, factorial

import numpy as np
import pytest

from cascade_cli.simulate.fleet import Fleet, simulate_fleet

JOBS = 2_000_000


def switched_off_when_idle(rate_s: float, mean_s: float, boot_s: float, cooldown_s: float) -> tuple[float, float]:
    """Billed fraction and mean wait of M/G/1 with boots and delayed switching off, S exponential."""
    q, load, square = exp(-rate_s * cooldown_s), rate_s * mean_s, 2 * mean_s**2
    busy = (mean_s + q * boot_s) / (1 - load)
    billed = ((1 - q) / rate_s + busy) / (1 / rate_s + busy)
    boots = (2 * q * boot_s + rate_s * q * boot_s**2) / (2 * (1 + rate_s * q * boot_s))
    return billed, rate_s * square / (2 * (1 - load)) + boots


def erlang_wait_s(rate_s: float, mean_s: float, servers: int) -> float:
    load = rate_s * mean_s
    waiting = load**servers / factorial(servers) * servers / (servers - load)
    chance = waiting / (sum(load**k / factorial(k) for k in range(servers)) + waiting)
    return chance / (servers / mean_s - rate_s)


def poisson(rate_s: float, mean_s: float, jobs: int, seed: int = 3) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.exponential(1 / rate_s, jobs)).tolist(), rng.exponential(mean_s, jobs).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("boot_s", "cooldown_s"), [(240.0, 300.0), (0.0, 300.0), (240.0, 0.0), (60.0, 3600.0)])
def test_one_server_that_is_switched_off_when_idle(boot_s: float, cooldown_s: float) -> None:
    rate_s, mean_s = 6 / 3600, 20.0
    billed, wait_s = switched_off_when_idle(rate_s, mean_s, boot_s, cooldown_s)
    use = simulate_fleet(*poisson(rate_s, mean_s, JOBS), Fleet(boot_s, cooldown_s))
    print(f"\nboot {boot_s} cooldown {cooldown_s}: billed {use.billed_fraction:.4f} of {billed:.4f}, ", end="")
    print(f"wait {use.wait_mean_s:.2f} of {wait_s:.2f} s")
    assert use.billed_fraction == pytest.approx(billed, rel=0.01)
    assert use.wait_mean_s == pytest.approx(wait_s, rel=0.01)


def test_the_closed_form_gives_the_figures_of_the_design_note() -> None:
    billed, wait_s = switched_off_when_idle(6 / 3600, 20.0, 240.0, 300.0)
    assert (round(billed, 3), round(wait_s, 1)) == (0.528, 141.3)


@pytest.mark.slow
@pytest.mark.parametrize("servers", [1, 2, 5])
def test_many_servers_that_are_always_on(servers: int) -> None:
    rate_s, mean_s = 0.7 * servers / 20.0, 20.0
    always_on = Fleet(0.0, 0.0, max_replicas=servers, min_replicas=servers)
    use = simulate_fleet(*poisson(rate_s, mean_s, JOBS), always_on)
    expected_s = erlang_wait_s(rate_s, mean_s, servers)
    print(f"\n{servers} servers: wait {use.wait_mean_s:.3f} of {expected_s:.3f} s")
    assert use.wait_mean_s == pytest.approx(expected_s, rel=0.01)
    assert use.utilisation == pytest.approx(0.7, rel=0.01)


@pytest.mark.slow
def test_two_hundred_thousand_jobs() -> None:
    """Prints the time; the suite asserts none."""
    arrivals, services = poisson(6 / 3600, 20.0, 200_000)
    began_s = time.process_time()
    use = simulate_fleet(arrivals, services, Fleet())
    print(f"\n200,000 jobs: {time.process_time() - began_s:.2f} s of CPU, {use.boots:,} boots")
    assert use.events == 200_000
