"""How claims that end are gathered into transactions, with a queue that only notes what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from threading import Event

import pytest

from cascade_cli.live import ending
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.ending import Ended, Endings, Fate, Release
from cascade_cli.live.measures import Measures
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed


class NotingQueue:
    """Gives claims back, as many at a time as it notes; waits before each for its gate."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.gate = Event()
        self.gate.set()

    def release(self, claims: Collection[Claimed], _reason: str | None) -> frozenset[str]:
        self.gate.wait(5.0)
        self.sizes.append(len(claims))
        return frozenset(claim.queue_id for claim in claims)


def opened(queue: NotingQueue, enough: int) -> object:
    watch = DatabaseWatch(lambda _: None, lambda: None)
    return Endings.open(queue, None, lambda: Mode.FLIP, watch, Measures(), enough, lambda _: None)  # type: ignore[arg-type]


def ends(count: int, first: int = 0) -> list[Release]:
    numbers = range(first, first + count)
    return [Release(Claimed(str(number), f"e{number}", "f", 0, 0, None), None) for number in numbers]


async def _all(endings: Endings, given: list[Release]) -> list[Ended]:
    return await asyncio.gather(*(endings.end(end) for end in given))


def test_a_single_end_waits_for_others_only_a_moment() -> None:
    async def main(queue: NotingQueue) -> list[Ended]:
        with opened(queue, enough=1_000) as endings:  # type: ignore[attr-defined]
            return await _all(endings, ends(1))

    queue = NotingQueue()
    assert [each.fate for each in asyncio.run(main(queue))] == [Fate.RELEASED]
    assert queue.sizes == [1]


def test_ends_that_come_one_by_one_share_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(queue: NotingQueue) -> None:
        with opened(queue, enough=7) as endings:  # type: ignore[attr-defined]
            tasks = []
            for end in ends(7):
                tasks.append(asyncio.ensure_future(endings.end(end)))
                await asyncio.sleep(0)
            await asyncio.gather(*tasks)

    monkeypatch.setattr(ending, "LINGER_S", 60.0)
    queue = NotingQueue()
    asyncio.run(main(queue))
    assert queue.sizes == [7]


def test_what_comes_while_a_batch_is_written_is_the_next_one_and_no_batch_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main(queue: NotingQueue) -> list[Ended]:
        with opened(queue, enough=2) as endings:  # type: ignore[attr-defined]
            queue.gate.clear()
            before = asyncio.ensure_future(_all(endings, ends(2)))
            await asyncio.sleep(0)
            meanwhile = asyncio.ensure_future(_all(endings, ends(7, first=2)))
            await asyncio.sleep(0.1)
            queue.gate.set()
            return [*await before, *await meanwhile]

    monkeypatch.setattr(ending, "MOST_AT_ONCE", 4)
    queue = NotingQueue()
    assert {each.fate for each in asyncio.run(main(queue))} == {Fate.RELEASED}
    assert queue.sizes == [2, 4, 3]
