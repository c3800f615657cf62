"""How alike two names are: words are aligned one to one, and guards veto what may not differ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import OSA, Indel

from scorers.given_names import is_given_name, same_given_name
from scorers.guards import veto
from scorers.name_forms import PARTICLES, STOP_WORDS, NameForm, prepare_name

__all__ = ["ENTITY_THRESHOLD", "NameForm", "NameMatch", "compare_names", "name_similarity", "prepare_name"]

ENTITY_THRESHOLD = 0.7
"""Two names are a match from this similarity on."""

VETO_CAP = 0.5
"""The most a vetoed pair is given; well below the threshold."""

WORD_THRESHOLD = 0.7
"""Two words are spellings of one from this similarity on."""

SMALL_WEIGHT = 0.2
"""Weight of a particle or stop word beside 1 for a word."""


@dataclass(frozen=True, slots=True)
class NameMatch:
    """What a comparison of two names found.

    Attributes:
        similarity: in [0, 1], after guards; a match from ``ENTITY_THRESHOLD`` on.
        veto: ``number``, ``date``, ``negation``, ``email`` or ``first_name``; None where no guard spoke.
        raw: the similarity before guards.
    """

    similarity: float
    veto: str | None
    raw: float


_SAME = NameMatch(1.0, None, 1.0)


def name_similarity(a: str, b: str, entity_type: str | None = None) -> float:
    """Return how alike two names are.

    Args:
        a: one name, any string.
        b: the other; the order makes no difference.
        entity_type: free text such as ``person`` or ``Company``; None lets the names themselves decide.

    Returns:
        A number in [0, 1]; 1.0 for the same name in other case, white space or Unicode form, and for two empty
        names; at least ``ENTITY_THRESHOLD`` for a match.
    """
    return compare_names(prepare_name(a, entity_type), prepare_name(b, entity_type)).similarity


def compare_names(a: NameForm, b: NameForm) -> NameMatch:
    """Compare two prepared names; symmetric."""
    if a is b or (a.folded == b.folded and a.marks.emails == b.marks.emails):
        return _SAME
    if a.marks.emails and b.marks.emails and a.marks.emails == b.marks.emails:
        return _SAME
    if b.folded < a.folded:
        a, b = b, a
    raw, first_name = _similarity(a, b)
    found = veto(a.marks, b.marks, one_sided=True) or ("first_name" if first_name else None)
    return NameMatch(min(raw, VETO_CAP) if found else raw, found, raw)


def _similarity(a: NameForm, b: NameForm) -> tuple[float, bool]:
    """Return the raw similarity and whether two different given names meet."""
    if not a.words or not b.words or (a.logographic and b.logographic):
        return _whole(a, b), False
    if a.joined == b.joined:
        return (1.0 if a.words == b.words else 0.97), False
    person = "organisation" not in (a.kind, b.kind) and "person" in (a.kind, b.kind)
    return _aligned(a.words, b.words, person)


def _whole(a: NameForm, b: NameForm) -> float:
    return 0.6 * Indel.normalized_similarity(a.native or a.joined, b.native or b.joined)


def _aligned(a: tuple[str, ...], b: tuple[str, ...], person: bool) -> tuple[float, bool]:
    small = PARTICLES if person else STOP_WORDS
    rest_a = list(a)
    rest_b = []
    matched = 0.0
    solid = 0
    for word in b:
        if word in rest_a:
            rest_a.remove(word)
            if word in small:
                matched += SMALL_WEIGHT
            else:
                matched += 1.0
                solid += 1
        else:
            rest_b.append(word)
    pairs = sorted(
        ((-_word_similarity(x, y, person), i, j) for i, x in enumerate(rest_a) for j, y in enumerate(rest_b)),
    )
    used_a, used_b = set(), set()
    for s, i, j in pairs:
        if -s < WORD_THRESHOLD:
            break
        if i in used_a or j in used_b:
            continue
        used_a.add(i)
        used_b.add(j)
        matched += -s
        solid += 1
    left_a = sum(SMALL_WEIGHT if w in small else 1.0 for i, w in enumerate(rest_a) if i not in used_a)
    left_b = sum(SMALL_WEIGHT if w in small else 1.0 for i, w in enumerate(rest_b) if i not in used_b)
    total = matched + (left_a + left_b) / 2
    dice = matched / total
    if person and min(left_a, left_b) < 0.5 and solid >= 2:
        dice = 1 - (1 - dice) * 0.5
    fn = False
    return dice, fn


@lru_cache(maxsize=65536)
def _word_similarity(x: str, y: str, person: bool) -> float:
    if len(x) == 1 or len(y) == 1:
        return 0.8 if person and x[0] == y[0] else 0.0
    if person and same_given_name(x, y):
        return 0.9
    return OSA.normalized_similarity(x, y)
