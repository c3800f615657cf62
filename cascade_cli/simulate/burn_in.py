"""The rate in force while a prompt hash is new, by its age: its standing events so far, in the order of claims."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from cascade_cli.policy import Policy, rate_at, units_below
from cascade_cli.simulate.events import Events


def units_in_force(events: Events, standing: npt.NDArray[np.bool_], policy: Policy) -> npt.NDArray[np.int64]:
    """How many of the sampler's units the rate in force takes, for each event, shape (n,).

    Args:
        events: their moments say in which order they were claimed.
        standing: shape (n,); whether no gate but the sample fires.
        policy: with its rate, and the length of its burn-in.
    """
    ages = _ages(events, standing)
    oldest = int(ages.max(initial=0))
    # From this age on the rate is the policy's own; where that is 0 it falls for ever.
    settled = int(policy.burn_in_events / policy.sample_rate) if policy.sample_rate else oldest
    by_age = [
        units_below(rate_at(age, policy.sample_rate, policy.burn_in_events)) for age in range(min(oldest, settled) + 1)
    ]
    return np.array(by_age, dtype=np.int64)[np.minimum(ages, len(by_age) - 1)]


def _ages(events: Events, standing: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each event how many standing ones of its prompt hash came before it."""
    order = events.claim_order
    numbers = events.prompt_hashes.cast(pl.Categorical).to_physical().cast(pl.Int64).fill_null(-1)
    hashes = numbers.to_numpy()[order]
    by_hash = np.argsort(hashes, kind="stable")
    stands = standing[order][by_hash].astype(np.int64)
    before = np.cumsum(stands) - stands
    _, first = np.unique(hashes[by_hash], return_index=True)
    starts = np.repeat(before[first], np.diff([*first, len(before)]))
    ages = np.empty(len(before), dtype=np.int64)
    ages[order[by_hash]] = before - starts
    return ages
