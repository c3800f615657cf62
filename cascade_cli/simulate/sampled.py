"""What production would know by its sample alone, where recorded pairs know everything."""

from __future__ import annotations

import numpy as np

from cascade_cli.policy import RANDOM_SAMPLE, Policy
from cascade_cli.simulate.cells import BIT, Bools, Floats, Ints, fired_masks, rates_in_force
from cascade_cli.simulate.clustering import effect_of
from cascade_cli.simulate.events import AGREES, NO_LABEL, Events
from cascade_cli.simulate.figures import Figures, estimate_figures
from cascade_cli.stats.deferral import auc
from cascade_cli.stats.estimates import hajek, prediction_powered

_SURELY_SOME = 20.0
"""Where so many unsampled events are expected, none at all is no accident."""


def is_a_log(masks: Ints, rates: Floats) -> bool:
    """Whether no standing event is left unsampled where many would be: a worker's log, not a full record.

    Args:
        masks: what fires for each event, shape (n,).
        rates: in force for each, in [0, 1], shape (n,).
    """
    standing = (masks & ~BIT[RANDOM_SAMPLE]) == 0
    return not (masks == 0).any() and float((1 - rates)[standing].sum()) > _SURELY_SOME


def weighed_figures(events: Events, policy: Policy, masks: Ints) -> Figures:
    """What differs during a burn-in, when the rates do: the sample's view, and what stays wrong.

    A plain mean over the sample would be the mean of the new hash's first days; and what the sampler leaves standing is
    not like what stands, for it leaves little of a new hash.

    Args:
        events: of any number.
        policy: with a burn-in.
        masks: what fires for each event, shape (n,).

    Returns:
        ``sampled_view``, each label by the inverse of its rate, and ``residual_disagreement``, each standing event that
        is wrong by the chance that it is not sampled; ``rate``, ``low``, ``high`` and ``n``, the number of labels.
    """
    rates, labelled = rates_in_force(events, policy), events.labels != NO_LABEL
    sampled = (masks == BIT[RANDOM_SAMPLE]) & labelled
    standing = (masks & ~BIT[RANDOM_SAMPLE]) == 0
    # Standing events without a label are taken to be like those with one.
    known = labelled | ~standing
    wrong = np.where(standing, (1 - rates) * (1 - _agrees(events)), 0.0)
    found = hajek(wrong[known], np.ones(int(known.sum())), events.cluster_codes[known])
    spread = _spread(standing, labelled, known)
    residual = {**estimate_figures(found), "n": int((standing & labelled).sum())}
    return {
        "sampled_view": estimate_figures(
            hajek(_agrees(events)[sampled], rates[sampled], events.cluster_codes[sampled])
        ),
        "residual_disagreement": residual | {end: _times(residual[end], spread) for end in ("rate", "low", "high")},
    }


def _spread(standing: Bools, labelled: Bools, known: Bools) -> float | None:
    """What share of all events stands, by what share of the known ones does; None where none of those does."""
    if not standing.any():
        return 1.0
    among = (standing & labelled).sum() / known.sum() if known.any() else 0.0
    return float(standing.mean() / among) if among else None


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else min(value * factor, 1.0)


def verifier_figures(events: Events, policy: Policy) -> Figures | None:
    """How well the verifier tells which events are wrong, and what that is worth for the estimate.

    Returns:
        ``scored`` and ``unscored`` events; ``auc``, the chance that it scores a wrong event above a right one, with
        ``n`` labels, None where all are right or all are wrong; and ``prediction_powered``: the standing agreement by
        the sample with the scores of all standing events beside it, and ``gain``, by what factor they multiply its
        labels (Angelopoulos et al., 2023), None with too few, where a standing event has no score, for those that have
        one may be unlike the others, or where rates differ during a burn-in. None where no event has a score.
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


def _powered(events: Events, policy: Policy, scored: Bools) -> Figures | None:
    masks = fired_masks(events, policy)
    if not scored[(masks & ~BIT[RANDOM_SAMPLE]) == 0].all():
        return None
    sampled = (masks == BIT[RANDOM_SAMPLE]) & (events.labels != NO_LABEL)
    effect = effect_of(events, events.labels == AGREES, sampled)
    found = prediction_powered(
        _agrees(events)[sampled], events.verifier[sampled], events.verifier[masks == 0], effect=effect
    )
    if found is None:
        return None
    return {**estimate_figures(found.estimate), "gain": found.gain, "insufficient": not found.estimate.sufficient}


def _agrees(events: Events) -> Floats:
    agrees: Floats = (events.labels == AGREES).astype(np.float64)
    return agrees
