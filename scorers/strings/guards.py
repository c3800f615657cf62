"""Guards: what two texts may not differ in, however alike their letters are.

``2026-03-01`` and ``2026-08-01`` are 0.90 to a character ratio, and two different days.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from scorers.strings.dates import MONTHS, NO_TIMES, WEEKDAYS, Times, compatible_days, take_times
from scorers.strings.emails import find_emails
from scorers.strings.quantities import (
    NUMBER_WORDS,
    SURE_ROMAN_NUMERALS,
    UNIT_WORDS,
    Quantity,
    compatible_quantities,
    read_quantities,
    spoken_as_digits,
)
from scorers.strings.text import (
    CACHE_ENTRIES,
    CACHED_CHARS,
    cached_if_short,
    fold,
    once,
    skeleton,
    unaccented,
    words_of,
)

T = TypeVar("T")

MAX_CHARS = 10_000
"""Of a longer text only the beginning is read."""

_NEGATIONS = frozenset(
    words_of(
        "not cannot no nor neither without nicht kein keine keinen keinem keiner keines ohne "
        "ne non niet geen zonder senza sans не нет без nem nincs nincsenek nie nao δεν μην χωρις لا لم لن ليس غير"
    )
)
_SECOND_NEGATIONS = frozenset(
    words_of(
        "never nobody nothing none niemals pas jamais aucun aucune nunca jamas ningun ninguna mai nessuno "
        "nooit никогда никто ничего soha sem semmi senki"
    )
)
"""Words that negate alone but only strengthen a negation that is there (``ne … pas``, ``никогда не``)."""

_CONTRACTED = frozenset(
    words_of(
        "dont doesnt didnt isnt arent wasnt werent hasnt havent hadnt wont wouldnt cant couldnt shouldnt mustnt "
        "shant neednt aint"
    )
)
_TRIGGERS = frozenset(
    {*_NEGATIONS, *_SECOND_NEGATIONS, *_CONTRACTED, *NUMBER_WORDS, *SURE_ROMAN_NUMERALS, *MONTHS, *WEEKDAYS}
)
NEGATIONS = _NEGATIONS | _SECOND_NEGATIONS | _CONTRACTED
"""Every word that negates, folded and without accents."""

_READ_BY_GUARDS = frozenset({*NEGATIONS, *MONTHS, *WEEKDAYS, *UNIT_WORDS})
_DIGIT_OR_AT = re.compile(r"[\d@]")
_CJK = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_CJK_SEAM = re.compile(rf"(?<=[0-9a-z])(?={_CJK})|(?<={_CJK})(?=[0-9a-z])")
"""Where Chinese, Japanese or Korean meets other writing: a word ends there although no space says so."""
_CJK_CHAR = re.compile(_CJK)
_CJK_DATE = re.compile(r"(\d{4})年 ?(\d{1,2})月(?: ?(\d{1,2})日)?")
_CJK_NEGATION = re.compile("不|没|沒|未|ません|なかった|ない|않|아니|없")
_MOST_MARK_PAIRS = 1_000
"""More marks are not compared each with each: there only the same ones agree."""
_NEIGHBOURS = 2
"""Words on either side of one that tells which may bear on it."""
_LONG_WORD = 40
"""A longer word is always looked at closely: it is hardly one."""
_EDGES = ".,;:!?()"
"""Punctuation that means nothing to a guard where it stands around a word."""
_ELIDED = re.compile(r"\bn'(?=\w)")
"""French ``n'est``; an initial as in ``N. Lee`` negates nothing."""
_WORD = re.compile(r"n't\b|[^\W\d_]+(?=n't\b)|[^\W\d_]+")
_NUMERO = re.compile(r"\bno\.? ?(?=\d)|\bno(?=\W*$)")
"""``no`` before a number is "number"; at the end it answers a question and says nothing of the rest."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What the guards see in one text.

    Attributes:
        numbers: numbers, amounts, versions and ordinals, with their units.
        times: dates, weekdays and times of day.
        negated: whether the number of negations is odd.
        emails: e-mail addresses, in lower case.
    """

    numbers: frozenset[Quantity] = frozenset()
    times: Times = NO_TIMES
    negated: bool = False
    emails: frozenset[str] = frozenset()


NO_MARKS = Marks()
"""The marks of a text without any, one object, so that the common case is decided by identity."""


def read_marks(text: str) -> Marks:
    """Read the numbers, dates, negations and e-mails of a text.

    Args:
        text: any string; its first ``MAX_CHARS`` characters are read.
    """
    return _marks_cached(text) if len(text) <= CACHED_CHARS else once(_read, text[:MAX_CHARS])


def veto(a: Marks, b: Marks, *, one_sided: bool) -> str | None:
    """Say which guard forbids that two texts mean the same.

    Args:
        a: marks of one text.
        b: marks of the other; ``veto(a, b) == veto(b, a)``.
        one_sided: whether a number or date on one side only is a difference, as in names; statements may
            leave one out, so there only conflicting ones are.

    Returns:
        ``"email"``, ``"date"``, ``"number"`` or ``"negation"``, the first that holds in this order, or None.
    """
    if a is b:
        return None
    if a.emails and b.emails and not (a.emails <= b.emails or b.emails <= a.emails):
        return "email"
    if _times_conflict(a.times, b.times, one_sided=one_sided):
        return "date"
    if _conflict(a.numbers, b.numbers, compatible_quantities, one_sided=one_sided):
        return "number"
    return "negation" if a.negated != b.negated else None


def _times_conflict(a: Times, b: Times, *, one_sided: bool) -> bool:
    if a is b:
        return False
    return (
        _conflict(a.days, b.days, compatible_days, one_sided=one_sided)
        or _conflict(a.weekdays, b.weekdays, int.__eq__, one_sided=False)
        or _conflict(a.minutes, b.minutes, int.__eq__, one_sided=one_sided)
    )


def _conflict(a: AbstractSet[T], b: AbstractSet[T], agree: Callable[[T, T], bool], *, one_sided: bool) -> bool:
    """Whether the marks of one kind contradict: neither side's are all found on the other side."""
    if not a or not b:
        return one_sided and bool(a or b)
    if a == b:
        return False
    if len(a) * len(b) > _MOST_MARK_PAIRS:
        return one_sided or not (a <= b or b <= a)
    a_found = all(any(agree(x, y) for y in b) for x in a)
    b_found = all(any(agree(x, y) for x in a) for y in b)
    return not (a_found and b_found) if one_sided else not (a_found or b_found)


def _read(text: str) -> Marks:
    if (
        not _DIGIT_OR_AT.search(text)
        and _TRIGGERS.isdisjoint(skeleton(text).split())
        and (text.isascii() or not _CJK_NEGATION.search(text))
    ):
        return NO_MARKS
    folded = fold(text)
    folded = split_seams(folded)
    emails = find_emails(folded)
    for email in emails:
        folded = folded.replace(email, " ")
    times, rest = take_times(unaccented(folded))
    marks = Marks(read_quantities(rest), times, _is_negated(rest), emails)
    return NO_MARKS if marks == NO_MARKS else marks


def split_seams(folded: str) -> str:
    """A folded text with a space wherever Chinese, Japanese or Korean meets other writing, their dates in ISO form."""
    return folded if folded.isascii() else _CJK_SEAM.sub(" ", _CJK_DATE.sub(_as_iso, folded))


def marks_may_differ(a: str, b: str) -> bool:
    """A quick look at whether the marks of two texts can differ at all; True where that takes a closer look.

    They cannot where the words that tell (that negate or name a time or a number, or hold anything but letters) are
    the same, in the same order and with the same neighbours, which may be their units.
    """
    one, other = fold(a), fold(b)
    if not (one.isascii() and other.isascii()) and _CJK_CHAR.search(one + other):
        return True
    ours, theirs = one.split(), other.split()
    # Statements mostly differ in how their subject is spelled; what follows need not be looked at.
    alike = 0
    for word, counterpart in zip(reversed(ours), reversed(theirs), strict=False):
        if word != counterpart:
            break
        alike += 1
    if alike > _NEIGHBOURS:
        del ours[_NEIGHBOURS - alike :], theirs[_NEIGHBOURS - alike :]
    return _telling(ours) != _telling(theirs)


def _telling(words: list[str]) -> list[list[str]]:
    return [
        words[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS + 1]
        for place, word in enumerate(words)
        if len(word) > _LONG_WORD or _tells(word)
    ]


@lru_cache(maxsize=16_384)
def _tells(word: str) -> bool:
    parts = filter(None, word.strip(_EDGES).split("."))
    return any(not part.isalpha() or unaccented(part) in _TRIGGERS for part in parts)


@cached_if_short(4_096)
def unmarked(text: str) -> str:
    """The words of a text, in the second normal form, without those that the guards read."""
    _, rest = take_times(unaccented(split_seams(fold(text[:MAX_CHARS]))))
    words = skeleton(spoken_as_digits(rest)).split()
    return " ".join(word for word in words if word not in _READ_BY_GUARDS and not _DIGIT_OR_AT.search(word))


def _as_iso(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    return f"{year}-{month:0>2}" + (f"-{day:0>2} " if day else " ")


def _is_negated(text: str) -> bool:
    words = _WORD.findall(_NUMERO.sub(" ", _ELIDED.sub("ne ", text)))
    main = sum(word in _NEGATIONS or word == "n't" or word in _CONTRACTED for word in words)
    main += len(_CJK_NEGATION.findall(text)) if not text.isascii() else 0
    return bool(main % 2) if main else any(word in _SECOND_NEGATIONS for word in words)


_marks_cached = lru_cache(maxsize=CACHE_ENTRIES)(_read)
