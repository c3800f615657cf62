"""Secrets taken out of text before anybody sees it: the last net below code that should not have put them there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"
# Connection strings in both of PostgreSQL's forms; user information, and what stands behind the question mark, where
# some put their keys, in any other address.
_CONNECTION_URL = re.compile(r"\bpostgres(?:ql)?://[^\s'\"]+", re.IGNORECASE)
_USER_INFORMATION = re.compile(r"(?<=://)[^\s/@'\"]{1,500}@")
_ADDRESS_QUERY = re.compile(r"(\bhttps?://[^\s'\"?]{1,2000}\?)[^\s'\"]+", re.IGNORECASE)
_PASSWORD_WORD = re.compile(r"(\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s'\"]+)", re.IGNORECASE)
# A shorter value would mask half the words of a message and betray itself by that.
_SHORTEST_SECRET = 4


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` with connection strings, passwords and every one of ``secrets`` as ``***``."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    text = _CONNECTION_URL.sub(MASK, text)
    text = _USER_INFORMATION.sub(f"{MASK}@", text)
    text = _ADDRESS_QUERY.sub(rf"\g<1>{MASK}", text)
    return _PASSWORD_WORD.sub(rf"\g<1>{MASK}", text)
