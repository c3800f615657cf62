"""Whether to take no further question, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TypeVar

from cascade_cli.errors import CascadeError

T = TypeVar("T")


class Stop:
    """Whether to take no further question: an interruption, a limit, an endpoint that is gone.

    Attributes:
        reason: None while all is well; the first reason stays, unless a failure comes later.
        failure: what the process ends with because of it; None where stopping is no failure.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.failure: CascadeError | None = None
        self._happened = asyncio.Event()
        self._urgent = asyncio.Event()

    def __call__(self, reason: str, failure: CascadeError | None = None, *, urgent: bool = False) -> None:
        """Stop.

        Args:
            reason: in a word.
            failure: what the process is to end with; that is urgent in any case.
            urgent: what is under way is finished and not tried again.
        """
        if self.reason is None or (failure is not None and self.failure is None):
            self.reason, self.failure = reason, failure
            self._happened.set()
        if failure is not None or urgent:
            self._urgent.set()

    async def before(self, work: Coroutine[object, object, T]) -> T | None:
        """The result of some work; None where it happened before: the work goes on with nobody waiting for it."""
        task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(self._happened.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task.done():
            return task.result()
        task.cancel()
        return None

    @property
    def is_urgent(self) -> bool:
        """Whether what is under way should not be tried again either: somebody waits for the end."""
        return self._urgent.is_set()

    async def rest(self, seconds: float) -> bool:
        """Wait so long, or until it is urgent; whether it is."""
        if seconds <= 0 or self.is_urgent:
            return self.is_urgent
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._urgent.wait()
        return self.is_urgent

    async def within(self, seconds: float) -> bool:
        """Wait so long, or until it happens; whether it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._happened.wait()
        return self.reason is not None
