"""Text that may come from anywhere, made safe to show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

# C0 and C1 controls (escape sequences start with one), marks that reorder or hide what follows, line separators
# that not every program takes for one, lone surrogates, tag characters. The joiners U+200C and U+200D stay:
# scripts need them.
_UNSAFE_RANGES = (
    r"\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[{_UNSAFE_RANGES}]")
_WHOLE_HASH = re.compile("[0-9a-f]{64}")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def sanitize(text: str) -> str:
    r"""Return ``text`` on one line, every character that could steer a terminal made visible as ``\x1b``."""
    return _UNSAFE.sub(_visible, text)


def sanitize_lines(text: str) -> str:
    """Sanitize a text of several lines, whose line ends stay."""
    return "\n".join(sanitize(line) for line in text.split("\n"))


def escape_in_json(document: str) -> str:
    r"""Write what ``sanitize`` would change as ``\uXXXX``: the same JSON to a parser, harmless to a terminal.

    Args:
        document: JSON text, where controls within strings are escaped already and line feeds only indent.
    """
    return _UNSAFE.sub(lambda match: match[0] if match[0] == "\n" else _json_escape(match[0]), document)


def guard_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def shown(value: object) -> str:
    """Return how a raw value reads in a table; a dash for None, which is undefined, and never 0."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(shown(item) for item in value)
    return str(value)


def prompt_hash(value: object) -> str:
    """Return a prompt hash as people tell it: of a whole SHA-256 the first twelve digits."""
    return value[:12] if isinstance(value, str) and _WHOLE_HASH.fullmatch(value) else shown(value)


def moment(value: object) -> str:
    """Return a moment to the second, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if isinstance(value, datetime) else shown(value)


def _visible(match: re.Match[str]) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    code = ord(match[0])
    return named.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004 - one byte


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
