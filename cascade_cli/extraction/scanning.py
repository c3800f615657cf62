"""Find where JSON values start and end in any text, in one pass.

The decoder of the standard library cannot do this in linear time: tried from every brace it reads the
same text again and again, each of its errors counts the lines before it, and it recurses once a level.
This scanner walks tokens with an explicit stack, so depth costs memory, never a crash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# The grammar of RFC 8259. Every repetition is possessive: nothing is ever tried twice.
_STRING_BODY: Final = r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+'
_TOKEN: Final = re.compile(
    rf"""[ \t\n\r]*+(?:
        (?P<open>[{{\[]) | (?P<close>[}}\]]) | (?P<comma>,) | (?P<colon>:)
        | (?P<string>{_STRING_BODY}")
        | (?P<scalar>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?+[0-9]++)?+ | true | false | null)
        | (?P<bad>{_STRING_BODY} | . | \Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
# An object begins with a key or ends at once; to pass over other braces here is for speed alone.
_OBJECT_START: Final = re.compile(r'\{(?=[ \t\n\r]*+["}])')

_CLOSER: Final = {"{": "}", "[": "]"}
_VALUE: Final = frozenset({"open", "string", "scalar"})
_FIRST_ITEM: Final = _VALUE | {"close"}
_KEY: Final = frozenset({"string"})
_FIRST_KEY: Final = _KEY | {"close"}
_COLON: Final = frozenset({"colon"})
_AFTER_VALUE: Final = frozenset({"comma", "close"})


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt to read a JSON value.

    Attributes:
        start: index of its first character.
        end: index after its last character or, where it is broken, after the last character that fits.
        complete: False where the text ends, or stops being JSON, before the value does.
    """

    start: int
    end: int
    complete: bool


def scan_value(text: str, start: int) -> Span:
    """Read one JSON value that begins at ``start``, in time linear in the length of the span."""
    closers: list[str] = []
    end = start
    expected = _VALUE
    for token in _TOKEN.finditer(text, start):
        kind = token.lastgroup
        if kind not in expected:
            broke_in_string = kind == "bad" and text.startswith('"', token.start("bad"))
            return Span(start, token.end() if broke_in_string else end, complete=False)
        end = token.end()
        if kind == "open":
            closers.append(_CLOSER[text[end - 1]])
            expected = _FIRST_KEY if closers[-1] == "}" else _FIRST_ITEM
        elif kind == "comma":
            expected = _KEY if closers[-1] == "}" else _VALUE
        elif kind == "colon":
            expected = _VALUE
        elif kind == "close" and closers.pop() != text[end - 1]:
            return Span(start, end, complete=False)
        elif kind == "string" and expected in (_KEY, _FIRST_KEY):
            expected = _COLON
        elif not closers:
            return Span(start, end, complete=True)
        else:
            expected = _AFTER_VALUE
    return Span(start, end, complete=False)


def complete_objects(text: str, start: int = 0) -> Iterator[Span]:
    """Yield the outermost complete JSON objects of any text from ``start``, in time linear in its length.

    After a broken object the search goes on where it broke, so no character is scanned twice (but for two
    at each break). What stands inside a broken object is part of it, not an object of its own. Quotes count
    inside objects only: an apostrophe in the prose swallows nothing.
    """
    position = start
    while found := _OBJECT_START.search(text, position):
        span = scan_value(text, found.start())
        if span.complete:
            yield span
        position = _next_start(text, span)


def _next_start(text: str, span: Span) -> int:
    # A stray quote makes the scanner take the quote of a later {"key" for the end of a string.
    took_key_quote = not span.complete and span.end - 2 > span.start and text.startswith('{"', span.end - 2)
    return span.end - 2 if took_key_quote else span.end
