"""How wide the columns of a table are on a terminal: nothing is cut, and words break last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BETWEEN = 1
"""What rich puts between two columns, beside the blanks around their texts."""


def fitted(columns: Sequence[tuple[str, Sequence[str], bool]], room: int) -> tuple[list[int], int]:
    """Return the widths of the columns' texts, and the blanks around each, for a table no wider than ``room``.

    Lines break between words first. Where that is not enough, columns come nearer to each other; then words break, and
    figures at last, which are misread when they stand on two lines.

    Args:
        columns: heading, cells, and whether the cells are figures.
        room: characters from edge to edge.
    """
    whole = [_widest([heading, *cells]) for heading, cells, _ in columns]
    figures = [_widest(cells) if is_figure else 1 for _, cells, is_figure in columns]
    words = [_widest_word([heading, *([] if is_figure else cells)]) for heading, cells, is_figure in columns]
    readable = [max(pair) for pair in zip(words, figures, strict=True)]
    for least, blanks in ((readable, 2), (readable, 1), (figures, 1), ([1] * len(columns), 1)):
        text = room - len(columns) * (blanks + _BETWEEN) + _BETWEEN
        widths = _narrowed(whole, least, text)
        if sum(widths) <= text:
            break
    return widths, blanks


def _narrowed(widths: list[int], least: list[int], text: int) -> list[int]:
    """Take from the widest that may lose some until all fit or none may."""
    narrowed = list(widths)
    while sum(narrowed) > text:
        spare = [place for place, width in enumerate(narrowed) if width > least[place]]
        if not spare:
            break
        narrowed[max(spare, key=narrowed.__getitem__)] -= 1
    return narrowed


def _widest(texts: Iterable[str]) -> int:
    return max((cell_len(text) for text in texts), default=1) or 1


def _widest_word(texts: Iterable[str]) -> int:
    return _widest(word for text in texts for word in text.split())
