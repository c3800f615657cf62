"""Scores of a workspace: what this scorer has worked out before is read, the rest is worked out and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from cascade_cli.policy import RANDOM_SAMPLE, RULES_VERSION
from cascade_cli.scoring.frames import (
    PAIR_KEY,
    Chunk,
    Intake,
    KnownLines,
    Request,
    Scored,
    Through,
    assemble,
    score_chunks,
)
from cascade_cli.workspace import PairFilter, Workspace, read_scores, stream_pairs

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
    # What is noted for the gates stands beside the figures, so it is kept under the version of both rules.
    kept_as = f"{request.config.fingerprint}.{RULES_VERSION}"
    known = read_scores(path, kept_as)
    if request.item_column is not None:
        known = known.clear()
    intake = Intake(through(stream_pairs(path, only)), advance, KnownLines(known))
    known = known.drop(PAIR_KEY)
    with Workspace.open(path) as workspace:
        awaited, sampled = workspace.awaited(RANDOM_SAMPLE), workspace.escalated(RANDOM_SAMPLE)
    chunks = score_chunks(intake, request, processes=processes)
    scored = assemble(_kept(chunks, path, kept_as) if keep else chunks, intake, request, known)
    return replace(scored, awaited=awaited, sampled=sampled)


def _kept(chunks: Iterable[Chunk], path: Path, kept_as: str) -> Iterator[Chunk]:
    """Pass the chunks on, writing down now and then what is new in them."""
    unsaved: list[pl.DataFrame] = []
    for chunk in chunks:
        unsaved += [chunk.figures] if len(chunk.figures) else []
        if sum(map(len, unsaved)) >= _PAIRS_BETWEEN_WRITES:
            _save(path, kept_as, unsaved)
            unsaved = []
        yield chunk
    _save(path, kept_as, unsaved)


def _save(path: Path, kept_as: str, frames: list[pl.DataFrame]) -> None:
    if frames:
        with Workspace.open(path, "write") as workspace:
            workspace.write_scores(kept_as, pl.concat(frames))
