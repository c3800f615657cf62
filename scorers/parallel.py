"""Chunks of work over several processes, in order, with a bounded number of chunks under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

_CHUNKS_PER_PROCESS = 3
"""Enough that no process waits for the next chunk, few enough that a long input streams."""


def map_chunks(
    function: Callable[[list[In]], Out], items: Iterable[In], *, chunk_size: int, processes: int
) -> Iterator[Out]:
    """Apply a function to successive chunks of at most ``chunk_size`` items; results come in the order of the input.

    Args:
        function: importable by name, since with several processes it is sent by name.
        items: consumed as results are taken, never far ahead.
        chunk_size: items a call, at least 1.
        processes: 1 computes here, without starting any process.
    """
    chunks = _chunked(items, chunk_size)
    if processes == 1:
        yield from map(function, chunks)
        return
    # Not fork: the parent may run threads of polars, whose locks a forked child would inherit taken.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        under_way: deque[Future[Out]] = deque()
        for chunk in chunks:
            under_way.append(pool.submit(function, chunk))
            if len(under_way) >= processes * _CHUNKS_PER_PROCESS:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _chunked(items: Iterable[In], size: int) -> Iterator[list[In]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
