"""The teacher's desk, with a teacher that is a function."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cascade_cli.live.measures import Measures
from cascade_cli.live.outages import Outages
from cascade_cli.live.teaching import Lesson, TeacherDesk
from cascade_cli.postgres.queue import Claimed
from cascade_cli.records import Event


def test_an_error_that_nobody_foresaw_is_that_of_the_event_that_brings_it_about() -> None:
    calls: list[list[str]] = []

    async def ask(_blocks: Sequence[str], event_ids: Sequence[str]) -> list[dict[str, object]]:
        calls.append(list(event_ids))
        if "e1" in event_ids:
            raise KeyError("a mistake")
        return [{"entities": []} for _ in event_ids]

    async def main() -> list[Lesson | BaseException]:
        clock = asyncio.get_running_loop().time
        desk = TeacherDesk(ask, Outages(clock), 10, 2, clock, Measures(), lambda _: None)  # type: ignore[arg-type]
        serving = asyncio.create_task(desk.serve())
        events = [Event(f"e{number}", "sales", "hi") for number in range(3)]
        claims = [Claimed(event.id, event.id, "f", 0, 0, event) for event in events]
        teaching = (desk.teach(claim, event) for claim, event in zip(claims, events, strict=True))
        taught = await asyncio.gather(*teaching, return_exceptions=True)
        serving.cancel()
        return taught

    first, second, third = asyncio.run(main())
    assert isinstance(second, KeyError)
    assert isinstance(first, Lesson)
    assert isinstance(third, Lesson)
    assert calls == [["e0", "e1", "e2"], ["e0"], ["e1"], ["e2"]]
