"""The best one-to-one matching of the feasible pairs of two lists: gate first, then assign.

Assigning first and gating afterwards loses true matches; maximising acceptances before strict pairs marries
``A. Kovács`` to ``Anna Kovács`` and hides that ``Ádám Kovács`` is somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

SIMILARITY_STEPS = 1_000_000
"""Similarities are compared to six digits, so that rounding noise decides nothing."""

_TIE_BITS = 48


class Edge(NamedTuple):
    """A feasible pair: ``left`` and ``right`` are positions, ``similarity`` is in [0, 1]."""

    left: int
    right: int
    strict: bool
    similarity: float


TieKey = Callable[[Edge], tuple[str, str]]
"""The contents of the two members of a pair, for breaking ties without looking at positions."""


def assign(edges: Sequence[Edge], tie_key: TieKey) -> list[Edge]:
    """Choose a one-to-one matching: most strict pairs, then most pairs, then the highest total similarity.

    What is still tied is decided by a hash of the two contents, the same whichever side comes first and in whatever
    order the items stand. Parts that share no item are solved apart; each part costs O(n^2 m) for n <= m items.

    Args:
        edges: the feasible pairs, at most one for each (left, right).
        tie_key: the contents of the two members of an edge.

    Returns:
        The chosen edges, ordered by ``left``.
    """
    chosen: list[Edge] = []
    for part in _connected(edges):
        chosen += part if len(part) == 1 else _solve(part, tie_key)
    return sorted(chosen)


def _connected(edges: Sequence[Edge]) -> Iterable[list[Edge]]:
    """Split into parts that share no item, by union-find over the items."""
    if len(edges) < 2:  # noqa: PLR2004 - one edge is one part
        return [list(edges)] if edges else []
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = parent[above] = parent.setdefault(above, above)
            node = parent[node]
        return node

    for edge in edges:
        parent[root(edge.left)] = root(~edge.right)  # ~ keeps the two sides' numbers apart
    parts: dict[int, list[Edge]] = {}
    for edge in edges:
        parts.setdefault(root(edge.left), []).append(edge)
    return parts.values()


def _solve(edges: list[Edge], tie_key: TieKey) -> list[Edge]:
    """Solve one connected part exactly, in whole numbers."""
    lefts = sorted({edge.left for edge in edges})
    rights = sorted({edge.right for edge in edges})
    if len(lefts) > len(rights):
        flipped = [edge._replace(left=edge.right, right=edge.left) for edge in edges]
        back = _solve(flipped, lambda edge: tie_key(edge._replace(left=edge.right, right=edge.left)))
        return [edge._replace(left=edge.right, right=edge.left) for edge in back]
    weight = _weights(edges, len(lefts), tie_key)
    if len(lefts) == 1:
        return [max(edges, key=weight.__getitem__)]
    row_of, column_of = (
        {left: i for i, left in enumerate(lefts)},
        {right: j for j, right in enumerate(rights)},
    )
    gain = [[0] * len(rights) for _ in lefts]
    by_cell: dict[tuple[int, int], Edge] = {}
    for edge in edges:
        cell = row_of[edge.left], column_of[edge.right]
        gain[cell[0]][cell[1]] = weight[edge]
        by_cell[cell] = edge
    return [by_cell[cell] for cell in enumerate(_hungarian(gain)) if cell in by_cell]


def _weights(edges: list[Edge], pairs: int, tie_key: TieKey) -> dict[Edge, int]:
    """One whole number an edge whose sums order matchings as :func:`assign` says.

    Each rank is worth more than everything below it can add up to over ``pairs`` edges. Python's integers have no
    bound, so no rank is ever lost to rounding.
    """
    tie_unit = pairs << _TIE_BITS
    pair_unit = (pairs + 1) * (SIMILARITY_STEPS + 1) * tie_unit
    strict_unit = (pairs + 1) * pair_unit * 2
    return {
        edge: edge.strict * strict_unit
        + pair_unit
        + round(edge.similarity * SIMILARITY_STEPS) * tie_unit
        + _tie(*tie_key(edge))
        for edge in edges
    }


def _tie(one: str, other: str) -> int:
    """A number below 2**48 from the two contents, in either order."""
    text = "\0".join(sorted((one, other)))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_TIE_BITS // 8).digest())


def _hungarian(gain: list[list[int]]) -> list[int]:
    """For each row the column of a matching of greatest total gain; rows must not outnumber columns.

    Shortest augmenting paths with potentials (Kuhn 1955; Jonker and Volgenant 1987). Rows and columns count from 1,
    so that column 0 can hold the row being placed and row 0 can mean nobody.
    """
    rows, columns = len(gain), len(gain[0])
    row_potential, column_potential = [0] * (rows + 1), [0] * (columns + 1)
    row_at, came_from = [0] * (columns + 1), [0] * (columns + 1)
    for row in range(1, rows + 1):
        row_at[0] = row
        column = 0
        reach: list[int | None] = [None] * (columns + 1)
        open_columns = set(range(1, columns + 1))
        closed = [0]
        while row_at[column]:
            here = row_at[column]
            for j in open_columns:
                slack = -gain[here - 1][j - 1] - row_potential[here] - column_potential[j]
                best = reach[j]
                if best is None or slack < best:
                    reach[j], came_from[j] = slack, column
            column = min(open_columns, key=lambda j: (reach[j], j))
            step = reach[column] or 0
            for j in closed:
                row_potential[row_at[j]] += step
                column_potential[j] -= step
            for j in open_columns:
                reach[j] = (reach[j] or 0) - step
            open_columns.remove(column)
            closed.append(column)
        while column:
            row_at[column] = row_at[came_from[column]]
            column = came_from[column]
    column_of = [0] * rows
    for column, row in enumerate(row_at[1:]):
        if row:
            column_of[row - 1] = column
    return column_of
