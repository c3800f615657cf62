"""The score of one event: read both sides, align entities, carry that into facts and relationships, count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from scorers.alignment import Key, Pair, align
from scorers.carry import NO_CARRY, carry_of
from scorers.compare import judge_entities, judge_facts, judge_relationships, statement_veto
from scorers.config import DEFAULT, ScoringConfig
from scorers.differences import Difference, differences_of
from scorers.items import Entity, Fact, Items, MalformedExtraction, Relationship, read_items
from scorers.strings.text import reading_once

_TOLERANCE = 1e-9
_MOST_OF_A_REJECTED_FACT = 0.5


@dataclass(frozen=True, slots=True)
class SectionScore:
    """Counts of one section, of one event or added up over many; ratios are None where undefined.

    Attributes:
        tp: accepted pairs.
        fp: predicted items without an accepted partner.
        fn: gold items without an accepted partner.
        strict: pairs equal after normalisation, at most ``soft``.
        soft: sum of the similarities of accepted pairs, at most ``tp``.
        raw_tp: accepted pairs that would be accepted without carrying the entity alignment, at most ``tp``.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    strict: int = 0
    soft: float = 0.0
    raw_tp: int = 0

    def __add__(self, other: SectionScore) -> SectionScore:
        return SectionScore(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn,
            self.strict + other.strict, self.soft + other.soft, self.raw_tp + other.raw_tp,
        )  # fmt: skip

    @property
    def precision(self) -> float | None:
        """Share of predicted items that are right, in [0, 1]; None where nothing was predicted."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Share of gold items that were found, in [0, 1]; None where gold has none."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """2 tp / (2 tp + fp + fn), in [0, 1]; None where both sides are empty."""
        return self._f1(self.tp)

    @property
    def strict_f1(self) -> float | None:
        """F1 of the pairs that are equal after normalisation."""
        return self._f1(self.strict)

    @property
    def soft_f1(self) -> float | None:
        """F1 in which an accepted pair counts as much as its members are alike."""
        return self._f1(self.soft)

    @property
    def raw_f1(self) -> float | None:
        """F1 without carrying the entity alignment into ends."""
        return self._f1(self.raw_tp)

    def _f1(self, hits: float) -> float | None:
        return _ratio(2 * hits, 2 * self.tp + self.fp + self.fn)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class ExtractionScore:
    """How far one predicted extraction agrees with the gold one.

    Attributes:
        entities: counts of that section; likewise ``facts`` and ``relationships``.
        agreement: in [0, 1]; the weighted mean of the sections' soft F1, 1 where both sides are empty.
        agrees: the verdict: agreement reaches its threshold and no difference is critical.
        differences: everything that is not strictly equal, unaccepted ones first where they belong.
        valid: False where no extraction could be read from the prediction; then every gold item is missing.
        both_empty: the prediction could be read and neither side has an item, so that every ratio is undefined.
        pairs: the alignment of each section, one record a pair or single item.
    """

    entities: SectionScore
    facts: SectionScore
    relationships: SectionScore
    agreement: float
    agrees: bool
    differences: tuple[Difference, ...]
    valid: bool
    both_empty: bool
    pairs: tuple[list[Pair], list[Pair], list[Pair]]


def score_extraction(
    gold: Mapping[str, object],
    predicted: Mapping[str, object] | None,
    config: ScoringConfig | None = None,
    *,
    known_emails: Collection[str] | None = None,
) -> ExtractionScore:
    """Compare a predicted extraction with the gold one.

    Args:
        gold: the reference, in the shape of the contract.
        predicted: the extraction under test; None, or one that breaks the schema, is scored as every gold item
            missing, agreement 0, ``agrees`` False, even where gold is empty.
        config: thresholds, weights, lists; the defaults where None.
        known_emails: the event's own addresses, lower case; a predicted one found neither there nor in
            ``gold`` is a ``hallucinated_email``. None where the event is unknown: then none can be called so.

    Raises:
        MalformedExtraction: ``gold`` breaks the schema: the pair is unscorable, which is not a score of 0.
    """
    with reading_once():
        return _score(gold, predicted, config or DEFAULT, known_emails)


def _score(
    gold: Mapping[str, object],
    predicted: Mapping[str, object] | None,
    config: ScoringConfig,
    known_emails: Collection[str] | None,
) -> ExtractionScore:
    if not isinstance(gold, Mapping):
        raise MalformedExtraction(f"the gold extraction is {type(gold).__name__}, not an object")
    reference = read_items(gold, config)
    tested = _read_prediction(predicted, config, (gold, reference))
    known = None if known_emails is None else {*known_emails, *_emails(reference)}
    items = tested if tested is not None else Items([], [], [])
    pairs = _align(reference, items, config)
    originals = gold, predicted if tested is not None else None
    differences = differences_of((reference, items), pairs, originals, known, config)
    sections = [_count(*side) for side in zip(pairs, reference.sizes, items.sizes, strict=True)]
    agreement = _agreement(sections, config) if tested is not None else 0.0
    agrees = (
        tested is not None
        and agreement >= config.agreement_threshold - _TOLERANCE
        and not any(difference.critical for difference in differences)
    )
    empty = tested is not None and not any((*reference, *items))
    return ExtractionScore(
        sections[0], sections[1], sections[2], agreement, agrees, differences, tested is not None, empty, pairs
    )


def _read_prediction(
    predicted: Mapping[str, object] | None, config: ScoringConfig, gold: tuple[Mapping[str, object], Items]
) -> Items | None:
    if not isinstance(predicted, Mapping):
        return None
    try:
        return read_items(predicted, config, gold)
    except MalformedExtraction:
        return None


def _emails(items: Items) -> Iterable[str]:
    return (email for section in items for item in section for email in item.emails)


def _align(gold: Items, predicted: Items, config: ScoringConfig) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Align the entities first, then facts and relationships in the light of that."""
    shared = _identifying_emails(gold.entities) & _identifying_emails(predicted.entities)
    entities = align(
        gold.entities,
        predicted.entities,
        lambda ours, theirs: judge_entities(ours, theirs, config, shared),
        keys=([item.key for item in gold.entities], [item.key for item in predicted.entities]),
        contradict=_have_other_emails,
        max_pairs=config.max_fuzzy_pairs,
    )
    carry = carry_of(gold.entities, predicted.entities, entities)
    unsafe = carry.unsafe(*gold[1:], *predicted[1:])
    facts = align(
        gold.facts,
        predicted.facts,
        lambda ours, theirs: judge_facts(ours, theirs, config, carry),
        keys=(
            _keys(gold.facts, carry.gold, unsafe, "gold"),
            _keys(predicted.facts, carry.predicted, unsafe, "predicted"),
        ),
        contradict=statement_veto,
        max_pairs=config.max_fuzzy_pairs,
    )
    relationships = align(
        gold.relationships,
        predicted.relationships,
        lambda ours, theirs: judge_relationships(ours, theirs, config, carry),
        keys=(
            _keys(gold.relationships, carry.gold, unsafe, "gold"),
            _keys(predicted.relationships, carry.predicted, unsafe, "predicted"),
        ),
        max_pairs=config.max_fuzzy_pairs,
    )
    return entities, facts, relationships


def _keys(
    items: Sequence[Fact | Relationship], carried: Mapping[str, int], unsafe: Collection[str], side: str
) -> list[Key]:
    """The items' keys, an end that resolves to an aligned entity written as the number of its pair.

    An item with an unsafe end gets a key that it shares with nobody.
    """
    if not carried:
        return [item.key for item in items]
    keys = [_resolved(item, carried) for item in items]
    for place, item in enumerate(items) if unsafe else ():
        if item.key[0] in unsafe or item.key[2] in unsafe:
            keys[place] = (side, place)
    return keys


def _resolved(item: Fact | Relationship, carried: Mapping[str, int]) -> Key:
    first, label, last, *others = item.key
    ends: tuple[object, object] = (carried.get(first, first), carried.get(last, last))
    if isinstance(item, Relationship) and item.symmetric:
        ends = min(ends, ends[::-1], key=str)
    return (ends[0], label, ends[1], *others)


def _identifying_emails(entities: list[Entity]) -> frozenset[str]:
    """E-mails that belong to one entity only; ``info@`` is shared by many and identifies nobody."""
    once: set[str] = set()
    often: set[str] = set()
    for entity in entities:
        for email in entity.emails:
            (often if email in once else once).add(email)
    return frozenset(once - often)


def _have_other_emails(gold: Entity, predicted: Entity) -> bool:
    return bool(gold.emails and predicted.emails) and set(gold.emails).isdisjoint(predicted.emails)


def _count(pairs: list[Pair], gold_items: int, predicted_items: int) -> SectionScore:
    credit: list[float] = []
    strict = plain = 0
    for pair in pairs:
        if pair.accepted:
            credit.append(pair.similarity)
            strict += pair.strict
            plain += pair.plain
    tp = len(credit)
    # fsum: the order of items must not show in the last digit.
    return SectionScore(tp, predicted_items - tp, gold_items - tp, strict, fsum(credit), plain)


def _agreement(sections: list[SectionScore], config: ScoringConfig) -> float:
    """The weighted mean of soft F1 over the sections where a side has items; 1 where none has."""
    parts = [(weight, section.soft_f1) for weight, section in zip(config.weights, sections, strict=True)]
    present = [(weight, soft_f1) for weight, soft_f1 in parts if soft_f1 is not None and weight]
    whole = sum(weight for weight, _ in present)
    return sum(weight * soft_f1 for weight, soft_f1 in present) / whole if whole else 1.0


def fact_similarity(gold: Mapping[str, object] | str, predicted: Mapping[str, object] | str) -> float:
    """How alike two facts are, in [0, 1], by themselves: without entities to align, with the default configuration.

    Subject, predicate and object are compared apart and averaged; statements where one fact has none of them. Facts
    that would not be accepted as one are at most half alike; a guard's veto, or more than one component apart, gives 0.

    Raises:
        MalformedExtraction: one of them is neither an object nor a string.
    """
    sides = [read_items({"facts": [fact]}, DEFAULT).facts[0] for fact in (gold, predicted)]
    seen = judge_facts(sides[0], sides[1], DEFAULT, NO_CARRY)
    if seen.accepted:
        return seen.similarity
    return 0.0 if seen.vetoed else min(seen.similarity, _MOST_OF_A_REJECTED_FACT)
