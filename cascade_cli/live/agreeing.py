"""Whether both agree, for ``/metrics``: sampled standing events are compared beside the work, never in its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cascade_cli.event_loop import in_background
from cascade_cli.live.measures import Measures
from cascade_cli.policy import RANDOM_SAMPLE
from cascade_cli.postgres.queue import Claimed
from cascade_cli.postgres.writing import JudgedAnswer
from cascade_cli.records import StudentAnswer, Trace

MOST_WAITING: Final = 1_000
"""Beyond so many an event is counted as not compared: a figure is no reason to hold answers without end."""


@dataclass(frozen=True, slots=True)
class _Pair:
    claim: Claimed
    trace: Trace
    said: StudentAnswer | None


class Agreements:
    """Compares the two answers to each sampled standing event that the teacher has written.

    Args:
        agrees: the scorer's verdict on a pair; None where it has none. Blocks.
        look_up: what the student said of a claim that another worker may have decided. Blocks.
        measures: told of each.
    """

    def __init__(
        self,
        agrees: Callable[[Trace, StudentAnswer], bool | None],
        look_up: Callable[[Claimed], StudentAnswer | None],
        measures: Measures,
    ) -> None:
        self._agrees = agrees
        self._look_up = look_up
        self._measures = measures
        self._waiting: asyncio.Queue[_Pair] = asyncio.Queue(MOST_WAITING)

    def taught(self, claim: Claimed, trace: Trace, answer: JudgedAnswer | None) -> None:
        """The teacher has written an event; one that no gate but the sample concerned is compared later.

        Args:
            claim: that has ended.
            trace: what the teacher said.
            answer: what the student said, where that is in hand.
        """
        if not _is_sampled_and_stands(claim, answer):
            return
        try:
            self._waiting.put_nowait(_Pair(claim, trace, None if answer is None else answer.answer))
        except asyncio.QueueFull:
            self._measures.sampled(trace.system_prompt_hash, agrees=None)

    async def serve(self) -> None:
        """Compare one after the other, for ever."""
        while True:
            pair = await self._waiting.get()
            try:
                agrees = await in_background(lambda pair=pair: self._compared(pair))  # type: ignore[misc]
            except Exception:  # noqa: BLE001 - whatever it is, it is shown as not compared, and stops no worker
                agrees = None
            self._measures.sampled(pair.trace.system_prompt_hash, agrees=agrees)

    def _compared(self, pair: _Pair) -> bool | None:
        said = pair.said or self._look_up(pair.claim)
        return None if said is None else self._agrees(pair.trace, said)


def _is_sampled_and_stands(claim: Claimed, answer: JudgedAnswer | None) -> bool:
    if answer is not None and answer.decision is not None:
        return answer.decision.fired == (RANDOM_SAMPLE,)
    # The sample comes last among the reasons, so where it is the first nothing else fired.
    return claim.escalation is not None and claim.escalation.reason == RANDOM_SAMPLE
