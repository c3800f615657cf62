"""Keys that an index can hold: a row of a B-tree takes 2,704 bytes, whatever else is in it."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from cascade_cli.postgres.graph.reading import Row

KEY_BYTES: Final = 2_000
"""The most that all texts of one key take together, in UTF-8."""
_DIGEST_CHARS: Final = 16
_MOST_BYTES_A_CHAR: Final = 4


def bounded(row: Row, key: tuple[str, ...]) -> Row:
    """A row whose key fits into an index: the same one where it does, as nearly always.

    Only where the texts of the key are too long together is each that is longer than its share cut to it, with the
    beginning of its SHA-256 as its end, so that two long texts stay two. Key texts that are absent become empty: to an
    index null is never equal to null.
    """
    texts = [str(row[name] or "") for name in key]
    # A character takes four bytes at most, and nearly every key is far from the limit.
    if _MOST_BYTES_A_CHAR * sum(map(len, texts)) > KEY_BYTES < sum(len(text.encode()) for text in texts):
        texts = [_cut(text, KEY_BYTES // len(key)) for text in texts]
    elif all(texts):
        return row
    return {**row, **dict(zip(key, texts, strict=True))}


def _cut(text: str, limit: int) -> str:
    raw = text.encode()
    if len(raw) <= limit:
        return text
    end = f"…{sha256(raw).hexdigest()[:_DIGEST_CHARS]}"
    return raw[: limit - len(end.encode())].decode(errors="ignore") + end
