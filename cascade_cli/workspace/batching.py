"""Cutting a stream into pieces that fit into memory, whatever the size of its items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

# Half a second of work: as long as others may be kept waiting.
MAX_ITEMS: Final = 8_000
MAX_CHARACTERS: Final = 16_000_000


def batches(
    items: Iterable[T],
    characters: Callable[[T], int],
    *,
    max_items: int = MAX_ITEMS,
    max_characters: int = MAX_CHARACTERS,
) -> Iterator[list[T]]:
    """Lists of at most ``max_items``, and of about ``max_characters`` unless one item alone is larger.

    Args:
        items: read lazily, one batch ahead at most.
        characters: the weight of one item.
        max_items: at least 1.
        max_characters: a batch ends with the item that reaches it.
    """
    batch: list[T] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += characters(item)
        if len(batch) >= max_items or weight >= max_characters:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch
