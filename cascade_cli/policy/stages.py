"""A rollout in stages: the policy's own, behind ever less careful ones that lead to it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from cascade_cli.policy.deciding import Policy
from cascade_cli.policy.gates import EVERY_CATEGORY

_BROAD_RATES = (Decimal("0.5"), Decimal("0.25"))
_RATES = (Decimal("0.25"), Decimal("0.1"))


def stages_of(policy: Policy) -> tuple[Policy, ...]:
    """The stages, the most careful first; the last is the policy.

    The first ones sample half and a quarter of the events and escalate whatever has a category; then the policy's
    categories are enough, and the sample falls to a tenth. Those that would sample no more than the policy are left
    out. Each is a policy with a fingerprint of its own, so what was recorded of a stage is told apart from the next.
    """
    every = policy.high_value_categories | {EVERY_CATEGORY}
    broad = [replace(policy, sample_rate=rate, high_value_categories=every) for rate in _BROAD_RATES]
    narrow = [replace(policy, sample_rate=rate) for rate in _RATES]
    return (*(stage for stage in (*broad, *narrow) if stage.sample_rate > policy.sample_rate), policy)
