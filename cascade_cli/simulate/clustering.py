"""What it costs that events share a thread or a document: by what factor the variance of each rate grows."""

from __future__ import annotations

import numpy as np

from cascade_cli.policy import RANDOM_SAMPLE, Policy
from cascade_cli.simulate.cells import BIT, Bools, fired_masks
from cascade_cli.simulate.events import AGREES, DISAGREES, NO_LABEL, Events
from cascade_cli.simulate.figures import DesignEffects
from cascade_cli.stats import design_effect


def design_effects(events: Events, policy: Policy) -> DesignEffects:
    """The factors of one policy's rates, each at least 1."""
    masks = fired_masks(events, policy)
    labelled, standing = events.labels != NO_LABEL, (masks & ~BIT[RANDOM_SAMPLE]) == 0
    agrees, everywhere = events.labels == AGREES, np.ones(len(events), dtype=np.bool_)
    return DesignEffects(
        escalation=_effect(events, masks > 0, everywhere),
        standing=_effect(events, agrees, standing & labelled),
        standing_wrong=_effect(events, standing & (events.labels == DISAGREES), everywhere),
        sampled=_effect(events, agrees, (masks == BIT[RANDOM_SAMPLE]) & labelled),
        overall=_effect(events, agrees, labelled),
    )


def standing_effect(events: Events, policy: Policy) -> float:
    """The factor of the standing agreement alone; 1 where no two events share a cluster."""
    if events.clusters.n_unique() == len(events):
        return 1.0
    standing = (fired_masks(events, policy) & ~BIT[RANDOM_SAMPLE]) == 0
    return _effect(events, events.labels == AGREES, standing & (events.labels != NO_LABEL))


def _effect(events: Events, values: Bools, among: Bools) -> float:
    clusters = events.clusters.filter(among).to_list()
    return design_effect(values[among].astype(np.float64), clusters) or 1.0
