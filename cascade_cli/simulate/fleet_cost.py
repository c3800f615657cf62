"""The teacher's fleet under a policy, beside the same fleet with every event."""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from cascade_cli.config import (
    COST_STUDENT_USD_PER_HOUR,
    FLEET_BOOT_S,
    FLEET_COOLDOWN_S,
    FLEET_MAX_REPLICAS,
    FLEET_TARGET_QUEUE,
    FLEET_USD_PER_HOUR,
    TEACHER_EVENTS_PER_CALL,
    Settings,
)
from cascade_cli.errors import UsageError
from cascade_cli.policy import Policy
from cascade_cli.simulate.cells import fired_masks
from cascade_cli.simulate.events import Events
from cascade_cli.simulate.figures import Figures
from cascade_cli.simulate.fleet import Fleet, FleetUse, simulate_fleet

_HOUR_S = 3600.0
_MARGIN = Decimal("0.01")


def read_fleet(settings: Settings) -> Fleet:
    """The fleet that the settings describe."""
    return Fleet(
        boot_s=settings[FLEET_BOOT_S],
        cooldown_s=settings[FLEET_COOLDOWN_S],
        events_per_call=settings[TEACHER_EVENTS_PER_CALL],
        max_replicas=settings[FLEET_MAX_REPLICAS],
        target_queue=settings[FLEET_TARGET_QUEUE],
    )


def fleet_figures(events: Events, policy: Policy, settings: Settings) -> Figures:
    """What the fleet does for the escalated events, and what it would do for all of them.

    Args:
        events: with the moments of their traces as arrivals, and the teacher's milliseconds as times of service.
        policy: which of them go to the teacher.
        settings: the fleet and its prices.

    Returns:
        The fleet's settings, what it does under the policy and for everything, and dollars. The marginal ones are those
        of each further event if the sampler took one in a hundred more: no idle replica's, only what they add.

    Raises:
        UsageError: events have no moment or no milliseconds.
    """
    arrivals_s, services_s = _arrivals(events)
    order = np.argsort(arrivals_s, kind="stable")
    fleet, span_s = read_fleet(settings), float(np.ptp(arrivals_s)) if len(events) else 0.0
    masks = fired_masks(events, policy)
    more = replace(policy, sample_rate=min(policy.sample_rate + _MARGIN, Decimal(1)))
    use, for_more, for_all = (
        simulate_fleet(arrivals_s[chosen].tolist(), services_s[chosen].tolist(), fleet)
        for chosen in (order[masks[order] > 0], order[fired_masks(events, more)[order] > 0], order)
    )
    return {
        "settings": asdict(fleet),
        "span_s": span_s,
        "policy": _figures(use),
        "teacher_for_all": _figures(for_all),
        **_dollars(use, for_all, span_s, len(events), settings),
        "marginal_usd_per_escalated_event": _marginal(use, for_more, settings),
    }


def _arrivals(events: Events) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    undated, untimed = events.created_at.null_count(), int(np.isnan(events.costs["teacher_ms"]).sum())
    if undated or untimed:
        what = f"{undated:,} have no created_at" if undated else f"{untimed:,} have no llm_chunk_ms"
        raise UsageError(
            f"--fleet replays real arrivals and times of service, but of {len(events):,} events {what}.",
            hint="Leave --fleet out, or give a source that has both.",
        )
    moments_s = events.created_at.dt.epoch("us").to_numpy() / 1e6
    return moments_s, events.costs["teacher_ms"] / 1e3


def _figures(use: FleetUse) -> Figures:
    return {**asdict(use), "utilisation": use.utilisation}


def _marginal(use: FleetUse, for_more: FleetUse, settings: Settings) -> float | None:
    """Dollars that each further event adds; None without a price, or where there is none to add."""
    replica, added = settings[FLEET_USD_PER_HOUR], for_more.events - use.events
    return None if replica is None or not added else (for_more.billed_s - use.billed_s) / _HOUR_S * replica / added


def _dollars(use: FleetUse, for_all: FleetUse, span_s: float, events: int, settings: Settings) -> Figures:
    """Dollars of the policy and of the teacher on everything; None where a price is missing."""
    replica, student = settings[FLEET_USD_PER_HOUR], settings[COST_STUDENT_USD_PER_HOUR]
    names = (
        "usd",
        "usd_teacher_for_all",
        "usd_per_1000_events",
        "mean_usd_per_escalated_event",
        "ratio_to_teacher_for_all",
    )
    if replica is None or student is None:
        return dict.fromkeys(names)
    teacher, everything = (each.billed_s / _HOUR_S * replica for each in (use, for_all))
    whole = teacher + span_s / _HOUR_S * student
    figures = (
        whole,
        everything,
        1000 * whole / events if events else None,
        teacher / use.events if use.events else None,
        whole / everything if everything else None,
    )
    return dict(zip(names, figures, strict=True))
