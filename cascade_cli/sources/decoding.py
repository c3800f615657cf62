"""JSON text -> values that can be stored: no NaN, no infinity by name, no half of a surrogate pair."""

from __future__ import annotations

import json
import re
from typing import Final

from cascade_cli.extraction.parsing import MAX_DEPTH, is_deeper_than

# Escapes are taken one by one, so that an escaped backslash before a "u" is not mistaken for one.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)

_TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH} levels"


def _null(_constant: str) -> None:
    return None


# Writers of tables put NaN where nothing is; JSON and the database know null only.
_DECODER: Final = json.JSONDecoder(parse_constant=_null)


def decode_json(text: str) -> object:
    """Decode a JSON text; NaN and Infinity become null, half a surrogate pair becomes U+FFFD.

    Raises:
        ValueError: the text is not JSON, is nested deeper than ``MAX_DEPTH`` levels, or holds an integer with
            more digits than Python converts; the message says so without its content.
    """
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(_whole_escape, text)
    try:
        value: object = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        problem = error.msg.removesuffix(" starting at").removesuffix(":")
        raise ValueError(f"not JSON at character {error.pos + 1}: {problem}") from None
    except ValueError:
        raise ValueError("not readable: a number in it has too many digits") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if text.count("{") + text.count("[") > MAX_DEPTH and is_deeper_than(value, MAX_DEPTH):
        raise ValueError(_TOO_DEEP)
    return value


def _whole_escape(match: re.Match[str]) -> str:
    return r"\ufffd" if match["half"] else match.group()
