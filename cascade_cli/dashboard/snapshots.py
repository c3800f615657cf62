"""The newest whole state of the pairs, and when it is read again.

A snapshot is never changed. A page that is asked for while the source is read again shows the one before.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic

import polars as pl

from cascade_cli.config import WORKSPACE_PATH, Settings
from cascade_cli.console import moment
from cascade_cli.dashboard.browsing import Listing
from cascade_cli.dashboard.door import Door
from cascade_cli.dashboard.reading import Reader, Reading
from cascade_cli.errors import CascadeError, UsageError, internal_error
from cascade_cli.records import Row
from cascade_cli.report import Data, Report, request_of
from cascade_cli.scoring import Request, compare_scored
from cascade_cli.simulate import Events, events_of, first_reasons
from cascade_cli.workspace import Workspace

Version = tuple[tuple[str, int, int], ...]
"""Name, time of change and size of each file of the source."""
_SHORTEST_REST_S = 2.0
_REST_PER_READING = 5
"""So many times as long as it took to read, a snapshot is let stand: a live source changes every second."""


@dataclass(frozen=True)  # without slots: some of it is worked out once and kept
class Snapshot:
    """The state of the source at one moment.

    Attributes:
        reading: what was read.
        asked: for what.
        settings: under which.
        read_at: when it was begun, aware UTC.
    """

    reading: Reading
    asked: Report
    settings: Settings
    read_at: datetime

    @cached_property
    def events(self) -> Events:
        """One line an event, as a simulation needs it.

        Raises:
            UsageError: the answers are of several students.
        """
        return events_of(self.reading.scored)

    @property
    def told(self) -> str:
        """What it is of, in a sentence."""
        source = self.asked.pairs.location or str(self.settings[WORKSPACE_PATH])
        return f"{len(self.reading.scored.figures):,} recorded pairs of {source} as of {moment(self.read_at)}."

    @property
    def request(self) -> Request:
        """With which the pairs were scored."""
        return request_of(self.asked, self.settings)

    @cached_property
    def categories(self) -> list[str]:
        """What the students found, the most frequent first."""
        counted = self.events.categories.explode().drop_nulls().value_counts(sort=True)
        return list(counted.to_series(0))

    @cached_property
    def students(self) -> list[str]:
        """Names, sorted."""
        return sorted(self.reading.scored.figures["student_model"].unique().to_list())

    def rows_of_event(self, event_id: str, door: Door) -> list[Row]:
        """Its recorded pairs; a file is read through for them.

        Args:
            event_id: as recorded.
            door: into the workspace.

        Raises:
            CascadeError: the source cannot be read now.
        """
        pairs = self.asked.pairs
        if pairs.location is None:
            with door.opened() as workspace:
                return [row for row in workspace.pairs(pairs.filter(event_id)) if row.answer]
        rows = pairs.rows_of_file()
        return [row for row in rows if isinstance(row, Row) and row.answer and row.trace.event_id == event_id]

    def compared(self, first: str, second: str) -> Data:
        """As ``cascade compare`` of two students; what was asked for once is kept.

        Raises:
            UsageError: there is no student of that name.
        """
        for name in (first, second):
            if name not in self.students:
                raise UsageError(f"There is no student {name[:200]!r}.", hint="Choose two of those that there are.")
        if (first, second) not in self._compared:
            ours, theirs = (
                self.reading.scored.figures.filter(pl.col("student_model") == name) for name in (first, second)
            )
            self._compared[first, second] = compare_scored((first, second), ours, theirs, self.request)
        return self._compared[first, second]

    @cached_property
    def _compared(self) -> dict[tuple[str, str], Data]:
        return {}

    @cached_property
    def listing(self) -> Listing:
        """The pairs as they are browsed, with the reasons that the policy in force has."""
        reasons = None
        if self.reading.problem is None:
            first = first_reasons(self.events, self.asked.wanted.base)
            reasons = pl.DataFrame({"event_id": self.events.ids, "reason": first})
        return Listing.of(self.reading.scored.figures, reasons)


@dataclass(frozen=True, slots=True)
class State:
    """What is known at this moment.

    Attributes:
        snapshot: the newest; None before the first.
        problem: why the last reading failed; None where it did not.
        rows: how many rows the reading under way has taken; None where none is.
    """

    snapshot: Snapshot | None
    problem: CascadeError | None
    rows: int | None


class Snapshots:
    """Reads the source when it has changed, and hands out the newest snapshot."""

    def __init__(self, asked: Report, settings: Settings, *, now: Callable[[], float] = monotonic) -> None:
        """Begin with nothing.

        Args:
            asked: which pairs.
            settings: as resolved.
            now: a clock that never goes back.
        """
        self.asked, self._settings, self._now = asked, settings, now
        self._lock, self._settled = Lock(), Event()
        self._snapshot: Snapshot | None = None
        self._problem: CascadeError | None = None
        self._reader: Reader | None = None
        self._version: Version | None = None
        self._rested_at = 0.0
        self._closed = False

    def state(self, wait_s: float = 0.0) -> State:
        """What is known now; a reading that is due begins.

        Args:
            wait_s: how long to wait for the first snapshot.
        """
        self._begin_if_due()
        if self._snapshot is None and self._problem is None:
            self._settled.wait(wait_s)
        with self._lock:
            return State(self._snapshot, self._problem, self._reader.rows if self._reader else None)

    def close(self) -> None:
        """End what is under way."""
        with self._lock:
            self._closed = True
            if self._reader is not None:
                self._reader.kill()

    def _begin_if_due(self) -> None:
        version = version_of(self.asked, self._settings)
        with self._lock:
            # Where there is nothing to read, it fails in the same way every time.
            again = version != self._version or (self._problem is not None and version)
            if self._closed or self._reader is not None or not again or self._now() < self._rested_at:
                return
            self._version, self._reader = version, Reader(self.asked, self._settings)
            Thread(target=self._finish, args=(self._reader, datetime.now(UTC), self._now()), daemon=True).start()

    def _finish(self, reader: Reader, read_at: datetime, began: float) -> None:
        snapshot, problem = None, None
        try:
            snapshot = Snapshot(reader.result(), self.asked, self._settings, read_at)
            # The first who looks would wait for it.
            _ = snapshot.listing
        except CascadeError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - told on a page; nobody would see it in this thread
            problem = internal_error(error)
        with self._lock:
            self._snapshot, self._problem, self._reader = snapshot or self._snapshot, problem, None
            self._rested_at = self._now() + max(_SHORTEST_REST_S, _REST_PER_READING * (self._now() - began))
        self._settled.set()


def version_of(asked: Report, settings: Settings) -> Version:
    """What changes whenever the source does; empty where there is none."""
    if asked.pairs.location is not None:
        files: tuple[Path, ...] = (Path(asked.pairs.location),)
    else:
        files = Workspace.files(settings[WORKSPACE_PATH])
    # Readers make an empty file beside the spool.
    found = ((file.name, _stat(file)) for file in files)
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found if stat is not None and stat.st_size)


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None
