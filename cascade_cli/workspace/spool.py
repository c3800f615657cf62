"""Where answers are safe the moment they arrive: a small SQLite file that does not shut readers out.

DuckDB lets nobody else open a file that one process writes, so a command that writes an answer every few milliseconds
must not write there. It appends here, and now and then a bounded number of rows is folded into the database
(``folding``), in the moments in which nobody else has that open. Readers take the union.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from cascade_cli.errors import CascadeError, DependencyError
from cascade_cli.named_sql import read_named_sql
from cascade_cli.storable import storable
from cascade_cli.workspace.batching import MAX_CHARACTERS
from cascade_cli.workspace.records import Outcome, Spooled

SPOOL_NAME: Final = "spool.sqlite"
_QUERIES: Final = read_named_sql(files("cascade_cli.workspace") / "spool.sql")
_WAIT_S: Final = 10.0


class Spool:
    """An open spool; get one from :meth:`open` or :meth:`read`."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    @staticmethod
    @contextmanager
    def open(folder: Path) -> Iterator[Spool]:
        """Open the spool of a workspace folder for writing; made where it is absent.

        Raises:
            DependencyError: the disk is full, or the file cannot be written.
        """
        file = folder / SPOOL_NAME
        with _explained(folder):
            file.touch(mode=0o600)
            connection = _connect(f"{file.resolve().as_uri()}?mode=rw")
        with closing(connection):
            with _explained(folder):
                connection.execute("PRAGMA journal_mode = WAL")
                # An answer that was acknowledged survives the machine, not only the process.
                connection.execute("PRAGMA synchronous = FULL")
                # What was forgotten cannot be read from the file any more.
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute(_QUERIES["create"])
                connection.execute(_QUERIES["create_identity"])
                if connection.execute(_QUERIES["identity"]).fetchone() is None:
                    connection.execute(_QUERIES["give_identity"])
            yield Spool(connection, folder)

    @staticmethod
    @contextmanager
    def read(folder: Path) -> Iterator[Spool | None]:
        """Open the spool for reading; None where there is none."""
        file = folder / SPOOL_NAME
        if not file.exists() or not file.stat().st_size:
            yield None
            return
        with _explained(folder):
            connection = _connect(f"{file.resolve().as_uri()}?mode=ro")
        with closing(connection):
            with _explained(folder):
                # Whoever made the file may have been killed before it made the table.
                made = connection.execute(_QUERIES["is_made"]).fetchone()[0]
            yield Spool(connection, folder) if made else None

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Keep outcomes, in one durable transaction."""
        with _explained(self._folder), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_QUERIES["add"], map(_stored, outcomes))

    def of_events(self, event_ids: Sequence[str]) -> list[Outcome]:
        """What came of some events."""
        ids = json.dumps([storable(event_id) for event_id in event_ids])
        with _explained(self._folder):
            return [_outcome(row) for row in self._connection.execute(_QUERIES["of_events"], (ids,))]

    @property
    def identity(self) -> str:
        """Another one for each file."""
        with _explained(self._folder):
            return str(self._connection.execute(_QUERIES["identity"]).fetchone()[0])

    def first(self, limit: int) -> list[Spooled]:
        """The oldest outcomes: at most so many, and no more text than fits into memory."""
        taken: list[Spooled] = []
        characters = 0
        with _explained(self._folder), closing(self._connection.execute(_QUERIES["first"], (limit,))) as rows:
            for row in rows:
                taken.append(Spooled(row[0], _outcome(row), row[-2], row[-1]))
                characters += len(taken[-1].outcome.response or "")
                if characters >= MAX_CHARACTERS:
                    break
        return taken

    def forget(self, numbers: Sequence[int]) -> None:
        """Remove outcomes that have been folded."""
        with _explained(self._folder), self._connection:
            self._connection.execute(_QUERIES["forget"], (json.dumps(numbers),))

    def truncate(self) -> None:
        """Give back the space of what was forgotten, unless somebody is reading."""
        with _explained(self._folder):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def forget_events(self, event_ids: Sequence[str]) -> int:
        """Remove what came of some events; returns how many rows went."""
        ids = json.dumps([storable(event_id) for event_id in event_ids])
        with _explained(self._folder), self._connection:
            return self._connection.execute(_QUERIES["forget_events"], (ids,)).rowcount

    def __len__(self) -> int:
        return int(self._connection.execute(_QUERIES["count"]).fetchone()[0])


def _connect(address: str) -> sqlite3.Connection:
    # Used by one thread at a time: the one that records, or whoever opened it.
    return sqlite3.connect(address, uri=True, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)


def _stored(outcome: Outcome) -> tuple[object, ...]:
    return (
        storable(outcome.event_id),
        storable(outcome.student_model),
        storable(outcome.prompt_shape),
        outcome.sample_index,
        outcome.run_id,
        outcome.requests,
        outcome.at.isoformat(),
        storable(outcome.response),
        outcome.student_ms,
        json.dumps(dict(outcome.signals)) if outcome.signals else None,
        outcome.prompt_tokens,
        outcome.completion_tokens,
        storable(outcome.finish_reason),
        outcome.error,
        storable(outcome.detail),
        outcome.outage,
    )


def _outcome(row: tuple[Any, ...]) -> Outcome:
    _, event_id, model, shape, sample, run_id, requests, at, response, student_ms, signals, *rest = row
    prompt_tokens, completion_tokens, finish_reason, error, detail, outage, *_ = rest
    return Outcome(
        event_id=event_id,
        student_model=model,
        prompt_shape=shape,
        sample_index=sample,
        run_id=run_id,
        requests=requests,
        at=datetime.fromisoformat(at),
        response=response,
        student_ms=student_ms,
        signals=json.loads(signals) if signals else {},
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        finish_reason=finish_reason,
        error=error,
        detail=detail,
        outage=bool(outage),
    )


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _explanation(error, folder) from error


def _explanation(error: BaseException, folder: Path) -> CascadeError:
    """What SQLite or the disk says, with its cure."""
    text = str(error)
    if "disk is full" in text or "disk I/O error" in text or getattr(error, "errno", None) in {27, 28, 122}:
        return DependencyError(
            f"The disk under {folder} is full. What was saved before is safe.",
            hint="Free some space and run the same command again: it goes on where it stopped.",
        )
    return DependencyError(f"The spool in {folder} refuses: {text.splitlines()[0][:200]}.")
