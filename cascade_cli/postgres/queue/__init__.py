"""Claiming events, lane by lane, with leases and fences; giving them back, charging them, taking them back."""

from cascade_cli.postgres.queue.queue import LONGEST_ERROR, Queue
from cascade_cli.postgres.queue.records import (
    Claimed,
    Escalation,
    Failure,
    Lane,
    LaneState,
    QueueSettings,
    Reaped,
)

__all__ = [
    "LONGEST_ERROR",
    "Claimed",
    "Escalation",
    "Failure",
    "Lane",
    "LaneState",
    "Queue",
    "QueueSettings",
    "Reaped",
]
