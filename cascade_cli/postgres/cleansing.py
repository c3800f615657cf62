"""Text as PostgreSQL can hold it."""

from __future__ import annotations

from typing import overload

from cascade_cli.storable import storable


@overload
def cleansed(text: str) -> str: ...
@overload
def cleansed(text: None) -> None: ...
def cleansed(text: str | None) -> str | None:
    """The text with each NUL and each lone surrogate as U+FFFD."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return storable(text).replace("\0", "\ufffd")
