"""Many pairs at once: one row of numbers each, from which every corpus figure is added up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from scorers.config import DEFAULT, KINDS, SECTIONS, ScoringConfig
from scorers.exact import legacy_entity_f1, official_exact
from scorers.items import MalformedExtraction
from scorers.parallel import map_chunks
from scorers.score import ExtractionScore, score_extraction

if TYPE_CHECKING:
    import polars as pl

Extraction = Mapping[str, object]
Pairing = tuple[Extraction | None, Extraction | None, Collection[str] | None]
"""Gold (None where unreadable), prediction (None where unreadable), and the event's own e-mails (None if unknown)."""
ScoreRow = tuple[bool | int | float | None, ...]

COUNTS = ("tp", "fp", "fn", "strict", "soft", "raw_tp")

_VERDICT: dict[str, type] = {"scorable": bool, "valid": bool, "both_empty": bool, "agreement": float, "agrees": bool}
_SECTION_COLUMNS: dict[str, type] = {
    f"{section}_{count}": float if count == "soft" else int for section in SECTIONS for count in COUNTS
}
_EXACT: dict[str, type] = {
    "legacy_entity_f1": float,
    "exact_precision": float,
    "exact_recall": float,
    "exact_f1": float,
}
SECTION_KINDS: Mapping[tuple[str, str], str] = {
    (section, kind): f"kind_{section}_{kind}" for section in SECTIONS[:-1] for kind in KINDS if kind != "invalid_json"
}
"""The column that counts a kind in a section; what none of them counts is of the last section."""
COLUMNS: Mapping[str, type] = (
    _VERDICT
    | _SECTION_COLUMNS
    | {f"kind_{kind}": int for kind in KINDS}
    | dict.fromkeys(SECTION_KINDS.values(), int)
    | _EXACT
)
"""Name and type of every column of a score row; all but ``scorable`` are null where the pair is unscorable."""

UNSCORABLE: ScoreRow = (False, *(None for _ in range(len(COLUMNS) - 1)))
_CHUNK = 200


def score_many(
    golds: Sequence[Extraction | None],
    predictions: Sequence[Extraction | None],
    config: ScoringConfig | None = None,
    *,
    known_emails: Sequence[Collection[str] | None] | None = None,
    processes: int = 1,
) -> pl.DataFrame:
    """Score pairs; a malformed gold gives a row that is not ``scorable``, never a score of 0.

    Args:
        golds: the references.
        predictions: as many predictions; None scores as all missing.
        config: as for :func:`scorers.score_extraction`.
        known_emails: for each pair the event's own addresses; None where unknown.
        processes: how many to use; the result does not depend on it.

    Returns:
        One row a pair, in order, with the columns of :data:`COLUMNS`.

    Raises:
        ValueError: the sequences differ in length.
    """
    import polars as pl

    emails = known_emails if known_emails is not None else [None] * len(golds)
    pairings = zip(golds, predictions, emails, strict=True)
    score = partial(score_rows, config=config or DEFAULT)
    frames = [score_frame(rows) for rows in map_chunks(score, pairings, chunk_size=_CHUNK, processes=processes)]
    return pl.concat(frames) if frames else score_frame([])


def score_rows(pairings: Iterable[Pairing], config: ScoringConfig) -> list[ScoreRow]:
    """Score pairs into rows of plain numbers, in the order of :data:`COLUMNS`."""
    return [score_row(gold, predicted, known, config) for gold, predicted, known in pairings]


def score_frame(rows: Sequence[ScoreRow]) -> pl.DataFrame:
    """Score rows as a frame with the narrowest types that hold them."""
    import polars as pl

    types: dict[type, type[pl.DataType]] = {bool: pl.Boolean, int: pl.Int32, float: pl.Float64}
    return pl.DataFrame(rows, schema={name: types[kind] for name, kind in COLUMNS.items()}, orient="row")


def score_row(
    gold: Extraction | None,
    predicted: Extraction | None,
    known: Collection[str] | None,
    config: ScoringConfig,
) -> ScoreRow:
    """Score one pair into one row."""
    if gold is None:
        return UNSCORABLE
    try:
        score = score_extraction(gold, predicted, config, known_emails=known)
    except MalformedExtraction:
        return UNSCORABLE
    return flatten(score, gold, predicted if score.valid else None, config)


def flatten(score: ExtractionScore, gold: Extraction, predicted: Extraction | None, config: ScoringConfig) -> ScoreRow:
    """A score as one row, the two exact rules beside it."""
    kinds, split = dict.fromkeys(KINDS, 0), dict.fromkeys(SECTION_KINDS, 0)
    for difference in score.differences:
        kinds[difference.kind] += 1
        if (where := (difference.section, difference.kind)) in split:
            split[where] += 1
    counts = [
        value
        for section in (score.entities, score.facts, score.relationships)
        for value in (section.tp, section.fp, section.fn, section.strict, section.soft, section.raw_tp)
    ]
    exact = official_exact(gold, predicted) if config.official_exact else (None, None, None)
    verdict = (True, score.valid, score.both_empty, score.agreement, score.agrees)
    return (*verdict, *counts, *kinds.values(), *split.values(), legacy_entity_f1(gold, predicted), *exact)
