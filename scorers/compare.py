"""One gold item against one predicted item: similarity, vetoes, and the kind of their difference."""

from __future__ import annotations

from typing import NamedTuple

from rapidfuzz.distance import Indel

from scorers.alignment import UNRELATED, Judgement
from scorers.carry import Carry
from scorers.config import ScoringConfig
from scorers.items import Entity, Fact, Relationship
from scorers.strings.emails import without_emails
from scorers.strings.guards import NEGATIONS, NO_MARKS, marks_may_differ, read_marks, split_seams, unmarked, veto
from scorers.strings.names import EQUAL, Match, NameForm, compare_names, prepare_name
from scorers.strings.text import CACHE_ENTRIES, cached_if_short, fold, skeleton, words_of

MAX_COMPARED_CHARS = 1_000
"""Longer texts are compared by their beginning, since the comparison is quadratic."""
_LONG_CHARS = 300
_NAME_WORDS = 8
"""An end of more words than this is a statement, not a name."""

_MISMATCH = {
    "number": "number_mismatch",
    "date": "date_mismatch",
    "negation": "negation_mismatch",
    "email": "wrong_email",
}


_ABSENT = Match(0.0, 0.0, None)
_NO_EMAILS: frozenset[str] = frozenset()
_SAME_EMAIL = Match(0.99, 0.99, None)
"""Identity by e-mail stands just below identity by name, so that one wrong address does not marry two people."""


def judge_entities(gold: Entity, predicted: Entity, config: ScoringConfig, shared: frozenset[str]) -> Judgement:
    """Compare two entities.

    Args:
        gold: the reference's entity.
        predicted: the entity under test.
        config: thresholds.
        shared: e-mails that belong to exactly one entity on each side, and so identify it.
    """
    same_type = gold.key[1] == predicted.key[1]
    equal = gold.key[0] == predicted.key[0]
    addressed = bool(gold.emails and predicted.emails)
    common = {*gold.emails}.intersection(predicted.emails) if addressed else _NO_EMAILS
    conflict = addressed and not common
    match = EQUAL if equal else _ABSENT
    if not equal and config.fuzzy:
        match = _best_name(gold, predicted)
        if conflict and match.veto is None:
            match = Match(0.0, match.raw, "email")
        if common and same_type and common & shared:
            match = max(match, _SAME_EMAIL)
    near = match.raw >= config.entity_threshold
    if match.veto is not None or match.similarity < config.entity_threshold:
        kind = _MISMATCH.get(match.veto or "") if near else None
        return Judgement(match.raw, False, False, False, kind, vetoed=True) if kind else UNRELATED
    strict = equal and same_type and not conflict
    kind = "wrong_email" if conflict else "wrong_type" if not same_type else None if strict else "name_variant"
    soft = match.similarity * (1.0 if same_type else config.wrong_type_factor)
    return Judgement(soft, accepted=True, strict=strict, plain=True, kind=kind)


def _best_name(gold: Entity, predicted: Entity) -> Match:
    """The best over name × aliases; a vetoed pair only where nothing else comes near."""
    seen = [compare_names(ours, theirs) for ours in _spoken_names(gold) for theirs in _spoken_names(predicted)]
    return (
        seen[0] if len(seen) == 1 else max(seen, key=lambda match: (match.similarity * (match.veto is None), match.raw))
    )


def _spoken_names(entity: Entity) -> list[NameForm]:
    """Name and aliases without addresses, which identify only where they belong to one entity on each side."""
    names = entity.names
    if entity.emails:
        names = (without_emails(entity.name), *(alias for alias in names[1:] if "@" not in alias))
    return [prepare_name(name, entity.key[1]) for name in names]


class _Part(NamedTuple):
    """A component of a fact or relationship.

    Attributes:
        similarity: after carrying and the guards.
        accepted: reaches its threshold without a veto.
        plain: would be accepted without carrying.
        equal: equal after normalisation or carrying.
        veto: the guard without which it would be accepted; None where no guard stands between.
    """

    similarity: float
    accepted: bool
    plain: bool
    equal: bool
    veto: str | None = None


_SAME = _Part(1.0, accepted=True, plain=True, equal=True)
_APART = _Part(0.0, accepted=False, plain=False, equal=False)


def _end(ours: str, theirs: str, carry: Carry, config: ScoringConfig) -> _Part | None:
    """Compare two folded ends by their surfaces, then by what they resolve to; None where both are absent."""
    if ours == theirs:
        return _SAME if ours else None
    known = config.fuzzy and ours and theirs
    plain = _part(surface_similarity(ours, theirs), config.end_threshold) if known else _APART
    if carry.joins(ours, theirs):
        return _SAME._replace(plain=plain.accepted)
    if carry.gold and not plain.accepted and config.fuzzy and len(set(carry.mentions(ours, theirs))) == 1:
        return _SAME._replace(plain=False, equal=False)
    return plain


def _label(ours: str, theirs: str, config: ScoringConfig) -> _Part | None:
    """Compare two predicates or types in label form; None where both are absent."""
    if ours == theirs:
        return _SAME if ours else None
    if not (config.fuzzy and ours and theirs):
        return _APART
    return _part(phrase_similarity(ours, theirs), config.predicate_threshold)


def _part(match: Match, threshold: float) -> _Part:
    accepted = match.veto is None and match.similarity >= threshold
    return _Part(match.similarity, accepted, accepted, equal=False, veto=match.veto if match.raw >= threshold else None)


class _End(NamedTuple):
    """An end as it stands.

    Attributes:
        name: as a name is compared; None where it has too many words for a name.
        glued: whether something but a space parts its words, as between Japanese and a number.
    """

    name: NameForm | None
    glued: bool


@cached_if_short(16_384)
def _read_end(folded: str) -> _End:
    if folded.count(" ") >= _NAME_WORDS:
        return _End(None, glued=False)
    spaced = split_seams(folded)
    return _End(prepare_name(spaced), glued=spaced != folded)


@cached_if_short(CACHE_ENTRIES)
def surface_similarity(ours: str, theirs: str) -> Match:
    """Two folded ends as they stand: guarded names where both are short, phrases otherwise."""
    (one, one_glued), (other, other_glued) = _read_end(ours), _read_end(theirs)
    if one is None or other is None:
        return phrase_similarity(ours, theirs)
    match = compare_names(one, other)
    if match.veto is None and (one_glued or other_glued):
        # Chinese and Japanese glue an amount to the words around it: a phrase rather than a name.
        phrase = _ratio(unmarked(ours), unmarked(theirs))
        return match._replace(similarity=max(match.similarity, phrase), raw=max(match.raw, phrase))
    if match.veto in _BY_MARKS:
        return match._replace(raw=max(match.raw, _but_for_marks(ours, theirs)))
    return match


@cached_if_short(CACHE_ENTRIES)
def phrase_similarity(ours: str, theirs: str) -> Match:
    """Two phrases or statements in their own word order: the better of the character and the word ratio, guarded.

    Word order counts, for a sorted comparison would call ``Anna manages Bob`` and ``Bob manages Anna`` equal.
    Auxiliaries do not, so that ``cancelled`` and ``did not cancel`` differ by the negation alone.
    """
    raw = _ratio(_beginning(ours), _beginning(theirs))
    content = _content(ours), _content(theirs)
    if content != (_beginning(ours), _beginning(theirs)):
        raw = max(raw, _ratio(*content))
    fired = veto(read_marks(ours), read_marks(theirs), one_sided=False)
    if fired in _BY_MARKS:
        raw = max(raw, _but_for_marks(ours, theirs))
    elif read_marks(ours) is not NO_MARKS and read_marks(theirs) is not NO_MARKS:
        # The same date or amount, otherwise written.
        raw = max(raw, _ratio(unmarked(ours), unmarked(theirs)))
    return Match(0.0 if fired else raw, raw, fired)


_BY_MARKS = frozenset({"number", "date", "negation"})
_AUXILIARIES = frozenset(words_of("do does did will would shall should is are was were be been has have had to"))


@cached_if_short(4_096)
def _beginning(text: str) -> str:
    return skeleton(text[: 2 * MAX_COMPARED_CHARS])[:MAX_COMPARED_CHARS]


@cached_if_short(4_096)
def _content(text: str) -> str:
    """The words that are left without negations and auxiliaries; an auxiliary that stands alone is what is said."""
    words = [word for word in _beginning(text).replace("cannot", "can not").split() if word not in NEGATIONS]
    return " ".join([word for word in words if word not in _AUXILIARIES] or words)


def _but_for_marks(ours: str, theirs: str) -> float:
    """How alike two texts are but for the numbers, dates and negations in them; 1 where they hold nothing else."""
    one, other = _content(unmarked(ours)), _content(unmarked(theirs))
    return 1.0 if one == other else _ratio(one, other)


def _ratio(one: str, other: str) -> float:
    """The better of the ratios by characters and by words, in [0, 1]; of long texts the one by words."""
    if not one or not other:
        return 0.0  # nothing but punctuation is left, which was seen to differ
    by_words = Indel.normalized_similarity(one.split(), other.split())
    if max(len(one), len(other)) > _LONG_CHARS:
        return by_words
    return max(by_words, Indel.normalized_similarity(one, other))


def judge_facts(gold: Fact, predicted: Fact, config: ScoringConfig, carry: Carry) -> Judgement:
    """Compare two facts: subject, predicate and object apart, or statements where one side has none of the three."""
    if _comparable(gold, predicted):
        seen = _judge_ends(gold.triple, predicted.triple, config, carry)
        if seen.accepted and (fired := statement_veto(gold, predicted)):
            seen = _rejected(seen.similarity, _MISMATCH[fired], vetoed=True)
    else:
        seen = _judge_statements(gold, predicted, config)
    if seen.accepted and gold.category != predicted.category:
        return seen._replace(strict=False, kind="wrong_category")
    return seen


def _comparable(gold: Fact, predicted: Fact) -> bool:
    """Whether components can be compared: both have some, and the same ones unless no sentences are at hand."""
    if not (gold.is_triple and predicted.is_triple):
        return False
    same = [bool(part) for part in gold.triple] == [bool(part) for part in predicted.triple]
    return same or not (gold.statement and predicted.statement)


def statement_veto(gold: Fact, predicted: Fact) -> str | None:
    """The guard that fires between two statements; None where one is absent or both are the same."""
    if gold.statement == predicted.statement or not gold.statement or not predicted.statement:
        return None
    if not marks_may_differ(gold.statement, predicted.statement):
        return None
    return veto(read_marks(gold.statement), read_marks(predicted.statement), one_sided=False)


def judge_relationships(gold: Relationship, predicted: Relationship, config: ScoringConfig, carry: Carry) -> Judgement:
    """Compare two relationships; a symmetric type counts in its better orientation."""
    seen = _judge_ends(gold.triple, predicted.triple, config, carry)
    if gold.symmetric and predicted.symmetric and not seen.strict:
        turned = _judge_ends(gold.triple, predicted.triple[::-1], config, carry)
        seen = max(seen, turned, key=lambda way: (way.strict, way.accepted, way.vetoed, way.similarity))
    elif seen.kind is None and not seen.accepted and _ends_may_be_crossed(gold, predicted):
        turned = _judge_ends(gold.triple, predicted.triple[::-1], config, carry)
        seen = turned if turned.kind == "wrong_predicate" else seen
    return seen._replace(kind=_OTHER_END.get(seen.kind or "", seen.kind)) if gold.rewritten else seen


def _ends_may_be_crossed(gold: Relationship, predicted: Relationship) -> bool:
    """Whether the same ends may stand the other way round merely because of how the types are written."""
    return gold.rewritten != predicted.rewritten or gold.symmetric != predicted.symmetric


_Triple = tuple[str, ...]
_WRONG = ("wrong_subject", "wrong_predicate", "wrong_object")
_OTHER_END = {"wrong_subject": "wrong_object", "wrong_object": "wrong_subject"}
"""A kind is told in the terms in which gold was written, not in those it was rewritten to."""


def _judge_ends(gold: _Triple, predicted: _Triple, config: ScoringConfig, carry: Carry) -> Judgement:
    """Compare subject, label and object; a component absent on both sides is left out."""
    first, label = _end(gold[0], predicted[0], carry, config), _label(gold[1], predicted[1], config)
    if _fails(first) and _fails(label):
        return UNRELATED  # whatever the other ends are
    parts = (first, label, _end(gold[2], predicted[2], carry, config))
    present = [part for part in parts if part is not None]
    if not present:
        return Judgement(1.0, accepted=True, strict=True, plain=True, kind=None)
    similarity = sum(part.similarity for part in present) / len(present)
    if all(part.accepted for part in present):
        strict, plain = all(part.equal for part in present), all(part.plain for part in present)
        return Judgement(similarity, True, strict, plain, None if strict else "name_variant")
    kind, vetoed = _kind_of_rejection(parts, gold, predicted, config, carry)
    return _rejected(similarity, kind, vetoed=vetoed) if kind else UNRELATED


def _fails(part: _Part | None) -> bool:
    """Neither accepted nor rejected by a guard alone."""
    return part is not None and not part.accepted and part.veto is None


def _kind_of_rejection(
    parts: tuple[_Part | None, ...], gold: _Triple, predicted: _Triple, config: ScoringConfig, carry: Carry
) -> tuple[str | None, bool]:
    """Name the one thing that is wrong and whether only a guard rejects; None where too much differs."""
    rejected = {place: part for place, part in enumerate(parts) if part is not None and not part.accepted}
    failing, vetoes = list(rejected), [part.veto for part in rejected.values()]
    guarded = [_MISMATCH[fired] for fired in vetoes if fired in _MISMATCH]
    if guarded and None not in vetoes:
        return guarded[0], True
    if len(failing) == 1 and sum(part is not None for part in parts) > 1:
        return _WRONG[failing[0]], False
    if failing == [0, 2] and parts[1] is not None and _crosswise(gold, predicted, config, carry):
        return "wrong_direction", False
    return None, False


def _crosswise(gold: _Triple, predicted: _Triple, config: ScoringConfig, carry: Carry) -> bool:
    crossed = ((gold[0], predicted[2]), (gold[2], predicted[0]))
    return all((part := _end(*ends, carry, config)) is not None and part.accepted for ends in crossed)


def _judge_statements(gold: Fact, predicted: Fact, config: ScoringConfig) -> Judgement:
    """Compare what two facts say as sentences, since one of them has no components."""
    ours, theirs = _sentence(gold), _sentence(predicted)
    if fold(ours) == fold(theirs):
        strict = gold.key[:3] == predicted.key[:3]
        return Judgement(1.0, True, strict, plain=True, kind=None if strict else "name_variant")
    match = phrase_similarity(ours, theirs) if config.fuzzy and ours and theirs else _ABSENT
    part = _part(match, config.statement_threshold)
    if part.accepted:
        return Judgement(match.similarity, accepted=True, strict=False, plain=True, kind="name_variant")
    return _rejected(match.raw, _MISMATCH[part.veto], vetoed=True) if part.veto else UNRELATED


def _sentence(fact: Fact) -> str:
    return fact.statement or " ".join(filter(None, fact.triple))


def _rejected(similarity: float, kind: str, *, vetoed: bool) -> Judgement:
    return Judgement(similarity, accepted=False, strict=False, plain=False, kind=kind, vetoed=vetoed)
