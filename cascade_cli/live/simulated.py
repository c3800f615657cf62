"""The ceiling of escalations where none is configured: twice what a simulation of the policy escalates."""

from __future__ import annotations

from math import ceil
from typing import Final

from cascade_cli.config import LIVE_MAX_ESCALATIONS_PER_MIN, WORKSPACE_PATH, Settings
from cascade_cli.errors import CascadeError

TIMES: Final = 2
LEAST_PER_MIN: Final = 300
"""A lower ceiling would make a queue stand still that is worked off at once, and spare a single replica nothing."""


def with_ceiling(settings: Settings, policy_fingerprint: str) -> Settings:
    """The settings with the ceiling that counts, and why it does.

    Where nothing is configured it is twice the escalations that ``cascade simulate`` found for this policy in the
    workspace, at the events of the busiest hour of its traces, and ``LEAST_PER_MIN`` at least. Where no such simulation
    is kept there is none.

    Args:
        settings: name the workspace.
        policy_fingerprint: of the policy that is to run.
    """
    if settings[LIVE_MAX_ESCALATIONS_PER_MIN] is not None:
        return settings
    per_min, why = _simulated(settings, policy_fingerprint)
    return settings.with_values({LIVE_MAX_ESCALATIONS_PER_MIN: per_min}, why)


def _simulated(settings: Settings, policy_fingerprint: str) -> tuple[int | None, str]:
    folder = settings[WORKSPACE_PATH]
    nothing = f"default: no ceiling until cascade simulate has replayed policy {policy_fingerprint} over {folder}"
    if not folder.exists():
        return None, nothing
    from cascade_cli.workspace import Workspace

    try:
        with Workspace.open(folder) as workspace:
            found = workspace.simulated_rate(policy_fingerprint)
    except CascadeError as error:
        return None, f"default: no ceiling, for the workspace cannot be read: {error.message}"
    if found is None:
        return None, nothing
    per_min = max(LEAST_PER_MIN, ceil(TIMES * found.escalation * found.events_per_min))
    told = f"{found.escalation:.1%} of {found.events_per_min:,.1f} events a minute"
    return per_min, f"default: twice {told}, as simulated in run {found.run_id}, {LEAST_PER_MIN} at least"
