"""Outcomes into the spool as they come, many to a commit when many come; from there into the database now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

from cascade_cli.errors import CascadeError
from cascade_cli.workspace import Outcome, Spool, fold, fold_all

_MOST_AT_ONCE = 500
_SECONDS_BETWEEN_FOLDS = 2.0

Waiting = tuple[Outcome, "asyncio.Future[None]"]


class Recorder:
    """Keeps outcomes; get one from :meth:`open`."""

    def __init__(self, folder: Path, spool: Spool, loop: asyncio.AbstractEventLoop) -> None:
        self._folder = folder
        self._spool = spool
        self._loop = loop
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._done = Event()

    @staticmethod
    @contextmanager
    def open(folder: Path) -> Iterator[Recorder]:
        """Record within a running event loop; in the end everything is saved, and folded where that is possible."""
        with Spool.open(folder) as spool:
            recorder = Recorder(folder, spool, asyncio.get_running_loop())
            threads = [Thread(target=recorder._commit), Thread(target=recorder._fold)]
            for thread in threads:
                thread.start()
            try:
                yield recorder
            finally:
                recorder._queue.put(None)
                recorder._done.set()
                for thread in threads:
                    thread.join()

    async def keep(self, outcome: Outcome) -> None:
        """Return once the outcome is safe.

        Raises:
            DependencyError: it could not be saved: the disk is full.
        """
        saved: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((outcome, saved))
        await saved

    def _commit(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < _MOST_AT_ONCE and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            failure: Exception | None = None
            try:
                self._spool.add(outcome for outcome, _ in batch)
            except Exception as error:  # noqa: BLE001 - raised again by each that waits
                failure = error
            self._loop.call_soon_threadsafe(_settle, batch, failure)

    def _fold(self) -> None:
        """Move what has gathered, in the moments in which nobody else has the database open."""
        while not self._done.wait(_SECONDS_BETWEEN_FOLDS):
            # What hinders it now may be gone next time; if not it hinders the last fold too, which says so.
            with suppress(CascadeError), Spool.open(self._folder) as spool:
                fold(self._folder, spool)


def _settle(batch: Sequence[Waiting], failure: Exception | None) -> None:
    for _, saved in batch:
        if saved.done():
            continue
        if failure is None:
            saved.set_result(None)
        else:
            saved.set_exception(failure)


def fold_everything(folder: Path) -> None:
    """Move all that the spool holds, waiting for whoever has the database open.

    Raises:
        DependencyError: it is not let go in time; what the spool holds stays safe there.
    """
    with Spool.open(folder) as spool:
        fold_all(folder, spool)
