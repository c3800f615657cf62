"""The claims that this worker holds: renewed while it lives, given back when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from cascade_cli.postgres.queue import Claimed


class Held:
    """The claims in hand.

    Attributes:
        ended: set by every claim that ends; whoever waits for room clears it.
    """

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._claims: dict[str, Claimed] = {}

    def __len__(self) -> int:
        return len(self._claims)

    @property
    def claims(self) -> tuple[Claimed, ...]:
        """All of them."""
        return tuple(self._claims.values())

    @property
    def undecided(self) -> int:
        """How many of them came through the student's lane; the teacher's has limits of its own."""
        return sum(claim.escalation is None for claim in self._claims.values())

    def add(self, claims: Iterable[Claimed]) -> None:
        """Take hold; a claim of a row that was ours before and was lost takes its place."""
        self._claims.update({claim.queue_id: claim for claim in claims})

    def drop(self, claims: Iterable[Claimed]) -> None:
        """Let go."""
        for claim in claims:
            if self.has(claim):
                del self._claims[claim.queue_id]
        self.ended.set()

    def has(self, claim: Claimed) -> bool:
        """Whether this very claim is held, as far as is known here."""
        held = self._claims.get(claim.queue_id)
        return held is not None and held.fence == claim.fence

    def keep(self, asked: Collection[Claimed], renewed: Collection[str]) -> int:
        """Let go of those that could not be renewed; returns how many that are."""
        lost = [claim for claim in asked if claim.queue_id not in renewed and self.has(claim)]
        self.drop(lost)
        return len(lost)
