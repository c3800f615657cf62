"""Ctrl-C and SIGTERM while questions are under way: the first ends the intake, the second ends at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from cascade_cli.errors import CascadeError, Interrupted, Terminated
from cascade_cli.event_loop.stopping import Stop

INTERRUPTED, TERMINATED = "interrupted", "terminated"


@contextmanager
def signals_stop(stop: Stop) -> Iterator[None]:
    """Within the main task of an event loop: a first signal stops, a second cancels the task.

    The handlers that were there before come back in the end.
    """
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    assert main is not None  # noqa: S101 - a context of the main task
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    came = 0

    def on(number: signal.Signals) -> None:
        nonlocal came
        came += 1
        if came > 1:
            main.cancel()
        elif number == signal.SIGINT:
            stop(INTERRUPTED, Interrupted("Interrupted."))
        else:
            stop(TERMINATED, Terminated("Terminated."))

    for number in before:
        loop.add_signal_handler(number, on, number)
    # Whoever started this process may have held them back until now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def at_once(stop: Stop, resume: str) -> CascadeError:
    """What a second signal ends with."""
    kind = Terminated if isinstance(stop.failure, Terminated) else Interrupted
    return kind("Ended at once; what was answered is safe.", hint=f"Go on with: {resume}")
