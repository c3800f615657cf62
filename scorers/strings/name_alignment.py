"""One-to-one alignment of the words of two names, and the likeness that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from scorers.strings.given_names import different_given_names, same_given_name
from scorers.strings.spelling import same_consonants, sound_key, word_similarity

WORD_THRESHOLD = 0.7
"""Two words are spellings of one from this similarity on."""

INITIAL = 0.8
"""Similarity of an initial and a word that begins with it."""

TRANSLITERATED = 0.8
"""Least similarity of words from two scripts that agree in their consonants."""

NICKNAME = 0.95
"""Similarity of a given name and its nickname."""

CONFLICT = 0.69
"""Factor where each side has a word that the other lacks: never a match, however many other words agree."""

OTHER_ORDER = 0.9
"""Factor for equal words in another order: mostly one name, sometimes given and family name swapped."""

SMALL_WEIGHT = 0.2
"""Weight of a particle or stop word beside 1 for a word."""

OMITTED_NAME = 0.25
"""Weight of a word that only one side has, where leaving it out is usual: middle names, patronymics."""

OMITTED_WORD = 0.5
"""The same where the word tells one from another: ``Deutsche Bank Trust``, ``Deutsche Bank``."""

UNSURE = 0.65
"""The most a pair gets where a telling word is missing: ``Anna`` is not ``Anna Kovács`` with certainty."""

WORST_SHARE = 0.75
"""Share of the least alike words in the likeness of names that conflict; the other words count for the rest."""


@dataclass(frozen=True, slots=True)
class WordRules:
    """How the words of a kind of name are compared.

    Attributes:
        small: words that weigh little.
        personal: whether initials and nicknames stand for words, and different given names are told apart.
        omits_ends: whether one name may leave words out anywhere.
        omits_middle: whether it may between two aligned words.
        across_scripts: whether one of the names was read from another script, so that only consonants are sure.
    """

    small: frozenset[str]
    personal: bool
    omits_ends: bool
    omits_middle: bool
    across_scripts: bool = False


class Pair(NamedTuple):
    """Two words aligned: their places, their similarity and their common weight."""

    left: int
    right: int
    similarity: float
    weight: float


class Alignment(NamedTuple):
    """The words of two names, aligned.

    Attributes:
        pairs: the aligned words, in the order of the left name.
        left_alone: places of the left name's words without a partner.
        right_alone: the same on the right.
    """

    pairs: tuple[Pair, ...]
    left_alone: tuple[int, ...]
    right_alone: tuple[int, ...]


class Likeness(NamedTuple):
    """What an alignment says of two names.

    Attributes:
        score: in [0, 1].
        first_names_differ: whether two different given names were aligned.
    """

    score: float
    first_names_differ: bool


def align(left: tuple[str, ...], right: tuple[str, ...], rules: WordRules) -> Alignment:
    """Pair equal words first, then the most similar ones; small words only where they agree."""
    pairs, alone_left, alone_right = _equal_words(left, right, rules)
    candidates = sorted((-_similarity(left[i], right[j], rules), i, j) for i in alone_left for j in alone_right)
    for negative, i, j in candidates:
        if i not in alone_left or j not in alone_right:
            continue
        weight = min(_weight(left[i], rules), _weight(right[j], rules))
        if weight == 1 or -negative >= WORD_THRESHOLD:
            alone_left.remove(i)
            alone_right.remove(j)
            pairs.append(Pair(i, j, -negative, weight))
    pairs.sort(key=lambda pair: pair.left)
    return Alignment(tuple(pairs), tuple(alone_left), tuple(alone_right))


def judge(left: tuple[str, ...], right: tuple[str, ...], rules: WordRules) -> Likeness:
    """Align the words of two names and say how alike the names are."""
    alignment = align(left, right, rules)
    score = _score(left, right, alignment, rules)
    if any(after.right < before.right for before, after in pairwise(alignment.pairs)):
        score *= OTHER_ORDER
    return Likeness(score, rules.personal and _first_names_differ(left, right, alignment))


def _score(left: tuple[str, ...], right: tuple[str, ...], alignment: Alignment, rules: WordRules) -> float:
    pairs = alignment.pairs
    usual, telling = _omitted(left, right, alignment, rules)
    whole = sum(pair.weight for pair in pairs) + OMITTED_NAME * usual + OMITTED_WORD * telling
    score = sum(pair.similarity * pair.weight for pair in pairs) / whole
    worst = min((pair.similarity for pair in pairs), default=0.0)
    if worst < WORD_THRESHOLD:
        return CONFLICT * (WORST_SHARE * worst + (1 - WORST_SHARE) * score)
    if telling >= 1 or (rules.personal and not _is_sure(left, right, alignment)):
        return min(score, UNSURE)
    return score


def _equal_words(
    left: tuple[str, ...], right: tuple[str, ...], rules: WordRules
) -> tuple[list[Pair], list[int], list[int]]:
    alone_left, pairs = [], []
    alone_right = list(range(len(right)))
    for i, word in enumerate(left):
        j = next((j for j in alone_right if right[j] == word), None)
        if j is None:
            alone_left.append(i)
        else:
            alone_right.remove(j)
            pairs.append(Pair(i, j, 1.0, _weight(word, rules)))
    return pairs, alone_left, alone_right


def _weight(word: str, rules: WordRules) -> float:
    return SMALL_WEIGHT if word in rules.small else 1.0


def _similarity(a: str, b: str, rules: WordRules) -> float:
    if rules.personal:
        if len(a) == 1 or len(b) == 1:
            return INITIAL if a[0] == b[0] else 0.0
        if same_given_name(a, b):
            return NICKNAME
    likeness = word_similarity(a, b)
    if rules.across_scripts and likeness < TRANSLITERATED and same_consonants(a, b):
        return TRANSLITERATED
    return likeness


def _omitted(
    left: tuple[str, ...], right: tuple[str, ...], alignment: Alignment, rules: WordRules
) -> tuple[float, float]:
    """Return the weight of the words that one side leaves out: where that is usual, and where it tells."""
    usual = telling = 0.0
    lefts, rights = [pair.left for pair in alignment.pairs], [pair.right for pair in alignment.pairs]
    for words, alone, partners in ((left, alignment.left_alone, lefts), (right, alignment.right_alone, rights)):
        for place in alone:
            weight = _weight(words[place], rules)
            if _may_omit(place, partners, rules):
                usual += weight
            else:
                telling += weight
    return usual, telling


def _may_omit(place: int, partners: list[int], rules: WordRules) -> bool:
    if rules.omits_ends or not partners:
        return rules.omits_ends
    return rules.omits_middle and min(partners) < place < max(partners)


def _is_sure(left: tuple[str, ...], right: tuple[str, ...], alignment: Alignment) -> bool:
    """Whether given and family name agree: two words, or one and an initial, or one where there is no other."""
    written_out = sum(
        pair.weight == 1 and len(left[pair.left]) > 1 and len(right[pair.right]) > 1 for pair in alignment.pairs
    )
    initials = any(len(left[pair.left]) == 1 or len(right[pair.right]) == 1 for pair in alignment.pairs)
    complete = not alignment.left_alone and not alignment.right_alone
    return written_out > 1 or (written_out == 1 and (initials or complete))


def _first_names_differ(left: tuple[str, ...], right: tuple[str, ...], alignment: Alignment) -> bool:
    """Whether two aligned words that are not the family names are two different given names."""
    pairs = alignment.pairs
    for pair in pairs:
        at_end = pair.left == len(left) - 1 > 0 and pair.right == len(right) - 1 > 0
        a, b = left[pair.left], right[pair.right]
        if at_end or pair.similarity >= NICKNAME or (pair.similarity and min(len(a), len(b)) == 1):
            continue
        if different_given_names(a, b) or (pair.left == pair.right == 0 and _only_opening(pair, a, b, pairs)):
            return True
    return False


def _only_opening(pair: Pair, a: str, b: str, pairs: tuple[Pair, ...]) -> bool:
    """Whether the opening words are all that differs, and too much: slips seldom hit a word's first sound."""
    if len(pairs) == 1 or any(other.similarity < WORD_THRESHOLD for other in pairs if other is not pair):
        return False
    return pair.similarity < WORD_THRESHOLD or sound_key(a)[:1] != sound_key(b)[:1]
