"""All rates of one policy from the same resampled events: intervals that hold without any formula for a variance."""

from __future__ import annotations

import numpy as np

from cascade_cli.policy import RANDOM_SAMPLE
from cascade_cli.simulate.cells import BIT, Ints
from cascade_cli.simulate.events import AGREES, NO_LABEL, Events
from cascade_cli.simulate.figures import Figures
from cascade_cli.stats import resampled_sums


def bootstrap_figures(events: Events, masks: Ints, replicates: int) -> Figures:
    """Percentile intervals at 95 % of a policy's rates, over events or over their clusters.

    Args:
        events: at least one.
        masks: what fires for each, shape (n,).
        replicates: at least 1.

    Returns:
        ``replicates`` and for each rate ``low`` and ``high``; None where the rate is undefined in some replicate.
    """
    standing, left = (masks & ~BIT[RANDOM_SAMPLE]) == 0, masks == 0
    labelled, agrees = events.labels != NO_LABEL, events.labels == AGREES
    columns = (
        np.ones(len(events)), masks > 0, standing, left, standing & labelled, standing & agrees, labelled, agrees,
    )  # fmt: skip
    clustered = events.clusters.n_unique() < len(events)
    clusters = events.clusters.to_list() if clustered else None
    sums = resampled_sums([column.astype(np.float64) for column in columns], clusters, replicates=replicates)
    n, escalated, _, kept, known, good, labels, right = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = {
            "escalation": escalated / n,
            "standing_agreement": good / known,
            "residual_disagreement": kept / n * (1 - good / known),
            "overall_agreement": right / labels,
        }
    return {"replicates": replicates, **{name: _ends(drawn) for name, drawn in rates.items()}}


def _ends(drawn: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Figures:
    if not np.isfinite(drawn).all():
        return {"low": None, "high": None}
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"low": float(low), "high": float(high)}
