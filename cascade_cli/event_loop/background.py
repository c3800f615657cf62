"""Blocking work beside the event loop, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def in_background(work: Callable[[], T]) -> T:
    """The result of blocking work, or what it raises.

    Unlike ``asyncio.to_thread`` it does not keep the process from ending: a query that a database never answers would.
    What such a thread does must bear being cut off at any moment, as a kill would.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(deliver: Callable[[], None]) -> None:
        if not done.done():
            deliver()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            deliver = _failing(done, error)
        else:

            def deliver() -> None:
                done.set_result(result)

        # Whoever waited may be gone, and the loop with it.
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, deliver)

    Thread(target=run, daemon=True).start()
    return await done


def _failing(done: asyncio.Future[T], error: BaseException) -> Callable[[], None]:
    return lambda: done.set_exception(error)
