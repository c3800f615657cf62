"""E-mail addresses in a text, in time linear in its length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from scorers.strings.text import CACHED_CHARS, cached_if_short, once

_LOCAL_REVERSED = re.compile(r"[\w.+-]+")
_DOMAIN = re.compile(r"[\w.-]+")
_LAST_LABEL = re.compile(r"\.\w+")


def find_emails(text: str) -> frozenset[str]:
    r"""The matches of ``[\w.+-]+@[\w.-]+\.\w+`` (Unicode), lower-cased.

    The plain search scans on from every character of a long run of letters, which is quadratic on a megabyte of
    ``a``; this one starts at each ``@`` and looks outwards, so no character is read more than a few times.
    """
    return _find_cached(text) if len(text) <= CACHED_CHARS else once(_find, text)


def _find(text: str) -> frozenset[str]:
    return frozenset([text[start:end].lower() for start, end in _spans(text)])


_find_cached = lru_cache(maxsize=16_384)(_find)


@cached_if_short(4_096)
def without_emails(text: str) -> str:
    """What a text says besides addresses and the brackets around them; the text itself where it says nothing else."""
    kept, place = [], 0
    for start, end in _spans(text):
        kept.append(text[place:start])
        place = end
    kept.append(text[place:])
    return " ".join(kept).strip(" <>()[],;:\"'") or text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    floor = 0
    at = text.find("@")
    while at >= 0:
        local = _LOCAL_REVERSED.match(text[floor:at][::-1])
        end = _domain_end(text, at + 1) if local else None
        if local and end is not None:
            yield at - local.end(), end
        floor = at + 1 if end is None else end
        at = text.find("@", floor)


def _domain_end(text: str, start: int) -> int | None:
    r"""Where the longest ``[\w.-]+\.\w+`` from ``start`` ends; None where there is none."""
    run = _DOMAIN.match(text, start)
    dot = run.end() if run else start
    while (dot := text.rfind(".", start + 1, dot)) >= 0:
        label = _LAST_LABEL.match(text, dot)
        if label:
            return label.end()
    return None
