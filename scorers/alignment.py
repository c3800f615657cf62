"""From two lists of items to one record for each pair: equal keys first, then the best of what is similar enough.

The record of a pair holds verdict, similarity and kind; counts, differences and reports read it and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

from scorers.assignment import Edge, assign


class Judgement(NamedTuple):
    """What the comparison of one gold with one predicted item says.

    Attributes:
        similarity: in [0, 1]; the soft credit where accepted, the nearness where not.
        accepted: similar enough and not vetoed.
        strict: equal after normalisation, of the same type or category.
        plain: accepted without the help of the entity alignment.
        kind: the kind of difference; None where there is none, or where the two have nothing to do with each other.
        vetoed: rejected by a guard although similar enough.
    """

    similarity: float
    accepted: bool
    strict: bool
    plain: bool
    kind: str | None
    vetoed: bool = False


class Pair(NamedTuple):
    """One aligned pair, one rejected pair, or one item without a partner (the other position is None)."""

    gold: int | None
    predicted: int | None
    similarity: float
    accepted: bool
    strict: bool
    plain: bool
    kind: str | None


class Size(NamedTuple):
    """How much of an item there is to compare.

    Attributes:
        words: in all the names that it goes by, each of which is compared with each of the other item's; 1 where it has
            no names.
        characters: in all that is compared.
    """

    words: int
    characters: int


class Comparable(Protocol):
    """An item with the key that strict equality compares."""

    @property
    def key(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def size(self) -> Size: ...  # noqa: D102


Item = TypeVar("Item", bound=Comparable)
Key = tuple[object, ...]
_WORD_PAIRS, _CHARACTER_PAIRS = 16, 250_000
"""So many pairs of words, or of characters as two texts of 500 have, cost what comparing two ordinary items does."""
UNRELATED = Judgement(0.0, accepted=False, strict=False, plain=False, kind=None)


def align(
    gold: Sequence[Item],
    predicted: Sequence[Item],
    judge: Callable[[Item, Item], Judgement],
    *,
    keys: tuple[Sequence[Key], Sequence[Key]],
    contradict: Callable[[Item, Item], object] | None = None,
    max_pairs: int,
) -> list[Pair]:
    """Align two lists one to one.

    Args:
        gold: the reference's items.
        predicted: the items under test.
        judge: compares two items; symmetric but for the kind.
        keys: for the items of each side what strict equality compares; an item whose strict partners its key cannot
            tell has a key of its own.
        contradict: whether two items of equal key are not strictly equal after all; None where the key tells all.
        max_pairs: above this many candidate pairs only equal keys are matched; pairs of long texts and of items that
            go by many names count as several.

    Returns:
        One record for every accepted pair, rejected pair and single item; every item stands in exactly one.
    """
    pairs = _fix_equal(gold, predicted, judge, keys, contradict)
    left, right = _unmatched(len(gold), len(predicted), pairs)
    if not left and not right:
        return pairs
    judged: dict[tuple[int, int], Judgement] = {}
    if _work([gold[i] for i in left], [predicted[j] for j in right]) <= max_pairs:
        judged = {(i, j): judge(gold[i], predicted[j]) for i in left for j in right}
    else:
        judged = {(i, j): judge(gold[i], predicted[j]) for i, j in _equal_copies(gold, predicted, left, right)}
    chosen = _choose(gold, predicted, judged, {cell: seen for cell, seen in judged.items() if seen.accepted})
    if chosen:
        pairs += chosen
        left, right = _unmatched(len(gold), len(predicted), pairs)
    return pairs + _account_for_rest(gold, predicted, judged, left, right)


def _fix_equal(
    gold: Sequence[Item],
    predicted: Sequence[Item],
    judge: Callable[[Item, Item], Judgement],
    keys: tuple[Sequence[Key], Sequence[Key]],
    contradict: Callable[[Item, Item], object] | None,
) -> list[Pair]:
    """Pair items whose key occurs once on each side, or whose copies are the same in everything compared."""
    pairs: list[Pair] = []
    for i, j in _candidates(gold, predicted, keys):
        one, other = gold[i], predicted[j]
        # Nearly every pair is the same record, or differs in no surface: then there is nothing to compute.
        if one is other or contradict is None or not contradict(one, other):
            same = one is other or one.key == other.key
            pairs.append(_equal(i, j) if same else _record(i, j, judge(one, other)))
    return pairs


@lru_cache(maxsize=4_096)
def _equal(i: int, j: int) -> Pair:
    return Pair(i, j, 1.0, accepted=True, strict=True, plain=True, kind=None)


def _candidates(
    gold: Sequence[Item], predicted: Sequence[Item], keys: tuple[Sequence[Key], Sequence[Key]]
) -> Iterable[tuple[int, int]]:
    """Positions of items with equal keys, copies included where they are all the same."""
    places = dict(zip(keys[1], range(len(predicted)), strict=True))
    if len(places) == len(predicted) and len(set(keys[0])) == len(gold):
        return [(i, j) for i, j in enumerate(map(places.get, keys[0])) if j is not None]
    ours, theirs = _positions(keys[0]), _positions(keys[1])
    return [
        cell
        for key, copies in ours.items()
        if key in theirs and _identical(gold, copies) and _identical(predicted, theirs[key])
        for cell in zip(copies, theirs[key], strict=False)
    ]


def _work(gold: Sequence[Item], predicted: Sequence[Item]) -> float:
    """What comparing each with each costs, in pairs of ordinary items."""
    ours, theirs = [item.size for item in gold], [item.size for item in predicted]
    words = sum(size.words for size in ours) * sum(size.words for size in theirs)
    characters = sum(size.characters for size in ours) * sum(size.characters for size in theirs)
    return max(len(ours) * len(theirs), words / _WORD_PAIRS, characters / _CHARACTER_PAIRS)


def _equal_copies(
    gold: Sequence[Item], predicted: Sequence[Item], left: Sequence[int], right: Sequence[int]
) -> Iterable[tuple[int, int]]:
    """Copies of equal key, one to one in the order of their contents: all that is matched where there are too many."""
    ours, theirs = _positions([gold[i].key for i in left]), _positions([predicted[j].key for j in right])
    for key, copies in ours.items():
        one = sorted((left[place] for place in copies), key=lambda i: repr(gold[i]))
        other = sorted((right[place] for place in theirs.get(key, ())), key=lambda j: repr(predicted[j]))
        yield from zip(one, other, strict=False)


def _positions(keys: Sequence[Key]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = {}
    for position, key in enumerate(keys):
        found.setdefault(key, []).append(position)
    return found


def _identical(items: Sequence[Item], positions: list[int]) -> bool:
    first = items[positions[0]]
    return all(items[position] == first for position in positions)


def _unmatched(gold_items: int, predicted_items: int, pairs: list[Pair]) -> tuple[list[int], list[int]]:
    """The positions on each side that no pair holds yet."""
    if len(pairs) == gold_items == predicted_items:
        return [], []
    return (
        _without(range(gold_items), {pair[0] for pair in pairs}),
        _without(range(predicted_items), {pair[1] for pair in pairs}),
    )


def _without(positions: Iterable[int], taken: set[int | None]) -> list[int]:
    return [position for position in positions if position not in taken]


def _choose(
    gold: Sequence[Item],
    predicted: Sequence[Item],
    judged: dict[tuple[int, int], Judgement],
    feasible: dict[tuple[int, int], Judgement],
) -> list[Pair]:
    """The best matching among the feasible pairs; a guard's veto ranks first among rejected ones."""
    if not feasible:
        return []
    edges = [Edge(i, j, seen.strict or seen.vetoed, seen.similarity) for (i, j), seen in feasible.items()]
    chosen = assign(edges, lambda edge: (repr(gold[edge.left]), repr(predicted[edge.right])))
    return [_record(edge.left, edge.right, judged[edge.left, edge.right]) for edge in chosen]


def _record(i: int, j: int, seen: Judgement) -> Pair:
    return Pair(i, j, seen.similarity, seen.accepted, seen.strict, seen.plain, seen.kind)


def _account_for_rest(
    gold: Sequence[Item],
    predicted: Sequence[Item],
    judged: dict[tuple[int, int], Judgement],
    left: list[int],
    right: list[int],
) -> list[Pair]:
    """Surplus copies are duplicates; of the others, near ones are one rejected pair, and the rest stand alone."""
    left_copies, right_copies = _surplus(gold, left), _surplus(predicted, right)
    left_single, right_single = {*left} - left_copies, {*right} - right_copies
    near = {
        (i, j): seen
        for (i, j), seen in judged.items()
        if seen.kind is not None and not seen.accepted and i in left_single and j in right_single
    }
    rejected = _choose(gold, predicted, judged, near)
    if rejected:
        left = _without(left, {pair.gold for pair in rejected})
        right = _without(right, {pair.predicted for pair in rejected})
    return [
        *rejected,
        *[_alone(i, None, "duplicate" if i in left_copies else "missing") for i in left],
        *[_alone(None, j, "duplicate" if j in right_copies else "spurious") for j in right],
    ]


@lru_cache(maxsize=4_096)
def _alone(gold: int | None, predicted: int | None, kind: str) -> Pair:
    return Pair(gold, predicted, 0.0, accepted=False, strict=False, plain=False, kind=kind)


def _surplus(items: Sequence[Item], unmatched: list[int]) -> set[int]:
    """Those of the unmatched that repeat an item of their own side, matched or not."""
    if not unmatched or len({item.key for item in items}) == len(items):
        return set()
    open_positions = set(unmatched)
    seen = {items[i].key for i in range(len(items)) if i not in open_positions}
    surplus: set[int] = set()
    # In the order of their contents, so that which copy is the surplus one does not hang on where it stands.
    for position in sorted(unmatched, key=lambda place: repr(items[place])):
        if items[position].key in seen:
            surplus.add(position)
        seen.add(items[position].key)
    return surplus
