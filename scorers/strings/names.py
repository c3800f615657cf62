"""How alike two names are: words are aligned one to one, and guards veto what may not differ."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from rapidfuzz.distance import OSA, Indel

from scorers.strings.guards import NO_MARKS, veto
from scorers.strings.legal_forms import contrasting_forms
from scorers.strings.name_alignment import CONFLICT, Likeness, WordRules, judge
from scorers.strings.name_forms import (
    CONNECTIVES,
    MAX_ALIGNED_CHARS,
    MAX_PERSON_WORDS,
    PARTICLES,
    STOP_WORDS,
    Kind,
    NameForm,
    prepare_name,
)

__all__ = ["ENTITY_THRESHOLD", "EQUAL", "Match", "NameForm", "compare_names", "name_similarity", "prepare_name"]

ENTITY_THRESHOLD = 0.7
"""Two names are a match from this similarity on. What a guard vetoes gets at most ``CONFLICT``, just below."""

ACRONYM = 0.75
"""Similarity of a name and its exact acronym: a match, of low confidence."""

JOINED = 0.97
"""Factor for the same letters with other word breaks (``AlisherUsmanov``)."""

MIN_JOINED_CHARS = 6
MIN_JOINED_LIKENESS = 0.85
"""Names are compared without word breaks from this many letters on, and then have to be this close."""

CLEARLY_DIFFERENT = 0.45
"""Names that share no word, with letters less alike than this, are not looked at more closely."""

MAX_ACRONYM_CHARS = 4
"""Names of organisations and things with no more letters than this are the same or different, never variants."""

MAX_LONG_CHARS = 1_024
MIN_LONG_LIKENESS = 0.9
"""Names too long to be aligned are compared over this many characters, and then have to be this close."""

_PERSONAL = WordRules(PARTICLES, personal=True, omits_ends=True, omits_middle=True)
_LIKELY_PERSONAL = WordRules(PARTICLES, personal=True, omits_ends=False, omits_middle=True)
_UNKNOWN_SHORT = WordRules(PARTICLES | STOP_WORDS, personal=False, omits_ends=False, omits_middle=True)
_UNKNOWN = WordRules(PARTICLES | STOP_WORDS, personal=False, omits_ends=False, omits_middle=False)
_IMPERSONAL = WordRules(STOP_WORDS, personal=False, omits_ends=False, omits_middle=False)
_RULES_OF_KIND: tuple[tuple[Kind, WordRules], ...] = (
    ("organisation", _IMPERSONAL),
    ("other", _IMPERSONAL),
    ("person", _PERSONAL),
    ("likely person", _LIKELY_PERSONAL),
)
"""The first kind that either name is of decides."""
_ACROSS_SCRIPTS = {
    rules: replace(rules, across_scripts=True)
    for rules in (_PERSONAL, _LIKELY_PERSONAL, _UNKNOWN_SHORT, _UNKNOWN, _IMPERSONAL)
}


class Match(NamedTuple):
    """How alike two texts are.

    Attributes:
        similarity: in [0, 1], after guards; two names match from ``ENTITY_THRESHOLD`` on.
        raw: the similarity before guards.
        veto: ``number``, ``date``, ``negation``, ``email``, ``first_name`` or ``legal_form``; None where no guard
            spoke.
    """

    similarity: float
    raw: float
    veto: str | None


EQUAL = Match(1.0, 1.0, None)


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


def compare_names(a: NameForm, b: NameForm) -> Match:
    """Compare two prepared names; symmetric."""
    if a is b or ((a.folded == b.folded or a.marks.emails) and a.marks.emails == b.marks.emails):
        return EQUAL
    if b.words < a.words:
        a, b = b, a
    likeness = _likeness(a, b)
    found = veto(a.marks, b.marks, one_sided=True)
    if found is None and likeness.first_names_differ:
        found = "first_name"
    elif found is None and contrasting_forms(a.form, b.form):
        found = "legal_form"
    return Match(likeness.score * CONFLICT if found else likeness.score, likeness.score, found)


def _likeness(a: NameForm, b: NameForm) -> Likeness:
    if not a.words or not b.words or (a.logographic and b.logographic):
        return Likeness(_without_words(a, b), first_names_differ=False)
    if a.joined == b.joined:
        return Likeness(1.0 if a.words == b.words else JOINED, first_names_differ=False)
    rules = _rules(a, b)
    if not rules.personal and (a.joined == b.acronym or b.joined == a.acronym):
        return Likeness(ACRONYM, first_names_differ=False)
    letters: float = Indel.normalized_similarity(a.joined, b.joined)
    if _clearly_different(a, b, letters, rules):
        return Likeness(CONFLICT * letters, first_names_differ=False)
    found = judge(a.words, b.words, rules)
    if found.score < ENTITY_THRESHOLD and len(a.words) != len(b.words):
        return Likeness(max(found.score, _word_breaks_apart(a, b)), found.first_names_differ)
    return found


def _clearly_different(a: NameForm, b: NameForm, letters: float, rules: WordRules) -> bool:
    if not rules.personal and len(a.joined) <= MAX_ACRONYM_CHARS and len(b.joined) <= MAX_ACRONYM_CHARS:
        return True
    same_script = bool(a.native) == bool(b.native)
    return same_script and letters < CLEARLY_DIFFERENT and set(a.words).isdisjoint(b.words)


def _without_words(a: NameForm, b: NameForm) -> float:
    """Compare what is a number or date alone, written in syllables, without letters, or too long to be aligned."""
    if a.logographic and b.logographic:
        return CONFLICT * Indel.normalized_similarity(a.native, b.native)
    if _only_marks(a) and _only_marks(b):
        return 1.0
    likeness: float = Indel.normalized_similarity(a.folded[:MAX_LONG_CHARS], b.folded[:MAX_LONG_CHARS])
    long = MAX_ALIGNED_CHARS < min(len(a.folded), len(b.folded)) <= MAX_LONG_CHARS
    return likeness if long and likeness >= MIN_LONG_LIKENESS else CONFLICT * likeness


def _only_marks(form: NameForm) -> bool:
    return not form.words and form.marks is not NO_MARKS and len(form.folded) <= MAX_ALIGNED_CHARS


def _rules(a: NameForm, b: NameForm) -> WordRules:
    rules = _rules_of_kinds(a, b)
    return rules if bool(a.native) == bool(b.native) else _ACROSS_SCRIPTS[rules]


def _rules_of_kinds(a: NameForm, b: NameForm) -> WordRules:
    for kind, rules in _RULES_OF_KIND:
        if kind in (a.kind, b.kind):
            return rules
    # A word in the middle may be a middle name, but in "Award for Best Supporting Actor" it tells.
    short = max(len(a.words), len(b.words)) <= MAX_PERSON_WORDS and CONNECTIVES.isdisjoint(a.words + b.words)
    return _UNKNOWN_SHORT if short else _UNKNOWN


def _word_breaks_apart(a: NameForm, b: NameForm) -> float:
    """Return the likeness of the names without word breaks; 0 unless they are close and none only adds words."""
    left, right = set(a.words), set(b.words)
    if left <= right or right <= left or min(len(a.joined), len(b.joined)) < MIN_JOINED_CHARS:
        return 0.0
    return JOINED * OSA.normalized_similarity(a.joined, b.joined, score_cutoff=MIN_JOINED_LIKENESS)
