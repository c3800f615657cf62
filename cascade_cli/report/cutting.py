"""Texts of any length, cut to what a page bears, and by how much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """A text, as much of it as is kept.

    Attributes:
        text: its beginning.
        left_out: how many characters are not in it.
    """

    text: str
    left_out: int = 0

    def __str__(self) -> str:
        return f"{self.text}… (+{self.left_out:,} characters)" if self.left_out else self.text


def cut(text: str, most: int) -> Cut:
    """The beginning of a text."""
    return Cut(text[:most], max(0, len(text) - most))
