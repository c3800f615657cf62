"""The asking itself: one event loop from the first check of the endpoint to the last answer that is safe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cascade_cli.clients import Caller, Endpoint, Limits, Pace, StudentClient, StudentRequest
from cascade_cli.config import STUDENT_CONCURRENCY, Settings
from cascade_cli.console import Advance, Console
from cascade_cli.event_loop import Stop, signals_stop
from cascade_cli.replay import Asking, Question, Recorder, Tally, Wanted, pages_on_and_on, pages_once
from cascade_cli.shadow_run.asked import Shadow
from cascade_cli.shadow_run.budget import MAX_DURATION, Budget
from cascade_cli.shadow_run.following import EndpointWatch, Following
from cascade_cli.workspace import Outcome

_TICK_S = 1.0
_MOST_MODELS, _LONGEST_MODEL = 5, 60
# Answers are saved while the next questions are under way, and a question that waits for another try holds no place.
_TASKS_A_PLACE = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the asking needs.

    Attributes:
        asked: the flags.
        settings: the rest.
        wanted: what is to be asked.
        endpoint: whom.
        limits: of each call.
        request: what each call holds.
        budget: says when to stop.
        open_before: questions that are open at the beginning.
    """

    asked: Shadow
    settings: Settings
    wanted: Wanted
    endpoint: Endpoint
    limits: Limits
    request: StudentRequest
    budget: Budget
    open_before: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What this process did.

    Attributes:
        tally: what came of the questions.
        requests: that were sent, those of unfinished questions included.
        refusals: of them, for want of room at the endpoint.
        seconds: of asking.
        models: that the endpoint lists.
        pulled: traces that came in meanwhile.
    """

    tally: Tally
    requests: int
    refusals: int
    seconds: float
    models: tuple[str, ...]
    pulled: int


async def replay(plan: Plan, stop: Stop, console: Console) -> Replayed:
    """Ask until nothing is open, or it is stopped.

    Raises:
        EndpointDown: nobody answers at the beginning, or the key is refused.
        DependencyError: an answer cannot be saved, or the workspace not be read.
        CancelledError: a second signal.
    """
    pace = Pace(plan.settings[STUDENT_CONCURRENCY], rest=stop.rest)
    with signals_stop(stop):
        async with Caller.open(plan.endpoint, plan.limits, pace, rest=stop.rest) as caller:
            models = await caller.check()
            if models and plan.endpoint.model not in models:
                console.warn(f"{plan.endpoint.shown} does not list {plan.endpoint.model}; it lists {listed(models)}.")
            return await _ask(plan, stop, caller, models, console)


def listed(models: Sequence[str]) -> str:
    """Some of the models that an endpoint lists, however many and long they are."""
    some = ", ".join(model[:_LONGEST_MODEL] for model in models[:_MOST_MODELS])
    return f"{some}, …" if len(models) > _MOST_MODELS else some


async def _ask(plan: Plan, stop: Stop, caller: Caller, models: list[str], console: Console) -> Replayed:
    asked = plan.asked
    client = StudentClient(caller, plan.request)
    watch = EndpointWatch(caller, console) if asked.follow else None
    with Recorder.open(plan.wanted.folder) as recorder:
        asking = Asking(
            plan.wanted.questions,
            client.ask,
            recorder.keep,
            stop,
            tasks=max(2, _TASKS_A_PLACE * caller.pace.most),
            limit=plan.budget.limit,
            watch=watch,
        )
        plan.budget.watch(asking)
        following = Following(asked, plan.settings, asking, console)
        began_s = time.monotonic()
        with _clock(asked, stop), _progress(plan, asking, caller, console):
            await asking.ask_all(_pages(plan, asking, following))
        seconds = time.monotonic() - began_s
    return Replayed(asking.tally, caller.requests, caller.pace.refusals, seconds, tuple(models), following.pulled)


def _pages(plan: Plan, asking: Asking, following: Following) -> AsyncGenerator[list[Question | Outcome], None]:
    if plan.asked.follow:
        return pages_on_and_on(plan.wanted, asking, following.between)
    return pages_once(plan.wanted, asking)


@contextmanager
def _clock(asked: Shadow, stop: Stop) -> Iterator[None]:
    """End the intake when the time is over, even while nothing is to be asked."""
    if asked.max_duration_s is None:
        yield
        return
    timer = asyncio.get_running_loop().call_later(asked.max_duration_s, _time_is_over, stop)
    try:
        yield
    finally:
        timer.cancel()


def _time_is_over(stop: Stop) -> None:
    stop(MAX_DURATION, urgent=True)


@contextmanager
def _progress(plan: Plan, asking: Asking, caller: Caller, console: Console) -> Iterator[None]:
    total = None if plan.asked.follow else plan.open_before
    began_s = time.monotonic()

    def status() -> str:
        return _status(plan, asking, caller, time.monotonic() - began_s)

    with console.progress("asking", total, status) as advance:
        ticking = asyncio.create_task(_tick(asking.tally, advance))
        try:
            yield
        finally:
            ticking.cancel()


async def _tick(tally: Tally, advance: Advance) -> None:
    """Move the progress on, also while nothing is answered: that too must be seen."""
    shown = 0
    while True:
        await asyncio.sleep(_TICK_S)
        advance(tally.done - shown)
        shown = tally.done


def _status(plan: Plan, asking: Asking, caller: Caller, seconds: float) -> str:
    tally = asking.tally
    spent = plan.budget.spent_usd(tally)
    parts = (
        f"{tally.done / seconds:,.1f}/s" if seconds else "",
        f"{caller.pace.in_flight} in flight",
        f"{caller.pace.refusals:,} refused" if caller.pace.refusals else "",
        f"{tally.failed.total():,} errors" if tally.failed else "",
        f"${spent:,.2f}" if spent is not None else "",
        f"oldest {asking.oldest_s:.0f} s" if asking.since else "",
    )
    return ", ".join(part for part in parts if part)
