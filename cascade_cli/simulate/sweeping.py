"""The figures of several policies over the same events, each as if it were replayed alone."""

from __future__ import annotations

from collections.abc import Sequence

from cascade_cli.policy import Policy
from cascade_cli.simulate.cells import tally_policies
from cascade_cli.simulate.clustering import design_effects
from cascade_cli.simulate.events import Events
from cascade_cli.simulate.figures import INDEPENDENT, Figures, figures_of
from cascade_cli.simulate.prices import Prices
from cascade_cli.simulate.sampled import weighed_view


def sweep_policies(events: Events, policies: Sequence[Policy], prices: Prices) -> list[Figures]:
    """The figures of each policy, in their order; intervals allow for what events share."""
    clustered = events.clusters.n_unique() < len(events)
    sweep = []
    for policy, tally in zip(policies, tally_policies(events, policies), strict=True):
        effects = design_effects(events, policy) if clustered else INDEPENDENT
        figures = figures_of(policy, tally, prices, effects)
        if policy.burn_in_events:
            figures["sampled_view"] = weighed_view(events, policy)
        sweep.append(figures)
    return sweep
