"""How alike two single words are: typing slips, transliteration, initials."""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

from scorers.strings.text import words_of

SAME_SOUND = 0.95
"""Similarity of two words that differ only as transliterations do."""

MIN_CONSONANTS = 2
"""Words with fewer consonants are not compared by them."""

MIN_SOUNDING = 0.3
"""Below this likeness of letters the sound is not looked at."""

_OPPOSITES = frozenset(
    words_of(
        "north south east west northern southern eastern western upper lower inner outer internal external "
        "import export imports exports input output inbound outbound male female men women mens womens"
    )
)
"""Words that are alike in letters and never spellings of each other."""

_SOUNDS = (
    ("q", "k"), ("ck", "k"), ("tsch", "q"), ("sch", "s"), ("tch", "q"), ("ch", "q"), ("cz", "q"),
    ("sh", "s"), ("sz", "s"), ("zh", "s"), ("ph", "f"), ("kh", "k"), ("gh", "g"), ("th", "t"), ("dh", "d"),
    ("ce", "se"), ("ci", "si"), ("cy", "si"), ("c", "k"), ("x", "ks"), ("w", "v"), ("z", "s"), ("ou", "u"), ("o", "u"),
)  # fmt: skip
"""Spellings that stand for one sound between the romanisations of different languages, applied in this order.

``q`` comes to stand for the sound of ``ch``.
"""

_SILENT_H = re.compile(r"(?<=[aeiou])h(?![aeiou])")
_FRONT_VOWELS = re.compile(r"[eijy]+")
_VOWELS = re.compile(r"[aeiouv]+")
_REPEATED = re.compile(r"(.)\1+")


@lru_cache(maxsize=65_536)
def sound_key(word: str) -> str:
    """Return a coarse key of how a word in Latin letters sounds: ``sergei``, ``sergey``; ``moammar``, ``muammar``."""
    if word.startswith("x"):
        word = "s" + word[1:]
    for spelling, sound in _SOUNDS:
        word = word.replace(spelling, sound)
    if "h" in word:
        word = _SILENT_H.sub("", word)
    return _REPEATED.sub(r"\1", _FRONT_VOWELS.sub("i", word))


def same_consonants(a: str, b: str) -> bool:
    """Whether two words agree in their consonants, ``l`` and ``r`` taken as one.

    What stands in one script and was read into another keeps little more: Arabic writes few vowels, Chinese has no
    ``r`` and no consonants in a row.
    """
    frame = _consonants(a)
    return len(frame) >= MIN_CONSONANTS and frame == _consonants(b)


@lru_cache(maxsize=65_536)
def _consonants(word: str) -> str:
    return _REPEATED.sub(r"\1", _VOWELS.sub("", sound_key(word)).replace("l", "r"))


@lru_cache(maxsize=65_536)
def word_similarity(a: str, b: str) -> float:
    """Return how alike two words in lower-case Latin letters are, in [0, 1]; symmetric.

    One minus the share of letters to be changed, inserted, dropped or swapped with their neighbour (optimal string
    alignment), averaged over spelling and sound, so that a transliteration is nearer than a different word.
    """
    if a != b and a in _OPPOSITES and b in _OPPOSITES:
        return 0.0
    letters: float = OSA.normalized_similarity(a, b)
    if letters == 1.0 or letters < MIN_SOUNDING:
        return letters
    sound: float = OSA.normalized_similarity(sound_key(a), sound_key(b))
    return SAME_SOUND if sound == 1.0 else (letters + sound) / 2
