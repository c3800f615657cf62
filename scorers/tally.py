"""Counts by a property of the items: entity type, fact category, predicate, relationship type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from scorers.config import ScoringConfig
from scorers.items import Items, read_items
from scorers.score import ExtractionScore


class ItemColumn(NamedTuple):
    """A property of the items of one section: its place among the sections, and how to read it."""

    section: int
    read: Callable[[Items, int], str]


ITEM_COLUMNS: Mapping[str, ItemColumn] = MappingProxyType(
    {
        "entity_type": ItemColumn(0, lambda items, position: items.entities[position].key[1]),
        "fact_category": ItemColumn(1, lambda items, position: items.facts[position].category),
        "predicate": ItemColumn(1, lambda items, position: items.facts[position].key[1]),
        "relationship_type": ItemColumn(2, lambda items, position: items.relationships[position].key[1]),
    }
)


def tally(
    score: ExtractionScore,
    gold: Mapping[str, object],
    predicted: Mapping[str, object] | None,
    column: str,
    config: ScoringConfig,
) -> dict[str, tuple[int, int, int]]:
    """Count true and false positives and false negatives by value of an item column.

    An accepted pair whose members differ in the value is a false positive of the one and a false negative of the
    other, so that a table by type shows what was taken for what.

    Returns:
        value (normalised, empty where absent) -> (tp, fp, fn).
    """
    section, read = ITEM_COLUMNS[column]
    ours = read_items(gold, config)
    theirs = read_items(predicted, config) if predicted is not None and score.valid else Items([], [], [])
    counts: dict[str, list[int]] = {}
    for pair in score.pairs[section]:
        wanted = None if pair.gold is None else read(ours, pair.gold)
        answered = None if pair.predicted is None else read(theirs, pair.predicted)
        if pair.accepted and wanted is not None and wanted == answered:
            counts.setdefault(wanted, [0, 0, 0])[0] += 1
            continue
        if answered is not None:
            counts.setdefault(answered, [0, 0, 0])[1] += 1
        if wanted is not None:
            counts.setdefault(wanted, [0, 0, 0])[2] += 1
    return {value: (tp, fp, fn) for value, (tp, fp, fn) in counts.items()}
