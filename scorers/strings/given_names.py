"""Given names: which strings are one, and which stand for the same person (``Bob``, ``Robert``)."""

from __future__ import annotations

from functools import cache, lru_cache

from scorers.strings.spelling import sound_key

MIN_GENDERED_CHARS = 4
"""Shorter words are not looked at for a gender ending."""


def is_given_name(word: str) -> bool:
    """Whether the list of given names and nicknames has the word (lower case, without accents)."""
    return word in _nicknames() or word in _full_names()


@lru_cache(maxsize=16_384)
def same_given_name(a: str, b: str) -> bool:
    """Whether one is a nickname of the other, or both are nicknames of one full name; symmetric."""
    if b in _nicknames().get(a, ()) or a in _nicknames().get(b, ()):
        return True
    return not _full_names().get(a, frozenset()).isdisjoint(_full_names().get(b, frozenset()))


@lru_cache(maxsize=16_384)
def different_given_names(a: str, b: str) -> bool:
    """Whether both are known names that neither sound alike nor belong together, or a man's and a woman's."""
    if differ_in_gender(a, b):
        return True
    known = is_given_name(a) and is_given_name(b)
    return known and not same_given_name(a, b) and sound_key(a) != sound_key(b)


def differ_in_gender(a: str, b: str) -> bool:
    """Whether only the ending tells the names of a man and a woman apart: -o and -a, or -a and none."""
    shorter, longer = sorted((a, b), key=len)
    if len(shorter) < MIN_GENDERED_CHARS:
        return False
    if len(shorter) == len(longer):
        return a[:-1] == b[:-1] and {a[-1], b[-1]} == {"a", "o"}
    return longer == shorter + "a"


@cache
def _nicknames() -> dict[str, frozenset[str]]:
    """Full name to nicknames."""
    from nicknames import NickNamer  # 30 ms, only when names are compared

    return {name: frozenset(short) for name, short in NickNamer.default_lookup().items()}


@cache
def _full_names() -> dict[str, frozenset[str]]:
    """Nickname to full names."""
    full: dict[str, set[str]] = {}
    for name, short in _nicknames().items():
        for nickname in short:
            full.setdefault(nickname, set()).add(name)
    return {nickname: frozenset(names) for nickname, names in full.items()}
