"""The fleet, step by step, and what always holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.simulate.fleet import Fleet, simulate_fleet


def test_one_event_is_booted_for_served_and_waited_out() -> None:
    use = simulate_fleet([100.0], [20.0], Fleet(boot_s=240, cooldown_s=300))
    assert (use.billed_s, use.busy_s, use.boots, use.calls) == (560.0, 20.0, 1, 1)
    assert (use.wait_mean_s, use.wait_p50_s, use.wait_p99_s, use.span_s) == (240.0, 240.0, 240.0, 560.0)
    assert use.utilisation == pytest.approx(20 / 560)


def test_a_second_event_within_the_cooldown_needs_no_boot_and_one_after_it_does() -> None:
    warm = simulate_fleet([0.0, 500.0], [20.0, 20.0], Fleet(boot_s=240, cooldown_s=300))
    assert (warm.boots, warm.billed_s, warm.wait_p50_s) == (1, 820.0, 120.0)
    cold = simulate_fleet([0.0, 561.0], [20.0, 20.0], Fleet(boot_s=240, cooldown_s=300))
    assert (cold.boots, cold.billed_s) == (2, 1120.0)


def test_events_that_wait_are_served_together_in_the_mean_of_their_times() -> None:
    use = simulate_fleet([0.0, 1.0, 2.0], [10.0, 20.0, 30.0], Fleet(boot_s=100, cooldown_s=0, events_per_call=2))
    assert (use.calls, use.busy_s, use.billed_s) == (2, 45.0, 145.0)


def test_a_longer_queue_starts_more_replicas_up_to_the_most() -> None:
    fleet = Fleet(boot_s=100, cooldown_s=0, max_replicas=2, target_queue=2)
    use = simulate_fleet([0.0] * 7, [10.0] * 7, fleet)
    assert use.boots == 2
    assert simulate_fleet([0.0] * 2, [10.0] * 2, fleet).boots == 1


def test_without_events_nothing_is_billed_and_waits_are_undefined() -> None:
    use = simulate_fleet([], [], Fleet())
    assert (use.billed_s, use.boots, use.wait_mean_s, use.utilisation, use.billed_fraction) == (
        0.0,
        0,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    "settings", [{"boot_s": -1}, {"cooldown_s": -1}, {"max_replicas": 0}, {"events_per_call": 0}, {"min_replicas": 2}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"at least|negative"):
        Fleet(**settings)


def test_arrivals_must_rise() -> None:
    with pytest.raises(ValueError, match="order"):
        simulate_fleet([2.0, 1.0], [1.0, 1.0], Fleet())


seconds = st.floats(0, 1000, allow_nan=False)


@given(
    st.lists(st.tuples(seconds, seconds), min_size=1, max_size=30),
    st.builds(
        Fleet,
        boot_s=seconds,
        cooldown_s=seconds,
        events_per_call=st.integers(1, 4),
        max_replicas=st.integers(2, 4),
        min_replicas=st.integers(0, 2),
        target_queue=st.integers(1, 3),
    ),
)
def test_every_event_is_served_once_and_nothing_is_busy_that_is_not_billed(
    jobs: list[tuple[float, float]], fleet: Fleet
) -> None:
    arrivals = sorted(arrival for arrival, _ in jobs)
    use = simulate_fleet(arrivals, [service for _, service in jobs], fleet)
    assert use.events == len(jobs)
    assert use.busy_s <= use.billed_s + 1e-6
    assert use.billed_s <= fleet.max_replicas * use.span_s + 1e-6
    assert use.wait_p50_s <= use.wait_p95_s <= use.wait_p99_s
    assert use.calls >= len(jobs) / fleet.events_per_call


def test_the_replica_that_worked_last_works_next_so_that_the_other_may_stop() -> None:
    fleet = Fleet(boot_s=0, cooldown_s=100, max_replicas=2)
    # Two replicas serve the first two events; of the three that follow, alone, one after the other, one serves all.
    use = simulate_fleet([0.0, 0.0, 60.0, 120.0, 180.0], [10.0, 20.0, 1.0, 1.0, 1.0], fleet)
    assert use.boots == 2
    assert use.billed_s == (10.0 + 100) + (181.0 + 100)
