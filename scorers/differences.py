"""What differs, item by item: the error taxonomy, which differences are critical, and a sentence why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scorers.alignment import Pair
from scorers.config import SECTIONS, ScoringConfig
from scorers.items import Fact, Items, section

_SENTENCES = {
    "missing": "nothing in the prediction corresponds to it",
    "spurious": "nothing in the reference corresponds to it",
    "duplicate": "an equal item stands on the same side already",
    "wrong_type": "the same name, but another type",
    "wrong_email": "the same thing, but another e-mail address",
    "hallucinated_email": "an e-mail address that occurs neither in the event nor in the reference",
    "number_mismatch": "alike but for a number, amount, unit or version",
    "date_mismatch": "alike but for a date or time",
    "negation_mismatch": "alike, but one of them is negated",
    "wrong_direction": "the two ends are swapped",
    "wrong_predicate": "the same ends, but another predicate",
    "wrong_object": "the same but for its object",
    "wrong_subject": "the same but for its subject",
    "wrong_category": "the same fact in another category",
    "name_variant": "accepted as another way to say the same",
    "invalid_json": "no extraction could be read from the answer",
}


class Difference(NamedTuple):
    """One way in which the two sides differ.

    Attributes:
        section: ``entities``, ``facts`` or ``relationships``; empty for ``invalid_json``, which concerns all.
        kind: one of :data:`KINDS`.
        gold: the reference's item as it was given; None where it has no part in this.
        predicted: the item under test as it was given; None likewise.
        similarity: in [0, 1]; of the pair; None where there is no pair.
        threshold: what the similarity is held against; None where there is no pair.
        accepted: the pair counts as found nevertheless.
        critical: forbids the verdict ``agrees``.
        gold_index: position of the item in its section; None likewise.
        predicted_index: likewise.
    """

    section: str
    kind: str
    gold: object
    predicted: object
    similarity: float | None
    threshold: float | None
    accepted: bool
    critical: bool
    gold_index: int | None
    predicted_index: int | None

    @property
    def reason(self) -> str:
        """A sentence why, built when asked for."""
        why = _SENTENCES[self.kind]
        if self.similarity is None or self.threshold is None:
            return why
        verdict = "accepted" if self.accepted else "rejected"
        return f"{why} ({verdict}: similarity {self.similarity:.3g}, threshold {self.threshold:.3g})"


def differences_of(
    sides: tuple[Items, Items],
    pairs: tuple[list[Pair], list[Pair], list[Pair]],
    originals: tuple[Mapping[str, object], Mapping[str, object] | None],
    known_emails: frozenset[str] | set[str] | None,
    config: ScoringConfig,
) -> tuple[Difference, ...]:
    """Every difference between two sides, read off the records of their pairs.

    Args:
        sides: gold and predicted items.
        pairs: the alignment of each section.
        originals: the two extractions as given; the second None where no extraction could be read.
        known_emails: every address that is grounded; None where that is unknown.
        config: which kinds and categories are critical.
    """
    found: list[Difference] = []
    if originals[1] is None:
        found.append(Difference("", "invalid_json", None, None, None, None, False, True, None, None))
    for place, name in enumerate(SECTIONS):
        gold_items, predicted_items = sides[0][place], sides[1][place]
        for pair in pairs[place]:
            predicted = None if pair.predicted is None else predicted_items[pair.predicted]
            kind = pair.kind
            if known_emails is not None and predicted is not None and not known_emails.issuperset(predicted.emails):
                kind = "hallucinated_email"
            if kind is None:
                continue
            gold = None if pair.gold is None else gold_items[pair.gold]
            critical = _is_critical(name, kind, pair, gold, predicted, config)
            found.append(_difference(name, kind, pair, critical, originals, config))
    return tuple(found)


def _difference(
    name: str,
    kind: str,
    pair: Pair,
    critical: bool,
    originals: tuple[Mapping[str, object], Mapping[str, object] | None],
    config: ScoringConfig,
) -> Difference:
    both = pair.gold is not None and pair.predicted is not None
    return Difference(
        name,
        kind,
        None if pair.gold is None else section(originals[0], name)[pair.gold],
        None if pair.predicted is None else section(originals[1] or {}, name)[pair.predicted],
        pair.similarity if both else None,
        _threshold(name, config) if both else None,
        pair.accepted,
        critical,
        pair.gold,
        pair.predicted,
    )


def _threshold(name: str, config: ScoringConfig) -> float:
    return config.entity_threshold if name == "entities" else config.end_threshold


def _is_critical(name: str, kind: str, pair: Pair, gold: object, predicted: object, config: ScoringConfig) -> bool:
    """Whether a difference alone forbids agreement: a critical kind, or a fact of high value that found no partner."""
    if kind in config.critical or f"{name}.{kind}" in config.critical:
        return True
    if name != "facts":
        return False
    valued = [item.category in config.high_value_categories for item in (gold, predicted) if isinstance(item, Fact)]
    return any(valued) and (not pair.accepted or (kind == "wrong_category" and not all(valued)))
