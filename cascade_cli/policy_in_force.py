"""The policy that the settings describe, without any flag that replays another."""

from __future__ import annotations

from cascade_cli.config import (
    POLICY_BURN_IN_EVENTS,
    POLICY_HIGH_VALUE_CATEGORIES,
    POLICY_SALT,
    POLICY_SAMPLE_RATE,
    POLICY_VERIFIER_THRESHOLD,
    POLICY_VIP_ARENAS,
    Settings,
)
from cascade_cli.policy import Policy


def policy_in_force(settings: Settings) -> Policy:
    """The policy of some settings, all gates included."""
    categories: tuple[str, ...] = settings[POLICY_HIGH_VALUE_CATEGORIES]
    arenas: tuple[str, ...] = settings[POLICY_VIP_ARENAS]
    threshold = settings[POLICY_VERIFIER_THRESHOLD]
    return Policy(
        sample_rate=settings[POLICY_SAMPLE_RATE],
        high_value_categories=frozenset(categories),
        vip_arenas=frozenset(arenas),
        verifier_threshold=None if threshold is None else float(threshold),
        salt=settings[POLICY_SALT],
        burn_in_events=settings[POLICY_BURN_IN_EVENTS],
    )
