"""The assignment finds what an exhaustive search finds, ties included, and looks at no positions."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from scorers.assignment import SIMILARITY_STEPS, Edge, _tie, assign

SIZE = 6


def exhaustive_best(edges, tie_key):
    """The slow, obvious reference: every one-to-one matching of up to six by six."""
    at = {(edge.left, edge.right): edge for edge in edges}
    best = ((0, 0, 0, 0), frozenset())
    for rights in permutations(range(SIZE)):
        pairs = [at[cell] for cell in enumerate(rights) if cell in at]
        rank = (
            sum(edge.strict for edge in pairs),
            len(pairs),
            sum(round(edge.similarity * SIMILARITY_STEPS) for edge in pairs),
            sum(_tie(*tie_key(edge)) for edge in pairs),
        )
        best = max(best, (rank, frozenset(pairs)), key=lambda scored: scored[0])
    return best[1]


cells = st.dictionaries(
    st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)),
    # Few distinct similarities, so that ties are the rule.
    st.tuples(st.booleans(), st.sampled_from([0.8, 0.9, 0.9000001, 1.0])),
    max_size=SIZE * SIZE,
)


def edges_of(table):
    return [Edge(left, right, strict, 1.0 if strict else value) for (left, right), (strict, value) in table.items()]


def named(edge):
    return f"g{edge.left}", f"p{edge.right}"


@given(cells)
def test_it_agrees_with_exhaustive_search_up_to_six_by_six(table):
    edges = edges_of(table)
    assert frozenset(assign(edges, named)) == exhaustive_best(edges, named)


@given(cells, st.randoms(use_true_random=False))
def test_neither_the_order_of_edges_nor_the_side_changes_the_choice(table, random):
    edges = edges_of(table)
    chosen = assign(edges, named)
    shuffled = random.sample(edges, len(edges))
    assert assign(shuffled, named) == chosen
    flipped = [edge._replace(left=edge.right, right=edge.left) for edge in edges]
    back = assign(flipped, lambda edge: (f"p{edge.left}", f"g{edge.right}"))
    assert sorted(edge._replace(left=edge.right, right=edge.left) for edge in back) == chosen


def test_a_strict_pair_is_kept_even_where_that_costs_an_acceptance():
    edges = [Edge(0, 0, True, 1.0), Edge(0, 1, False, 0.99), Edge(1, 0, False, 0.99)]
    assert assign(edges, named) == [edges[0]]


def test_gating_first_keeps_both_matches_where_greedy_choice_loses_one():
    edges = [Edge(0, 0, False, 0.95), Edge(0, 1, False, 0.94), Edge(1, 0, False, 0.9)]
    assert assign(edges, named) == edges[1:]


def test_a_dense_part_of_a_hundred_items_is_solved_exactly():
    edges = [Edge(i, j, i == j, 1.0 if i == j else 0.9) for i in range(100) for j in range(100)]
    assert [(edge.left, edge.right) for edge in assign(edges, named)] == [(i, i) for i in range(100)]
