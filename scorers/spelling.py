"""How alike two single words are: typing slips, transliteration, initials."""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

SAME_SOUND = 0.95
"""Similarity of two words that differ only as transliterations do."""

MIN_SOUNDING = 0.3
"""Below this likeness of letters the sound is not looked at."""

_SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"tsch|tch|ch|cz", "c"),
        (r"sch|sh|sz|zh", "s"),
        (r"^x", "s"),
        (r"x", "ks"),
        (r"ph", "f"),
        (r"kh|gh(?=[aeiouy])", "k"),
        (r"([dt])h", r"\1"),
        (r"c(?=[eiy])", "s"),
        (r"ck|q|c(?!$)|c$", "k"),
        (r"w", "v"),
        (r"z", "s"),
        (r"ou|oo|o", "u"),
        (r"(?<=[aeiou])h(?![aeiou])", ""),
        (r"[eijy]+", "i"),
        (r"(.)\1+", r"\1"),
    )
)
"""Spellings that stand for one sound between the romanisations of different languages, applied in this order."""


@lru_cache(maxsize=65_536)
def sound_key(word: str) -> str:
    """Return a coarse key of how a word in Latin letters sounds: ``sergei``, ``sergey``; ``gaddafi``, ``gadafi``."""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    return word


@lru_cache(maxsize=65_536)
def word_similarity(a: str, b: str) -> float:
    """Return how alike two words in lower-case Latin letters are, in [0, 1]; symmetric.

    One minus the share of letters to be changed, inserted, dropped or swapped with their neighbour (optimal string
    alignment), averaged over spelling and sound, so that a transliteration is nearer than a different word.
    """
    letters: float = OSA.normalized_similarity(a, b)
    if letters == 1.0 or letters < MIN_SOUNDING:
        return letters
    sound: float = OSA.normalized_similarity(sound_key(a), sound_key(b))
    return SAME_SOUND if sound == 1.0 else (letters + sound) / 2
