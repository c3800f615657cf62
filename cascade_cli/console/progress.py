"""How far the work is: a bar for people, a line now and then for logs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS_BETWEEN_LINES = 30.0
_BAR_ALONE, _BAR_BESIDE_STATUS = 40, 12


class Advance(Protocol):
    """Called with the number of items finished since the last call."""

    def __call__(self, items: int = 1) -> None:
        """Count ``items`` as done."""


@contextmanager
def silent() -> Iterator[Advance]:
    """Count nothing."""

    def advance(items: int = 1) -> None:
        del items

    yield advance


@contextmanager
def progress_bar(
    label: str, total: int | None, stream: TextIO, status: Callable[[], str] | None = None
) -> Iterator[Advance]:
    """Draw a bar on a terminal, with a status behind it; it disappears when the work is done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class StatusColumn(ProgressColumn):
        """What the status says now, whether or not anything was finished since."""

        def render(self, task: Task) -> Text:
            del task
            return Text(status() if status else "")

    width = _BAR_BESIDE_STATUS if status else _BAR_ALONE
    shape = (TextColumn("{task.description}"), BarColumn(width), MofNCompleteColumn(), TimeRemainingColumn())
    # What does not fit into the line is left out: a status of two lines would jump.
    one_line = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (*shape, StatusColumn(table_column=one_line)) if status else shape
    with Progress(*columns, console=Console(file=stream), transient=True, expand=bool(status)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda items=1: bar.advance(task, items)


@contextmanager
def progress_lines(
    label: str,
    total: int | None,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    status: Callable[[], str] | None = None,
) -> Iterator[Advance]:
    """Say ``label: done of total, rate, time left`` at most once in 30 s, so that a short job says nothing.

    A status takes the place of the rate, which it tells itself.
    """
    started_s = spoken_s = clock()
    done = 0

    def advance(items: int = 1) -> None:
        nonlocal done, spoken_s
        done += items
        now_s = clock()
        if now_s - spoken_s >= SECONDS_BETWEEN_LINES:
            spoken_s = now_s
            of = "" if total is None else f" of {total:,}"
            rate = done / (now_s - started_s)
            told = status() if status else f"{rate:,.0f} a second"
            left = f", {(total - done) / rate:,.0f} s left" if status and total and rate else ""
            say(f"{label}: {done:,}{of}, {told}{left}")

    yield advance
