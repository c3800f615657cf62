"""Mend a truncated or slightly broken object.

A setting, off by default: repair hides that a student fails.
"""

from __future__ import annotations

import re
from typing import Final

from cascade_cli.extraction.parsing import parse_extraction
from cascade_cli.extraction.schema import SECTIONS

# Strings may hold raw line breaks and escapes that JSON does not know; the last one may lack its end.
_PIECE: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?P<quote>"?+)|(?P<bracket>[{}\[\]])|[^"{}\[\]]++', re.DOTALL)
_ESCAPE: Final = re.compile(r'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})|[\\\x00-\x1f]')
_CLOSER: Final = {"{": "}", "[": "]"}
_IN_SECTION: Final = ["}", "]"]  # what has to be closed after an item of a section


def repair_extraction(text: str) -> dict[str, object] | None:
    """Read an extraction as ``parse_extraction`` does; where there is none, mend the first object and retry.

    Mended are: an end that is missing (what is left of a half-written item is dropped, never completed), a
    comma before a closing bracket, raw control characters and unknown escapes in strings. Linear in the text.

    Returns:
        The extraction; None where mending does not lead to an object with entities, facts or relationships.
    """
    found = parse_extraction(text)
    if found is not None or not isinstance(text, str) or "{" not in text:
        return found
    mended = parse_extraction(_mend(text, text.index("{")))
    return None if mended is None or mended.keys().isdisjoint(SECTIONS) else mended


def _mend(text: str, start: int) -> str:
    """Rewrite the first object up to its end, or up to its last whole item where the end is missing."""
    pieces: list[str] = []
    closers: list[str] = []
    whole_pieces, whole_depth = 0, 0
    for match in _PIECE.finditer(text, start):
        piece = match.group()
        if piece in _CLOSER:
            closers.append(_CLOSER[piece])
        elif match["bracket"]:
            if closers[-1] != piece:
                break
            closers.pop()
            pieces[-1] = pieces[-1].rstrip().removesuffix(",")
        pieces.append(_ESCAPE.sub(_escaped, piece) if match["quote"] else piece)
        closed = piece in _CLOSER.values() and len(closers) <= len(_IN_SECTION)
        if closed or (match["quote"] and closers == _IN_SECTION):
            whole_pieces, whole_depth = len(pieces), len(closers)
        if not closers:
            break
    return "".join(pieces[:whole_pieces]) + "".join(reversed(closers[:whole_depth]))


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return found if len(found) > 1 else f"\\u{ord(found):04x}"
