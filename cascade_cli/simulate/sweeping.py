"""The figures of several policies over the same events, each as if it were replayed alone."""

from __future__ import annotations

from collections.abc import Sequence

from cascade_cli.policy import Policy
from cascade_cli.simulate.cells import masks_of, tally_policies
from cascade_cli.simulate.clustering import design_effects
from cascade_cli.simulate.events import Events
from cascade_cli.simulate.figures import Figures, figures_of
from cascade_cli.simulate.prices import Prices
from cascade_cli.simulate.sampled import weighed_figures


def sweep_policies(events: Events, policies: Sequence[Policy], prices: Prices) -> list[Figures]:
    """The figures of each policy, in their order; intervals allow for what events share."""
    tallies = tally_policies(events, policies)
    if not events.clustered and not any(policy.burn_in_events for policy in policies):
        return [figures_of(policy, tally, prices) for policy, tally in zip(policies, tallies, strict=True)]
    return [
        {
            **figures_of(policy, tally, prices, design_effects(events, masks)),
            **(weighed_figures(events, policy, masks) if policy.burn_in_events else {}),
        }
        for policy, tally, masks in zip(policies, tallies, masks_of(events, policies), strict=True)
    ]
