"""Many policies over many events: events that no policy tells apart are counted once, then policies read the counts.

A policy looks at an event through a handful of facts: three flags, whether its arena and its categories are on lists,
and on which side of a few thresholds its sampler's unit and its verifier score lie. Events with the same facts and the
same label form a cell; a million events make some hundreds of cells, so a further policy costs microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cascade_cli.policy import REASONS, UNITS, Policy, units_below
from cascade_cli.simulate.burn_in import units_in_force
from cascade_cli.simulate.events import COSTS, Events

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BIT = {reason: 1 << place for place, reason in enumerate(REASONS)}
"""The bit of each reason in a mask of what fired; the first gate is the lowest."""
_MAX_CODE = 2**62
_MOST_COUNTED = 2**20
MASKS = 1 << len(REASONS)
LABELS = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events fired what, under one policy.

    Attributes:
        counts: shape (masks, labels): events by what fired and by label.
        costs: for each of :data:`COSTS` the sum over the events of each mask, shape (masks,), and under the same
            name with ``known_`` before it how many events had a figure.
    """

    counts: Ints
    costs: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class _Columns:
    """What policies of one salt look at, one line an event, or one a cell.

    Attributes:
        vip: shape (n, arenas): whether the arena is each of those that some policy lists.
        flags: shape (n, 3): parse failure, empty, ungrounded.
        categories: shape (n, groups): whether a category of each group is there.
        unit_bin: how many of the sample thresholds are at most the unit.
        score_bin: how many of the verifier thresholds are below the score; 0 without a score.
    """

    vip: Bools
    flags: Bools
    categories: Bools
    unit_bin: Ints
    score_bin: Ints


@dataclass(frozen=True, slots=True)
class _Grid:
    """The values that the policies of one salt use, each once, sorted."""

    salt: str
    arenas: Sequence[str]
    categories: Sequence[frozenset[str]]
    units: Sequence[int]
    thresholds: Sequence[float]

    @staticmethod
    def of(policies: Sequence[Policy]) -> _Grid:
        return _Grid(
            policies[0].salt,
            sorted({arena for policy in policies for arena in policy.vip_arenas}),
            _groups(policy.high_value_categories for policy in policies),
            sorted({units_below(policy.sample_rate) for policy in policies}),
            sorted({policy.verifier_threshold for policy in policies if policy.verifier_threshold is not None}),
        )


def _groups(lists: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Groups of which every list is made: its categories one by one, or whole lists where there are fewer of those."""
    whole = set(lists)
    names = frozenset[str]().union(*whole)
    return sorted((frozenset({name}) for name in names) if len(names) <= len(whole) else whole, key=sorted)


def tally_policies(events: Events, policies: Sequence[Policy]) -> list[Tally]:
    """What each policy makes of the events.

    Args:
        events: of any number.
        policies: of any number. One with a burn-in looks at every event by itself, some seconds for a million.

    Returns:
        One tally a policy, in their order.
    """
    tallies: dict[int, Tally] = {}
    for salt in dict.fromkeys(policy.salt for policy in policies):
        places = [place for place, policy in enumerate(policies) if policy.salt == salt]
        grid = _Grid.of([policies[place] for place in places])
        cells, counts, costs = _cells(_columns(events, grid), events)
        for place in places:
            policy = policies[place]
            if policy.burn_in_events:
                tallies[place] = Tally(*_summed(fired_masks(events, policy), MASKS, events))
            else:
                tallies[place] = _tally(_masks(cells, grid, policy, _sampled(cells, grid, policy)), counts, costs)
    return [tallies[place] for place in range(len(policies))]


def fired_masks(events: Events, policy: Policy) -> Ints:
    """For each event the mask of what fires under one policy, shape (n,); kept until another policy is asked about."""
    latest, masks = events.latest_masks[0] if events.latest_masks else (None, None)
    if masks is None or latest != policy:
        (masks,) = masks_of(events, [policy])
        events.latest_masks[:] = [(policy, masks)]
    return masks


def masks_of(events: Events, policies: Sequence[Policy]) -> Iterator[Ints]:
    """The same for several policies, one after the other, from columns that are read once for those of one salt."""
    grid = columns = None
    for policy in policies:
        if grid is None or columns is None or grid.salt != policy.salt:
            grid = _Grid.of([each for each in policies if each.salt == policy.salt])
            columns = _columns(events, grid)
        if policy.burn_in_events:
            in_force = units_in_force(events, _standing(columns, grid, policy), policy)
            sampled = np.asarray(events.units(policy.salt) < in_force, dtype=np.bool_)
        else:
            sampled = _sampled(columns, grid, policy)
        yield _masks(columns, grid, policy, sampled)


def rates_in_force(events: Events, policy: Policy) -> Floats:
    """For each event the rate at which it is sampled, in [0, 1], shape (n,); it differs during a burn-in only."""
    if not policy.burn_in_events:
        return np.full(len(events), units_below(policy.sample_rate) / UNITS)
    grid = _Grid.of([policy])
    standing = _standing(_columns(events, grid), grid, policy)
    return units_in_force(events, standing, policy) / UNITS


def reasons_of(mask: int) -> tuple[str, ...]:
    """The reasons of a mask, in the order of the gates."""
    return tuple(reason for reason in REASONS if mask & BIT[reason])


def first_reasons(events: Events, policy: Policy) -> pl.Series:
    """For each event why it escalates under a policy, its first reason; null where it does not."""
    first = pl.Series([next(iter(reasons_of(mask)), None) for mask in range(MASKS)], dtype=pl.String)
    return first.gather(fired_masks(events, policy))


def _columns(events: Events, grid: _Grid) -> _Columns:
    scores = np.searchsorted(np.array(grid.thresholds), events.verifier, side="left")
    return _Columns(
        vip=_stacked(((events.arenas == arena).fill_null(value=False) for arena in grid.arenas), len(events)),
        flags=np.column_stack([events.parse_fail, events.empty, events.ungrounded]),
        categories=_has_any(events, grid.categories),
        unit_bin=np.searchsorted(np.array(grid.units), events.units(grid.salt), side="right"),
        score_bin=np.where(np.isnan(events.verifier), 0, scores),
    )


def _stacked(columns: Iterable[pl.Series], length: int) -> Bools:
    found = [column.to_numpy() for column in columns]
    return np.column_stack(found) if found else np.zeros((length, 0), dtype=np.bool_)


def _has_any(events: Events, groups: Sequence[frozenset[str]]) -> Bools:
    """Whether each event has a category of each group, shape (n, groups)."""
    found = np.zeros((len(events), len(groups)), dtype=np.bool_)
    for number, group in enumerate(groups):
        for name in sorted(group):
            found[:, number] |= events.has_category(name)
    return found


def _cells(columns: _Columns, events: Events) -> tuple[_Columns, Ints, dict[str, Floats]]:
    """The distinct lines, with the events of each by label, shape (cells, labels), and their summed costs."""
    code, codes = np.zeros(len(events), dtype=np.int64), 1
    for column in (*columns.vip.T, *columns.flags.T, *columns.categories.T, columns.unit_bin, columns.score_bin):
        values = int(column.max(initial=0)) + 1
        if codes * values > _MAX_CODE:
            first, code = _numbered(code)
            codes = len(first)
        code, codes = code * values + column, codes * values
    first, code = _numbered(code)
    counts, costs = _summed(code, len(first), events)
    cells = _Columns(
        columns.vip[first],
        columns.flags[first],
        columns.categories[first],
        columns.unit_bin[first],
        columns.score_bin[first],
    )
    return cells, counts, costs


def _summed(groups: Ints, length: int, events: Events) -> tuple[Ints, dict[str, Floats]]:
    """The events of each group by label, shape (length, labels), and their summed costs."""
    counts = np.bincount(groups * LABELS + events.labels, minlength=length * LABELS).reshape(-1, LABELS)
    costs: dict[str, Floats] = {}
    for name in COSTS:
        known = ~np.isnan(events.costs[name])
        costs[name] = _sums(groups[known], events.costs[name][known], length)
        costs[f"known_{name}"] = _sums(groups, known.astype(np.float64), length)
    return counts, costs


def _sums(groups: Ints, values: Floats, length: int) -> Floats:
    """The sum of the values of each group, shape (length,)."""
    sums: Floats = np.bincount(groups, values, minlength=length).astype(np.float64, copy=False)
    return sums


def _numbered(code: Ints) -> tuple[Ints, Ints]:
    """A line of each distinct code, and for each line the number of its code."""
    highest = int(code.max(initial=0))
    if highest <= _MOST_COUNTED:  # counting is several times faster than sorting
        distinct = np.flatnonzero(np.bincount(code))
        number_of = np.zeros(highest + 1, dtype=np.int64)
        number_of[distinct] = np.arange(len(distinct))
        numbers = number_of[code]
        first = np.zeros(len(distinct), dtype=np.int64)
        first[numbers] = np.arange(len(code))
        return first, numbers
    _, first, numbers = np.unique(code, return_index=True, return_inverse=True)
    return first, numbers


def _sampled(columns: _Columns, grid: _Grid, policy: Policy) -> Bools:
    """Whether the policy's own rate takes each line."""
    return np.asarray(columns.unit_bin <= grid.units.index(units_below(policy.sample_rate)), dtype=np.bool_)


def _standing(columns: _Columns, grid: _Grid, policy: Policy) -> Bools:
    """Whether no gate but the sample fires in each line, whatever the rate."""
    unsampled = np.zeros(len(columns.unit_bin), dtype=np.bool_)
    return np.asarray(_masks(columns, grid, policy, unsampled) == 0, dtype=np.bool_)


def _masks(columns: _Columns, grid: _Grid, policy: Policy, sampled: Bools) -> Ints:
    """What fires in each line, by the rules of ``decide``."""
    listed = [arena in policy.vip_arenas for arena in grid.arenas]
    vip = columns.vip[:, listed].any(axis=1)
    high_value = columns.categories[:, [group <= policy.high_value_categories for group in grid.categories]].any(axis=1)
    threshold = policy.verifier_threshold
    doubted = np.zeros_like(vip)
    if threshold is not None:
        doubted = columns.score_bin > grid.thresholds.index(threshold)
    fires = zip(REASONS, (vip, *columns.flags.T, high_value, doubted, sampled), strict=True)
    mask = np.zeros(len(sampled), dtype=np.int64)
    for reason, fired in fires:
        if reason in policy.gates or reason == REASONS[-1]:
            mask |= np.where(fired, BIT[reason], 0)
    # An event of a VIP arena is shown to the student for the sample's sake only.
    unseen = ((mask & BIT["vip_arena"]) > 0) & ~sampled
    return np.where(unseen, BIT["vip_arena"], mask)


def _tally(masks: Ints, counts: Ints, costs: Mapping[str, Floats]) -> Tally:
    by_label = [np.bincount(masks, counts[:, label], minlength=MASKS) for label in range(LABELS)]
    return Tally(
        np.column_stack(by_label).astype(np.int64),
        {name: _sums(masks, values, MASKS) for name, values in costs.items()},
    )
