"""All rates of one policy from the same resampled events: intervals that hold without any formula for a variance."""

from __future__ import annotations

import numpy as np

from cascade_cli.policy import RANDOM_SAMPLE, Policy
from cascade_cli.simulate.cells import BIT, Bools, Ints, fired_masks, rates_in_force
from cascade_cli.simulate.events import AGREES, NO_LABEL, Events
from cascade_cli.simulate.figures import Figures
from cascade_cli.stats import resampled_sums


def bootstrap_figures(events: Events, policy: Policy, replicates: int) -> Figures:
    """Percentile intervals at 95 % of a policy's rates, over events or over their clusters.

    Args:
        events: at least one.
        policy: the one in force.
        replicates: at least 1.

    Returns:
        ``replicates`` and for each rate ``low`` and ``high``; None where the rate is undefined in some replicate.
    """
    masks = fired_masks(events, policy)
    standing, labelled, agrees = (
        (masks & ~BIT[RANDOM_SAMPLE]) == 0, events.labels != NO_LABEL, events.labels == AGREES
    )  # fmt: skip
    # Left standing and wrong: what is sampled by the share that was, or by the rates in force where those differ.
    kept = 1 - rates_in_force(events, policy) if policy.burn_in_events else _share_left(masks, standing)
    wrong = np.where(standing & labelled & ~agrees, kept, 0.0)
    columns = (
        np.ones(len(events)), masks > 0, standing, standing & labelled, standing & agrees, labelled, agrees, wrong,
    )  # fmt: skip
    clusters = events.cluster_codes if events.clustered else None
    sums = resampled_sums([column.astype(np.float64) for column in columns], clusters, replicates=replicates)
    n, escalated, stood, known, good, labels, right, lost = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = {
            "escalation": escalated / n,
            "standing_agreement": good / known,
            "residual_disagreement": lost / known * stood / n,
            "overall_agreement": right / labels,
        }
    return {"replicates": replicates, **{name: _ends(drawn) for name, drawn in rates.items()}}


def _share_left(masks: Ints, standing: Bools) -> float:
    """The share of the standing that the sampler leaves; 1 where none stands, for then it is not asked."""
    return float((masks == 0).sum() / standing.sum()) if standing.any() else 1.0


def _ends(drawn: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Figures:
    if not np.isfinite(drawn).all():
        return {"low": None, "high": None}
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"low": float(low), "high": float(high)}
