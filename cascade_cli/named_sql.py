"""SQL lives in ``.sql`` files, in blocks headed ``-- name: claim_batch``; this reads them by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

_HEADING = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


def read_named_sql(file: Traversable) -> Mapping[str, str]:
    """Read one file of named blocks.

    Args:
        file: a UTF-8 file; whatever stands before its first heading is commentary.

    Returns:
        Block name to SQL text, in the order of the file.

    Raises:
        ValueError: two blocks share a name, or a block is empty.
    """
    _, *parts = _HEADING.split(file.read_text(encoding="utf-8"))
    blocks: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        if name in blocks or not text.strip():
            raise ValueError(f"{file}: block {name!r} is empty or named twice")
        blocks[name] = text.strip()
    return blocks
