"""Scores of a workspace: what this scorer has worked out before is read, the rest is worked out and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from cascade_cli.scoring.frames import (
    FIGURES,
    PAIR_KEY,
    Chunk,
    Intake,
    Request,
    Scored,
    Through,
    assemble,
    score_chunks,
)
from cascade_cli.workspace import PairFilter, Workspace, read_scores, stream_pairs

_PAIRS_BETWEEN_WRITES = 20_000
_BROUGHT = "_brought"


def score_workspace(
    path: Path,
    only: PairFilter,
    request: Request,
    *,
    processes: int = 1,
    advance: Callable[[int], None] = lambda _items: None,
    through: Through = iter,
    keep: bool = True,
) -> Scored:
    """Score the pairs of a workspace; what is new is kept as it comes, so that a kill loses little.

    Counts by a property of items are not kept, so asking for them works everything out anew. Without ``keep`` nothing
    is written.
    """
    fingerprint = request.config.fingerprint
    known = read_scores(path, fingerprint)
    if request.item_column is not None:
        known = known.clear()
    places = {hash(key): place for place, key in enumerate(known.select(PAIR_KEY).iter_rows())}
    # The texts of a million keys would outweigh their figures; that two share a hash has a chance of 1 in 37 million.
    known = known.drop(PAIR_KEY)
    intake = Intake(through(stream_pairs(path, only)), advance, places)
    chunks = score_chunks(intake, request, processes=processes)
    kept = _kept(chunks, path, fingerprint) if keep else chunks
    filled = _all_filled(kept, known, places)
    # From here on only the filling holds them, and lets them go before all lines are put together.
    del known
    scored = assemble(filled, intake, request)
    keys = scored.figures.select(PAIR_KEY).iter_rows()
    return replace(scored, cached=sum(hash(key) in places for key in keys))


def _kept(chunks: Iterable[Chunk], path: Path, fingerprint: str) -> Iterator[Chunk]:
    """Pass the chunks on, writing down now and then what is new in them."""
    unsaved: list[pl.DataFrame] = []
    for chunk in chunks:
        fresh = chunk.figures.filter(pl.col("scorable").is_not_null())
        # Two thousand frames of nothing weigh as much as the figures.
        unsaved += [fresh] if len(fresh) else []
        if sum(map(len, unsaved)) >= _PAIRS_BETWEEN_WRITES:
            _save(path, fingerprint, unsaved)
            unsaved = []
        yield chunk
    _save(path, fingerprint, unsaved)


def _save(path: Path, fingerprint: str, frames: list[pl.DataFrame]) -> None:
    fresh = pl.concat(frames) if frames else pl.DataFrame()
    if len(fresh):
        with Workspace.open(path, "write") as workspace:
            workspace.write_scores(fingerprint, fresh.select(*PAIR_KEY, *FIGURES))


def _all_filled(chunks: Iterable[Chunk], known: pl.DataFrame, places: Mapping[int, int]) -> Iterator[Chunk]:
    for chunk in chunks:
        yield _filled(chunk, known, places)


def _filled(chunk: Chunk, known: pl.DataFrame, places: Mapping[int, int]) -> Chunk:
    """Fill the lines that were left open from the figures known before.

    Args:
        chunk: lines in any order.
        known: figures, one line a pair.
        places: for the hash of each known pair's key its line.
    """
    lines = [places.get(hash(key)) for key in chunk.figures.select(PAIR_KEY).iter_rows()]
    if all(line is None for line in lines):
        return chunk
    brought = known.select(pl.all().gather(pl.Series(lines, dtype=pl.UInt32)).name.suffix(_BROUGHT))
    wanted = [
        pl.coalesce(name, pl.col(f"{name}{_BROUGHT}").cast(kind)).alias(name)
        for name, kind in FIGURES.items()
        if name in known.columns
    ]
    figures = chunk.figures.hstack(brought).with_columns(wanted).drop(brought.columns)
    return replace(chunk, figures=figures)
