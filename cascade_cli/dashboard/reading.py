"""What the pages show, read in a process of its own: pages are answered meanwhile, and Ctrl-C waits for nobody."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

import polars as pl

from cascade_cli.config import WORKSPACE_PATH, Settings
from cascade_cli.errors import CascadeError, UsageError, internal_error
from cascade_cli.report import Figures, Report, figures_of, request_of, simulation_of, twice_of
from cascade_cli.scoring import Scored, look_at_pairs
from cascade_cli.simulate import Simulation

_ROWS_BETWEEN_WORDS = 1_000


@dataclass(frozen=True, slots=True)
class Reading:
    """All pairs, and what follows from them.

    Attributes:
        scored: the figures of every pair.
        simulation: what was asked of ``cascade simulate``; None where there can be no figures.
        figures: of the report's pages; likewise.
        problem: why not, as where the answers are of several students.
    """

    scored: Scored
    simulation: Simulation | None = None
    figures: Figures | None = None
    problem: CascadeError | None = None


def read(asked: Report, settings: Settings, advance: Callable[[int], None] = lambda _rows: None) -> Reading:
    """Read and work out everything; nothing is written.

    Args:
        asked: which pairs, and against what to hold them.
        settings: as resolved.
        advance: told of the rows as they are taken.

    Raises:
        CascadeError: nothing could be read.
    """
    request, twice = request_of(asked, settings), twice_of(asked, settings)
    scored = look_at_pairs(asked.pairs, request, settings[WORKSPACE_PATH], advance=advance, through=twice.watch)
    try:
        figures = figures_of(asked, scored, twice, request, settings)
        return Reading(scored, simulation_of(asked, scored), figures)
    except UsageError as problem:
        return Reading(scored, problem=problem)


class Reader:
    """One reading, in a process that is started at once."""

    def __init__(self, asked: Report, settings: Settings) -> None:
        # Not fork: this process has threads, whose locks a forked child would inherit taken.
        context = get_context("spawn")
        # Without a lock: one writes, the other reads, and a process that is killed must leave nothing locked.
        self._rows = context.RawValue("q", 0)
        self._inbox, outbox = context.Pipe(duplex=False)
        # What the process writes for a moment, as figures on their way from DuckDB to polars, must not outlive it.
        self._scratch = tempfile.TemporaryDirectory(prefix="cascade-", ignore_cleanup_errors=True)
        self._process = context.Process(
            target=_read_and_send,
            args=(outbox, self._rows, self._scratch.name, asked, settings),
            daemon=True,
            name="reader",
        )
        self._process.start()
        # The only other end is the process's own, so that its death ends the wait.
        outbox.close()

    @property
    def rows(self) -> int:
        """How many rows it has taken so far."""
        return int(self._rows.value)

    def result(self) -> Reading:
        """Wait for it.

        Raises:
            CascadeError: nothing could be read, or the process was ended.
        """
        try:
            outcome = _receive(self._inbox)
        except EOFError as error:
            raise CascadeError(
                "The process that reads was ended.", hint="Was memory short? See its messages."
            ) from error
        finally:
            self._inbox.close()
            self._process.join()
            self._scratch.cleanup()
        if isinstance(outcome, CascadeError):
            raise outcome
        return outcome

    def kill(self) -> None:
        """End it at once; it holds nothing that could be lost."""
        self._process.kill()
        self._process.join()
        self._scratch.cleanup()


def _read_and_send(outbox: Connection, rows: Any, scratch: str, asked: Report, settings: Settings) -> None:  # noqa: ANN401 - a shared number has no name for its type
    tempfile.tempdir = scratch
    Thread(target=_end_with_parent, args=(scratch,), daemon=True).start()
    # Ctrl-C reaches every process of the terminal; this one is ended by its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    waiting = 0

    def advance(taken: int) -> None:
        nonlocal waiting
        waiting += taken
        if waiting >= _ROWS_BETWEEN_WORDS:
            rows.value += waiting
            waiting = 0

    try:
        outcome: Reading | CascadeError = read(asked, settings, advance)
    except CascadeError as problem:
        outcome = problem
    except Exception as error:  # noqa: BLE001 - told on a page; nobody would see it in this process
        outcome = internal_error(error)
    _send(outcome, outbox)


def _send(outcome: Reading | CascadeError, outbox: Connection) -> None:
    """Everything but the pairs, then those a column at a time: all at once they would be held twice on either side."""
    if isinstance(outcome, CascadeError):
        outbox.send((outcome, 0))
        return
    figures = outcome.scored.figures
    outbox.send((replace(outcome, scored=replace(outcome.scored, figures=pl.DataFrame())), figures.width))
    for name in figures.columns:
        outbox.send(figures.drop_in_place(name))


def _receive(inbox: Connection) -> Reading | CascadeError:
    """What was sent.

    Raises:
        EOFError: the process ended before all of it was.
    """
    outcome: Reading | CascadeError
    outcome, columns = inbox.recv()
    if isinstance(outcome, CascadeError):
        return outcome
    figures = pl.DataFrame([inbox.recv() for _ in range(columns)])
    return replace(outcome, scored=replace(outcome.scored, figures=figures))


def _end_with_parent(scratch: str) -> None:
    """End at once when the dashboard is gone: killed, it could end nobody."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(1)
