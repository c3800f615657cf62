"""What production would know by its sample alone, where recorded pairs know everything."""

from __future__ import annotations

import numpy as np

from cascade_cli.policy import RANDOM_SAMPLE, Policy
from cascade_cli.simulate.cells import BIT, Floats, fired_masks, rates_in_force
from cascade_cli.simulate.events import AGREES, NO_LABEL, Events
from cascade_cli.simulate.figures import Figures, estimate_figures
from cascade_cli.stats.deferral import auc
from cascade_cli.stats.estimates import hajek, prediction_powered


def weighed_view(events: Events, policy: Policy) -> Figures:
    """Agreement of sampled standing events, each weighing the inverse of the rate at which it was sampled.

    During a burn-in the rates differ; a plain mean would be the mean of the new hash's first days.

    Returns:
        ``rate``, ``low``, ``high`` and ``n``, the number of labels; the three are None without any.
    """
    among = (fired_masks(events, policy) == BIT[RANDOM_SAMPLE]) & (events.labels != NO_LABEL)
    clusters = events.clusters.filter(among).to_list()
    together = clusters if len(set(clusters)) < len(clusters) else None
    return estimate_figures(hajek(_agrees(events)[among], rates_in_force(events, policy)[among], together))


def verifier_figures(events: Events, policy: Policy) -> Figures | None:
    """How well the verifier tells which events are wrong, and what that is worth for the estimate.

    Returns:
        ``scored`` and ``unscored`` events; ``auc``, the chance that it scores a wrong event above a right one, with
        ``n`` labels, None where all are right or all are wrong; and ``prediction_powered``: the standing agreement by
        the sample with the scores of all standing events beside it, and ``gain``, by what factor they multiply its
        labels (Angelopoulos et al., 2023), None with too few, or where rates differ during a burn-in. None where no
        event has a score.
    """
    scored = ~np.isnan(events.verifier)
    if not scored.any():
        return None
    labelled = scored & (events.labels != NO_LABEL)
    return {
        "scored": int(scored.sum()),
        "unscored": int((~scored).sum()),
        "auc": auc(1 - _agrees(events)[labelled], events.verifier[labelled]),
        "n": int(labelled.sum()),
        "prediction_powered": None if policy.burn_in_events else _powered(events, policy, scored),
    }


def _powered(events: Events, policy: Policy, scored: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Figures | None:
    masks = fired_masks(events, policy)
    sampled = (masks == BIT[RANDOM_SAMPLE]) & scored & (events.labels != NO_LABEL)
    found = prediction_powered(
        _agrees(events)[sampled], events.verifier[sampled], events.verifier[(masks == 0) & scored]
    )
    return None if found is None else {**estimate_figures(found.estimate), "gain": found.gain}


def _agrees(events: Events) -> Floats:
    agrees: Floats = (events.labels == AGREES).astype(np.float64)
    return agrees
