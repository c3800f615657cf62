"""What it costs that events share a thread or a document: by what factor the variance of each rate grows."""

from __future__ import annotations

import numpy as np

from cascade_cli.policy import RANDOM_SAMPLE
from cascade_cli.simulate.cells import BIT, Bools, Ints
from cascade_cli.simulate.events import AGREES, DISAGREES, NO_LABEL, Events
from cascade_cli.simulate.figures import DesignEffects
from cascade_cli.stats import design_effect


def design_effects(events: Events, masks: Ints) -> DesignEffects:
    """The factors of one policy's rates, each at least 1; ``masks`` says what fires for each event, shape (n,)."""
    labelled, standing = events.labels != NO_LABEL, (masks & ~BIT[RANDOM_SAMPLE]) == 0
    agrees, everywhere = events.labels == AGREES, np.ones(len(events), dtype=np.bool_)
    return DesignEffects(
        escalation=effect_of(events, masks > 0, everywhere),
        standing=effect_of(events, agrees, standing & labelled),
        standing_wrong=effect_of(events, standing & (events.labels == DISAGREES), everywhere),
        sampled=effect_of(events, agrees, (masks == BIT[RANDOM_SAMPLE]) & labelled),
        overall=effect_of(events, agrees, labelled),
    )


def standing_effect(events: Events, masks: Ints) -> float:
    """The factor of the standing agreement alone; 1 where no two events share a cluster."""
    standing = (masks & ~BIT[RANDOM_SAMPLE]) == 0
    return effect_of(events, events.labels == AGREES, standing & (events.labels != NO_LABEL))


def effect_of(events: Events, values: Bools, among: Bools) -> float:
    """The factor of the mean of some values; 1 where no two events share a cluster."""
    if not events.clustered:
        return 1.0
    return design_effect(values[among].astype(np.float64), events.cluster_codes[among]) or 1.0
