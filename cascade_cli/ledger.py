"""The record of who wrote which event's rows; it travels from database to workspace. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of ``event_distillations``.

    Attributes:
        event_id: the event that was distilled.
        producer: ``student`` or ``teacher``; with ``event_id`` the key.
        llm_model: the model that wrote.
        system_prompt_hash: the teacher prompt in force; None when unknown.
        escalated: whether gates sent it to the teacher; None where no gate was asked.
        escalate_reason: the first gate that fired; None where none did.
        distilled_at: aware UTC; the latest write for the key.
    """

    event_id: str
    producer: str
    llm_model: str
    system_prompt_hash: str | None
    escalated: bool | None
    escalate_reason: str | None
    distilled_at: datetime
