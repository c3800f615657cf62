"""One recorded pair, item by item: what was matched with what, what was not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

from cascade_cli.records import BadRow, Row
from cascade_cli.scoring.judging import Reading, answered, read_pair
from scorers import Difference, ExtractionScore, MalformedExtraction, ScoringConfig
from scorers.alignment import Pair
from scorers.config import SECTIONS
from scorers.items import section as items_of
from scorers.score import score_extraction

Explanation = dict[str, Any]
"""A pair in the shape of the JSON of ``cascade score --explain``."""


def explain_rows(
    rows: Iterable[Row | BadRow], config: ScoringConfig, event_ids: frozenset[str] | None = None
) -> Iterator[Explanation]:
    """Explain the recorded pairs of some events, or of all where None are named."""
    for row in rows:
        if isinstance(row, BadRow) or row.answer is None:
            continue
        if event_ids is None or row.trace.event_id in event_ids:
            yield explain(row, config)


def explain(row: Row, config: ScoringConfig) -> Explanation:
    """One recorded pair as JSON values; ``sections`` is empty where the pair is unscorable."""
    trace, answer = row.trace, answered(row)
    reading = read_pair(trace, answer)
    head: Explanation = {
        "event_id": trace.event_id,
        "trace_id": trace.trace_id,
        "system_prompt_hash": trace.system_prompt_hash,
        "student_model": answer.student_model,
        "sample_index": answer.sample_index,
        "missing_output": reading.missing_output,
        "invalid_json": reading.invalid_json,
    }
    score = _score(reading, config)
    if score is None or reading.gold is None:
        return {**head, "scorable": False, "agreement": None, "agrees": None, "sections": {}, "differences": []}
    return {
        **head,
        "scorable": True,
        "agreement": score.agreement,
        "agrees": score.agrees,
        "sections": _sections(score, reading),
        "differences": [_difference(difference) for difference in score.differences],
    }


def _score(reading: Reading, config: ScoringConfig) -> ExtractionScore | None:
    if reading.gold is None:
        return None
    try:
        return score_extraction(reading.gold, reading.predicted, config, known_emails=reading.known_emails)
    except MalformedExtraction:
        return None


def _sections(score: ExtractionScore, reading: Reading) -> dict[str, object]:
    told = {(each.section, each.gold_index, each.predicted_index): each for each in score.differences}
    return {
        name: [
            _aligned(name, pair, reading, told.get((name, pair.gold, pair.predicted)))
            for pair in sorted(score.pairs[place], key=_as_read)
        ]
        for place, name in enumerate(SECTIONS)
    }


def _as_read(pair: Pair) -> tuple[bool, int]:
    """Gold's order first, then what only the prediction has."""
    return pair.gold is None, pair.gold if pair.gold is not None else pair.predicted or 0


def _aligned(name: str, pair: Pair, reading: Reading, difference: Difference | None) -> dict[str, object]:
    return {
        "gold": None if pair.gold is None else _finite(items_of(reading.gold or {}, name)[pair.gold]),
        "predicted": None
        if pair.predicted is None
        else _finite(items_of(reading.predicted or {}, name)[pair.predicted]),
        "accepted": pair.accepted,
        "strict": pair.strict,
        "similarity": pair.similarity if pair.gold is not None and pair.predicted is not None else None,
        "kind": difference.kind if difference else None,
        "critical": difference.critical if difference else False,
        "reason": difference.reason if difference else None,
    }


def _difference(difference: Difference) -> dict[str, object]:
    return {
        "section": difference.section,
        "kind": difference.kind,
        "gold": _finite(difference.gold),
        "predicted": _finite(difference.predicted),
        "similarity": difference.similarity,
        "threshold": difference.threshold,
        "accepted": difference.accepted,
        "critical": difference.critical,
        "reason": difference.reason,
    }


def _finite(value: object) -> object:
    """A value as JSON can hold it: a model may write 1e999, which is infinite to a reader and a text to us."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value
