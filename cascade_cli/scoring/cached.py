"""Scores of a workspace: what this scorer has worked out before is read, the rest is worked out and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
from cascade_cli.workspace import PairFilter, Workspace, stream_pairs

_PAIRS_BETWEEN_WRITES = 20_000


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
    with Workspace.open(path) as workspace:
        known = workspace.read_scores(fingerprint)
    if request.item_column is not None:
        known = known.clear()
    intake = Intake(
        through(stream_pairs(path, only)), advance, {hash(key) for key in known.select(PAIR_KEY).iter_rows()}
    )
    chunks = score_chunks(intake, request, processes=processes)
    kept = _kept(chunks, path, fingerprint) if keep else chunks
    return _with_known(assemble(kept, intake, request), known)


def _kept(chunks: Iterable[Chunk], path: Path, fingerprint: str) -> Iterator[Chunk]:
    """Pass the chunks on, writing down now and then what is new in them."""
    unsaved: list[pl.DataFrame] = []
    for chunk in chunks:
        unsaved.append(chunk.figures.filter(pl.col("scorable").is_not_null()))
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


def _with_known(scored: Scored, known: pl.DataFrame) -> Scored:
    """Fill the lines that were left open from the figures known before."""
    open_lines = scored.figures.filter(pl.col("scorable").is_null())
    if open_lines.is_empty():
        return scored
    brought = known.select(*PAIR_KEY, *(column for column in FIGURES if column in known.columns))
    filled = open_lines.drop(*FIGURES).join(brought, on=PAIR_KEY, how="left")
    absent = [pl.lit(None, dtype=kind).alias(name) for name, kind in FIGURES.items() if name not in known.columns]
    whole = filled.with_columns(absent).select(scored.figures.columns)
    settled = scored.figures.filter(pl.col("scorable").is_not_null())
    figures = pl.concat([settled, whole], how="vertical_relaxed").sort("pair")
    return replace(scored, figures=figures, cached=len(open_lines))
