"""Pages of open questions as they are wanted: once, or again and again beside live traffic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from cascade_cli.event_loop import in_background
from cascade_cli.replay.asking import Asking
from cascade_cli.replay.questions import Question, page_of_questions
from cascade_cli.workspace import Ahead, Outcome, Questions

Page = list[Question | Outcome]
Found = tuple[Page, Ahead | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be asked.

    Attributes:
        folder: of the workspace.
        questions: which.
        template: builds the prompts; None takes those of the traces.
    """

    folder: Path
    questions: Questions
    template: str | None


async def pages_once(wanted: Wanted, asking: Asking) -> AsyncGenerator[Page, None]:
    """All that is open, from the first page to the last; the next page is read while one is asked about.

    What is in hand when a page is read is left out of it: it may be settled between the reading and the asking.
    """
    reading = asyncio.create_task(_read(wanted, asking, Ahead()))
    try:
        while True:
            page, ahead = await reading
            if ahead is not None:
                reading = asyncio.create_task(_read(wanted, asking, ahead))
            yield page
            if ahead is None:
                return
    finally:
        reading.cancel()


async def pages_on_and_on(
    wanted: Wanted, asking: Asking, between: Callable[[], Awaitable[None]]
) -> AsyncGenerator[Page, None]:
    """All that is open, and after each round what has become so, until the asking is stopped.

    Args:
        wanted: what is to be asked.
        asking: whose questions in hand are left out.
        between: waits until it is worth while to look again.
    """
    while asking.stop.reason is None:
        async for page in pages_once(wanted, asking):
            yield page
        await between()


async def _read(wanted: Wanted, asking: Asking, ahead: Ahead) -> Found:
    taken = set(asking.taken)
    page, end = await in_background(lambda: page_of_questions(wanted.folder, ahead, wanted.questions, wanted.template))
    return [each for each in page if (each.event_id, each.sample_index) not in taken], end
