"""Two exact rules of others, kept so that old and published figures can be read on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from scorers.items import plain_text, section


class ExactScore(NamedTuple):
    """Precision, recall and F1 of one sentence, each in [0, 1]; 0 where the rule calls for it, never undefined."""

    precision: float
    recall: float
    f1: float


_NOTHING = ExactScore(0.0, 0.0, 0.0)
_Triple = tuple[str, str, str]


def official_exact(gold: Mapping[str, object], predicted: Mapping[str, object] | None) -> ExactScore:
    """The rule of the Text2KGBench evaluator over the facts (Mihindukulasooriya et al., 2023).

    A predicted triple whose predicate does not occur in gold (case counts, spaces read as ``_``) is dropped before
    precision. Then subject, predicate and object are stripped of white space and ``_``, lower-cased, concatenated and
    compared as sets. No triples left, or no answer: 0 for all three.
    """
    wanted = list(_triples(gold))
    predicates = {_underscored(predicate) for _, predicate, _ in wanted}
    answered = () if predicted is None else _triples(predicted)
    kept = {_joined(triple) for triple in answered if _underscored(triple[1]) in predicates}
    reference = {_joined(triple) for triple in wanted}
    if not kept or not reference:
        return _NOTHING
    hits = len(kept & reference)
    precision, recall = hits / len(kept), hits / len(reference)
    return ExactScore(precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0)


def _triples(extraction: Mapping[str, object]) -> Iterator[_Triple]:
    for fact in section(extraction, "facts"):
        if isinstance(fact, dict):
            yield (
                plain_text(fact.get("subject")),
                plain_text(fact.get("predicate")),
                plain_text(fact.get("object")),
            )


def _underscored(predicate: str) -> str:
    return predicate.replace(" ", "_")


def _joined(triple: _Triple) -> str:
    return "".join("".join(part.split()).replace("_", "").lower() for part in triple)


def legacy_entity_f1(gold: Mapping[str, object], predicted: Mapping[str, object] | None) -> float:
    """F1 in [0, 1] of the sets of lower-cased, stripped entity names: the proxy that the structured diff replaces.

    It sees entities only and punishes spelling. Both sides without entities count as 1, an unreadable answer as 0.
    """
    if predicted is None:
        return 0.0
    ours, theirs = _entity_names(gold), _entity_names(predicted)
    items = len(ours) + len(theirs)
    return 2 * len(ours & theirs) / items if items else 1.0


def _entity_names(extraction: Mapping[str, object]) -> set[str]:
    names = [item.get("name") if isinstance(item, dict) else item for item in section(extraction, "entities")]
    return {(name if name.__class__ is str else plain_text(name)).strip().lower() for name in names}
