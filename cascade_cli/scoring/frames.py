"""A stream of rows -> one frame with a line of figures for each recorded pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np
import polars as pl

from cascade_cli.policy import Case, observe
from cascade_cli.records import BadRow, Row
from cascade_cli.scoring.columns import cluster_of, is_item_column, pair_value
from cascade_cli.scoring.judging import Reading, answered, read_pair, shown_event
from cascade_cli.storable import storable
from cascade_cli.workspace import Awaited
from scorers import MalformedExtraction, ScoringConfig
from scorers.many import COLUMNS, UNSCORABLE, flatten
from scorers.parallel import map_chunks
from scorers.score import score_extraction
from scorers.tally import tally

CHUNK_PAIRS = 500
_BLOCK_PAIRS = 20_000
PAIR_KEY = ("trace_id", "student_model", "prompt_shape", "sample_index")
EVENT_KEY = ("event_id", "system_prompt_hash", *PAIR_KEY[1:])
FLAGS = ("missing_output", "invalid_json", "empty", "repairable", "ungrounded")

Schema = dict[str, pl.DataType | type[pl.DataType]]
_PAIR_SCHEMA: Schema = {**dict.fromkeys(PAIR_KEY[:3], pl.String), "sample_index": pl.Int32}
_KEY_SCHEMA: Schema = {**dict.fromkeys(EVENT_KEY[:4], pl.String), "sample_index": pl.Int32, "cluster": pl.String}
_TYPES: dict[type, type[pl.DataType]] = {bool: pl.Boolean, int: pl.Int32, float: pl.Float64}
FIGURES: Schema = {
    **dict.fromkeys(FLAGS, pl.Boolean),
    "categories": pl.List(pl.String),
    **{name: _TYPES[kind] for name, kind in COLUMNS.items()},
}
"""What is worked out from the texts of a pair, once: for the gates of any policy, then by the metric."""
_KNOWN_LINE = "known_line"
_TALLY_SCHEMA: Schema = {"pair": pl.Int64, "value": pl.String, "tp": pl.Int32, "fp": pl.Int32, "fn": pl.Int32}


@dataclass(frozen=True, slots=True)
class Observer:
    """Further columns beside the figures of a pair, read from its row.

    Attributes:
        schema: their names and types.
        read: importable by name, since it may run in another process; the values in the order of the schema.
    """

    schema: Mapping[str, pl.DataType | type[pl.DataType]]
    read: Callable[[Row], tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Request:
    """What to work out for each pair.

    Attributes:
        config: the metric.
        by: columns of pairs to keep, or one column of items to count by.
        cluster_by: the column whose equal values are not independent; None for the usual attributes.
        observer: what else to note of each pair; None for nothing.
    """

    config: ScoringConfig
    by: tuple[str, ...] = ()
    cluster_by: str | None = None
    observer: Observer | None = None

    @property
    def item_column(self) -> str | None:
        """The property of items to count by, where one was asked for."""
        return next((column for column in self.by if is_item_column(column)), None)

    @property
    def all_samples(self) -> bool:
        """Whether further answers to the same question are pairs too: only where they are told apart."""
        return "sample_index" in self.by

    @property
    def pair_columns(self) -> tuple[str, ...]:
        """The columns of pairs to keep."""
        return tuple(column for column in self.by if not is_item_column(column) and column != "kind")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some pairs.

    Attributes:
        keys: one line a pair: what names it, what it is grouped by, what was observed, and the line of its figures
            among those that were known before; null where they are new.
        figures: of the new ones, in their order, behind :data:`PAIR_KEY`.
        tally: counts by a property of items, where asked for.
    """

    keys: pl.DataFrame
    figures: pl.DataFrame
    tally: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Scored:
    """Everything that was worked out.

    Attributes:
        figures: one line a pair: event, prompt hash, student, sample, cluster, grouping columns, what was observed and
            figures; the last of equal keys.
        tally: counts by a property of items, ``pair`` being a line of ``figures``; empty unless asked for.
        not_asked: traces whose student was not asked.
        newest_not_asked: moment, aware UTC, and prompt hash of the newest of them; None where none is dated.
        bad_rows: rows that could not be read.
        first_bad: the first few of them.
        repeated: pairs that a later one of the same key replaced.
        cached: pairs whose figures were known already.
        awaited: labels of the random sample that a live worker's teacher still owes; None where none is known of.
        sampled: events that such a worker's sampler took and the teacher answered.
    """

    figures: pl.DataFrame
    tally: pl.DataFrame
    not_asked: int
    bad_rows: int
    first_bad: tuple[BadRow, ...]
    repeated: int
    newest_not_asked: tuple[datetime, str | None] | None = None
    cached: int = 0
    awaited: Awaited | None = None
    sampled: frozenset[str] = frozenset()


_BAD_ROWS_SHOWN = 5
Through = Callable[[Iterable[Row | BadRow]], Iterable[Row | BadRow]]
"""What rows pass through on their way to the metric, unchanged."""
Task = tuple[Row, int | None]
"""A row, and the line of its figures among those that are known already."""


class KnownLines:
    """Which line has the figures of a pair, of those that were worked out before.

    A million texts of keys, or a dictionary of their hashes, would outweigh the figures. That two keys share a hash has
    a chance of 1 in 37 million for a million pairs.
    """

    def __init__(self, keys: pl.DataFrame | None = None) -> None:
        """Take the columns of :data:`PAIR_KEY`, one line a pair; None where nothing is known."""
        found = () if keys is None else map(hash, keys.select(PAIR_KEY).iter_rows())
        hashes = np.fromiter(found, dtype=np.int64)
        self._lines = np.argsort(hashes)
        self._hashes = hashes[self._lines]

    def line_of(self, key: tuple[str, str, str, int]) -> int | None:
        """The line of a pair; None where it is new."""
        wanted = hash(key)
        place = int(self._hashes.searchsorted(wanted))
        found = place < len(self._hashes) and self._hashes[place] == wanted
        return int(self._lines[place]) if found else None


class Intake:
    """Passes on the rows that can be scored, with the line of figures that are known already, and counts the others."""

    def __init__(
        self,
        rows: Iterable[Row | BadRow],
        advance: Callable[[int], None] = lambda _items: None,
        known: KnownLines | None = None,
    ) -> None:
        """Take rows.

        Args:
            rows: of any length.
            advance: told of every row that was taken.
            known: whose figures are known; None where none are.
        """
        self.not_asked = 0
        self.newest_not_asked: tuple[datetime, str | None] | None = None
        self.bad_rows = 0
        self.first_bad: list[BadRow] = []
        self._rows = rows
        self._advance = advance
        self._known = known or KnownLines()

    def __iter__(self) -> Iterator[Task]:
        for row in self._rows:
            self._advance(1)
            if isinstance(row, BadRow):
                self.bad_rows += 1
                if len(self.first_bad) < _BAD_ROWS_SHOWN:
                    self.first_bad.append(row)
            elif row.answer is None:
                self._pass_over(row)
            else:
                yield row, self._known.line_of(pair_key(row))

    def _pass_over(self, row: Row) -> None:
        self.not_asked += 1
        made, newest = row.trace.created_at, self.newest_not_asked
        if made is not None and (newest is None or made > newest[0]):
            self.newest_not_asked = made, row.trace.system_prompt_hash


def pair_key(row: Row) -> tuple[str, str, str, int]:
    """What names the figures of a pair."""
    answer = answered(row)
    return row.trace.trace_id, answer.student_model, answer.prompt_shape, answer.sample_index


def score_stream(intake: Intake, request: Request, *, processes: int = 1) -> Scored:
    """Score every recorded pair of a stream; of pairs with the same key the last stands.

    Memory grows with the figures, some 200 bytes a pair, never with the texts.
    """
    return assemble(score_chunks(intake, request, processes=processes), intake, request)


def score_chunks(intake: Intake, request: Request, *, processes: int) -> Iterator[Chunk]:
    """Score a stream piece by piece, in order; of several samples of one question the first alone, unless asked for."""
    tasks = (task for task in intake if request.all_samples or answered(task[0]).sample_index == 0)
    return map_chunks(partial(score_chunk, request=request), tasks, chunk_size=CHUNK_PAIRS, processes=processes)


def assemble(chunks: Iterable[Chunk], intake: Intake, request: Request, known: pl.DataFrame | None = None) -> Scored:
    """Put the chunks together, as they come, and let the last of equal keys stand.

    Args:
        chunks: whose keys name lines of ``known``.
        intake: that they came from.
        request: what was asked for.
        known: figures that were worked out before, of pairs in any order; None where none were.
    """
    known = pl.DataFrame() if known is None else known
    keys, figures, counts = Pile(key_schema(request)), Pile(FIGURES), Pile(_TALLY_SCHEMA)
    for chunk in chunks:
        counts.add(chunk.tally.with_columns(pl.col("pair") + keys.height))
        keys.add(chunk.keys)
        figures.add(chunk.figures.drop(PAIR_KEY))
    new = pl.col(_KNOWN_LINE).is_null()
    line = pl.when(new).then(len(known) + new.cum_sum() - 1).otherwise(_KNOWN_LINE)
    numbered = keys.frame().with_row_index("pair").with_columns(line=line)
    kept = _last_of_each(numbered)
    tallied = counts.frame()
    if len(kept) < len(numbered):
        tallied = tallied.join(kept.select(pl.col("pair").cast(tallied.schema["pair"])), on="pair", how="semi")
    return Scored(
        _with_figures(kept, known, figures.frame()),
        tallied,
        intake.not_asked,
        intake.bad_rows,
        tuple(intake.first_bad),
        newest_not_asked=intake.newest_not_asked,
        repeated=len(numbered) - len(kept),
        cached=len(kept) - kept[_KNOWN_LINE].null_count(),
    )


def _with_figures(keys: pl.DataFrame, known: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Put the figures beside the keys, a column at a time: all of them twice would be the most memory of a run.

    Args:
        keys: with ``line``, which is that of the figures in ``known`` with ``new`` below it.
        known: figures from before, without columns in which there is none; it is emptied.
        new: figures that were worked out now; likewise.
    """
    height, columns = len(known), []
    for name, kind in FIGURES.items():
        before = known.drop_in_place(name) if name in known.columns else pl.repeat(None, height, dtype=kind, eager=True)
        parts = [part.alias(name).to_frame() for part in (before, new.drop_in_place(name)) if len(part)]
        # Of nothing the type is as wide as can be, and would widen the other.
        both = pl.concat(parts, how="vertical_relaxed") if parts else pl.DataFrame(schema={name: kind})
        columns.append(both.to_series().gather(keys["line"]))
    return keys.drop("prompt_shape", _KNOWN_LINE, "line").hstack(columns)


class Pile:
    """Frames of one schema on top of each other, whole numbers kept as narrow as they allow."""

    def __init__(self, schema: Schema) -> None:
        """Start with nothing; ``schema`` is what an empty pile has."""
        self.height = 0
        self._loose: list[pl.DataFrame] = []
        self._blocks = [pl.DataFrame(schema=schema)]
        self._settled = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Put a frame on top; of nothing, thousands would weigh as much as the figures."""
        if frame.is_empty():
            return
        self.height += len(frame)
        self._loose.append(frame)
        if self.height - self._settled >= _BLOCK_PAIRS:
            self._settle()

    def frame(self) -> pl.DataFrame:
        """All of it; the narrow types of one block widen to what another needs."""
        self._settle()
        return pl.concat(self._blocks[1:] or self._blocks, how="vertical_relaxed")

    def _settle(self) -> None:
        if self._loose:
            block = pl.concat(self._loose, rechunk=True)
            narrow = [column.shrink_dtype() for column in block if column.dtype == pl.Int32]
            self._blocks.append(block.with_columns(narrow))
        self._loose, self._settled = [], self.height


def _last_of_each(numbered: pl.DataFrame) -> pl.DataFrame:
    """The frame without the lines whose key comes again further down.

    Hashes tell nearly every line to be the only one of its key; keys themselves are compared among the others alone,
    since a table of all of them takes more memory than the figures.
    """
    suspected = numbered.select(pl.struct(EVENT_KEY).hash()).to_series().is_duplicated()
    if not suspected.any():
        return numbered
    settled = numbered.filter(suspected).unique(EVENT_KEY, keep="last")
    return pl.concat([numbered.filter(~suspected), settled]).sort("pair")


def key_schema(request: Request) -> Schema:
    """Names and types of the columns of the keys."""
    observed = request.observer.schema if request.observer else {}
    return {
        **_KEY_SCHEMA,
        **{f"by_{column}": pl.String for column in request.pair_columns},
        **observed,
        _KNOWN_LINE: pl.UInt32,
    }


def score_chunk(tasks: list[Task], request: Request) -> Chunk:
    """Score some pairs; runs in a process of its own where there are several."""
    keys: list[tuple[object, ...]] = []
    lines: list[tuple[object, ...]] = []
    counts: list[tuple[object, ...]] = []
    for number, (row, known_line) in enumerate(tasks):
        keys.append((*_keys(row, request), known_line))
        if known_line is None:
            figures, tallied = _score_pair(row, request)
            lines.append((*pair_key(row), *figures))
            counts += [(number, storable(value), *each) for value, each in tallied.items()]
    return Chunk(
        pl.DataFrame(keys, schema=key_schema(request), orient="row"),
        pl.DataFrame(lines, schema={**_PAIR_SCHEMA, **FIGURES}, orient="row"),
        pl.DataFrame(counts, schema=_TALLY_SCHEMA, orient="row"),
    )


def _keys(row: Row, request: Request) -> tuple[object, ...]:
    return (
        row.trace.event_id,
        row.trace.system_prompt_hash,
        *pair_key(row)[1:],
        cluster_of(row, request.cluster_by),
        *(pair_value(row, column) for column in request.pair_columns),
        *(request.observer.read(row) if request.observer else ()),
    )


def _score_pair(row: Row, request: Request) -> tuple[tuple[object, ...], dict[str, tuple[int, int, int]]]:
    reading = read_pair(row.trace, answered(row))
    noted = _noted(row, reading)
    if reading.gold is None:
        return (*noted, *UNSCORABLE), {}
    try:
        score = score_extraction(reading.gold, reading.predicted, request.config, known_emails=reading.known_emails)
    except MalformedExtraction:
        return (*noted, *UNSCORABLE), {}
    figures = flatten(score, reading.gold, reading.predicted, request.config)
    if request.item_column is None:
        return (*noted, *figures), {}
    return (*noted, *figures), tally(score, reading.gold, reading.predicted, request.item_column, request.config)


def _noted(row: Row, reading: Reading) -> tuple[object, ...]:
    """The flags of a pair, and its categories: what the gates of any policy need of its texts."""
    seen = observe(Case(shown_event(row.trace), reading.predicted))
    flags = (reading.missing_output, reading.invalid_json, reading.empty, reading.repairable, seen.ungrounded)
    return (*flags, [storable(category) for category in sorted(seen.categories)])


def warnings_of(scored: Scored) -> tuple[str, ...]:
    """What the user must know of the rows that were not scored as they stand."""
    told = [f"{bad.where}: {bad.cause}" for bad in scored.first_bad]
    if scored.bad_rows > len(told):
        told.append(f"{scored.bad_rows - len(told):,} more rows could not be read.")
    if scored.repeated:
        told.append(f"{scored.repeated:,} pairs were repeated; of each the last counts.")
    return tuple(told)
