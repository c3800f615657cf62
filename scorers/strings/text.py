"""Normal forms of a string: what still counts as the same text.

Two forms, both cached and linear in the length of their input:

``fold``      compatibility characters, case, dashes, quotes, invisible characters and white space levelled;
``skeleton``  besides, without accents and punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache, wraps
from typing import ParamSpec, TypeVar, cast

CACHE_ENTRIES = 65_536
"""Strings kept by each cache of a normal form."""

CACHED_CHARS = 512
"""What is worked out of longer strings is kept for one event, so that the caches stay within some tens of megabytes."""

_MARKS_IN_A_ROW = 30
"""What Unicode Standard Annex 15 calls stream-safe; without it, ordering combining marks is quadratic."""

_INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d"
_SINGLE_QUOTES = "`\u00b4\u1ffd\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\uff07"
_MODIFIER_QUOTES = "\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8"
_DOUBLE_QUOTES = "\u00ab\u00bb\u201c\u201d\u201e\u201f\u2033\u2036\u300c\u300d\u300e\u300f\uff02"

_TYPOGRAPHY: dict[int, str | None] = {
    **dict.fromkeys(map(ord, _INVISIBLE + _BIDI)),
    **dict.fromkeys(map(ord, _DASHES), "-"),
    **dict.fromkeys(map(ord, _SINGLE_QUOTES + _MODIFIER_QUOTES), "'"),
    **dict.fromkeys(map(ord, _DOUBLE_QUOTES), '"'),
    0x0131: "i",  # dotless i: its capital is I, so a name and its capitals would differ
}

# Letters whose stroke or ligature Unicode does not decompose.
_UNDECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ŧ": "t"}
)

_SILENT = ".'`"
"""Punctuation that stands inside words and vanishes; every other kind becomes a space."""

_ASCII_PUNCTUATION = {code: (None if chr(code) in _SILENT else " ") for code in range(128) if not chr(code).isalnum()}

_LAST_ACCENT_FREE_CLASS = 9
"""Combining classes up to here (nukta, kana voicing, virama) make another letter; the rest are accents."""


P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def reading_once() -> Iterator[None]:
    """While an event is scored, read each of its long strings once: items are compared each with each."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def once(function: Callable[..., T], *arguments: str) -> T:
    """What a pure function says of a long string; within :func:`reading_once` it is asked once."""
    kept, key = _kept.get(), (function, *arguments)
    if kept is None:
        return function(*arguments)
    if key not in kept:
        kept[key] = function(*arguments)
    return cast("T", kept[key])


_kept: ContextVar[dict[tuple[object, ...], object] | None] = ContextVar("kept", default=None)


def cached_if_short(entries: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Cache a pure function of strings for calls whose strings are short together, as nearly all are.

    Of a single long string the result is kept for one event, of several long ones it is not.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        cached = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def call(*texts: P.args, **named: P.kwargs) -> T:
            chars = sum(map(len, cast("tuple[str, ...]", texts)))
            if chars <= CACHED_CHARS and not named:
                return cached(*texts)
            return once(function, *texts) if len(texts) == 1 and not named else function(*texts, **named)  # type: ignore[arg-type]

        return call

    return decorate


def words_of(listing: str) -> tuple[str, ...]:
    """Return the words of a list written as running text, which stays readable where one word a line would not."""
    return tuple(listing.split())


def fold(text: str) -> str:
    """Return the first normal form: NFKC, casefolded, dashes, quotes and white space levelled.

    Args:
        text: any string; lone surrogates and NULs are kept as they are.

    Returns:
        The form, without white space at its ends; the same for NFC and NFD; folding it again changes nothing.
    """
    return _fold_cached(text) if len(text) <= CACHED_CHARS else once(_fold, text)


def skeleton(text: str) -> str:
    """Return the second normal form: ``fold`` without accents and punctuation.

    Full stops and apostrophes vanish, all other punctuation becomes a space. Letters and digits of every
    script survive.

    Args:
        text: any string.

    Returns:
        Words separated by single spaces; empty where the text has neither letter nor digit.
    """
    return _skeleton_cached(text) if len(text) <= CACHED_CHARS else once(_skeleton, text)


def unaccented(folded: str) -> str:
    """Return a folded text without its accents, punctuation kept."""
    if folded.isascii():
        return folded
    decomposed = unicodedata.normalize("NFKD", folded).translate(_UNDECOMPOSED)
    kept = (char for char in decomposed if unicodedata.combining(char) <= _LAST_ACCENT_FREE_CLASS)
    return unicodedata.normalize("NFC", "".join(kept))


def _fold(text: str) -> str:
    if text.isascii():
        return " ".join(text.replace("`", "'").lower().split())
    if len(text) > CACHED_CHARS:
        text = _long_mark_runs().sub(r"\1", text)
    # Decomposing lays bare what folds, and folding what composes (Unicode Standard, 3.13, toNFKC_Casefold).
    text = unicodedata.normalize("NFD", text.translate(_TYPOGRAPHY)).casefold()
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", text).casefold())
    return " ".join(text.translate(_TYPOGRAPHY).split())


def _skeleton(text: str) -> str:
    folded = fold(text)
    if folded.isascii():
        return " ".join(folded.translate(_ASCII_PUNCTUATION).split())
    decomposed = unicodedata.normalize("NFKD", folded).translate(_UNDECOMPOSED)
    letters = unicodedata.normalize("NFC", "".join(map(_plain, decomposed)))
    return " ".join(letters.split())


@lru_cache(maxsize=8192)
def _plain(char: str) -> str:
    """Return what the skeleton keeps of one decomposed character."""
    if unicodedata.combining(char) > _LAST_ACCENT_FREE_CLASS or char in _SILENT:
        return ""
    return char if unicodedata.category(char)[0] in "LNM" else " "


@cache
def _long_mark_runs() -> re.Pattern[str]:
    """Compile the pattern of combining marks beyond a stream-safe run; built on the first long text."""
    marks = "".join(
        char
        for char in map(chr, range(0x300, 0x1F000))
        if unicodedata.combining(unicodedata.normalize("NFKD", char)[0])
    )
    run = f"[{re.escape(marks)}]"
    return re.compile(f"({run}{{{_MARKS_IN_A_ROW}}}){run}+")


_fold_cached = lru_cache(maxsize=CACHE_ENTRIES)(_fold)
_skeleton_cached = lru_cache(maxsize=CACHE_ENTRIES)(_skeleton)
