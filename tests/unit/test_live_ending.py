"""How claims that end are gathered into transactions, with a queue that only notes what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from threading import Event

import pytest

from cascade_cli.errors import DependencyError
from cascade_cli.live import ending
from cascade_cli.live.database import DatabaseWatch
from cascade_cli.live.ending import Charge, Ended, Endings, Fate, Release
from cascade_cli.live.measures import Measures
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed, Failure

PATIENCE_S = 5.0


class NotingQueue:
    """Gives claims back, as many at a time as it notes; waits before each for its gate."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.charged: list[str] = []
        self.gate = Event()
        self.gate.set()

    def release(self, claims: Collection[Claimed], _reason: str | None) -> frozenset[str]:
        self.gate.wait(PATIENCE_S)
        self.sizes.append(len(claims))
        return frozenset(claim.queue_id for claim in claims)


class FailingQueue(NotingQueue):
    """Raises, call by call, what it was given; None lets a call through."""

    def __init__(self, *failures: Exception | None) -> None:
        super().__init__()
        self._failures = iter(failures)

    def release(self, claims: Collection[Claimed], reason: str | None) -> frozenset[str]:
        self._raise()
        return super().release(claims, reason)

    def fail(self, claim: Claimed, _error: str) -> Failure | None:
        self._raise()
        already = claim.queue_id in self.charged
        self.charged.append(claim.queue_id)
        # A fence is spent once it has worked.
        return None if already else Failure(1, final=False, wait_s=0.0)

    def _raise(self) -> None:
        if (failure := next(self._failures, None)) is not None:
            raise failure


def opened(queue: NotingQueue, enough: int, note: Callable[[str], None] = lambda _: None) -> object:
    watch = DatabaseWatch(lambda _: None, lambda: None)
    return Endings.open(queue, None, lambda: Mode.FLIP, watch, Measures(), enough, note)  # type: ignore[arg-type]


def ends(count: int, first: int = 0) -> list[Release]:
    numbers = range(first, first + count)
    return [Release(Claimed(str(number), f"e{number}", "f", 0, 0, None), None) for number in numbers]


async def _all(endings: Endings, given: list[Release]) -> list[Ended]:
    return await asyncio.wait_for(asyncio.gather(*(endings.end(end) for end in given)), PATIENCE_S)


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
            await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)

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


def test_what_was_charged_before_the_database_went_away_is_told_as_charged() -> None:
    async def main(queue: NotingQueue) -> list[Ended]:
        with opened(queue, enough=2) as endings:  # type: ignore[attr-defined]
            charges = [Charge(end.claim, "no answer") for end in ends(2)]
            return await asyncio.gather(*map(endings.end, charges))

    queue = FailingQueue(None, DependencyError("The server is away."))
    assert [each.fate for each in asyncio.run(main(queue))] == [Fate.CHARGED, Fate.CHARGED]
    assert queue.charged == ["0", "1"]


def test_an_error_that_nobody_foresaw_is_charged_to_nobody_and_keeps_nothing_else_from_its_end() -> None:
    async def main(queue: NotingQueue) -> list[Ended]:
        with opened(queue, enough=1, note=said.append) as endings:  # type: ignore[attr-defined]
            first = asyncio.ensure_future(endings.end(ends(1)[0]))
            while not endings.refusals.count:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            return [await endings.end(ends(1, first=1)[0]), await first]

    said: list[str] = []
    queue = FailingQueue(KeyError("a mistake"))
    assert [each.fate for each in asyncio.run(main(queue))] == [Fate.RELEASED, Fate.RELEASED]
    assert (queue.sizes, queue.charged) == ([2], [])
    assert "KeyError" in said[0]
    assert "a mistake" not in said[0]
    assert said[1:] == ["The database takes events again."]


def test_what_is_refused_is_given_back_once_the_worker_is_to_end() -> None:
    async def main(queue: NotingQueue) -> list[Ended]:
        with opened(queue, enough=1) as endings:  # type: ignore[attr-defined]
            charging = asyncio.ensure_future(endings.end(Charge(ends(1)[0].claim, "no answer")))
            while not endings.refusals.count:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            endings.let_go()
            return [await charging]

    queue = FailingQueue(KeyError("a mistake"))
    assert [each.fate for each in asyncio.run(main(queue))] == [Fate.RELEASED]
    assert queue.charged == []
