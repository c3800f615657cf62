"""Another policy replayed on the log of a worker, which labelled some events for certain and others by its sample.

Each event weighs the inverse of the chance with which the logged policy showed both answers: 1 where a gate fired, the
rate where it was sampled only, or came from a VIP arena (Hajek, 1971). What the new sampler would take is not looked up
but counted as a share: it is the logged sampler, so on its own log it would take everything or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cascade_cli.errors import UsageError
from cascade_cli.policy import RANDOM_SAMPLE, Policy
from cascade_cli.simulate.cells import BIT, Bools, Floats, Ints, fired_masks, masks_of
from cascade_cli.simulate.events import AGREES, NO_LABEL, Events
from cascade_cli.simulate.figures import Figures, estimate_figures, policy_figures
from cascade_cli.stats.estimates import Estimate, hajek


def replay_log(events: Events, logged: Policy, policies: Sequence[Policy]) -> Figures:
    """Estimate what policies would have done, from what another one saw.

    Args:
        events: those of the log, both answers at hand.
        logged: the policy that was in force.
        policies: the ones to replay, at least one.

    Returns:
        The figures of the first policy, and of all of them under ``sweep``: under ``escalation``,
        ``standing_agreement``, ``residual_disagreement`` and ``overall_agreement`` rate, low, high, n, ``effective_n``,
        ``largest_weight`` and ``insufficient``; None where there is no label. Counts of events are the log's.

    Raises:
        UsageError: not identified, for at a rate of 0 nothing was ever seen of the events that stood; it is no log of
            that policy, for it holds events that the policy would not have labelled; or a policy has a burn-in.
    """
    if not logged.sample_rate:
        raise UsageError(
            "Not identified: at a logged rate of 0 nothing was seen of the events that stood.",
            hint="Only a log with a sample can tell what another policy would have done.",
        )
    if any(policy.burn_in_events for policy in (logged, *policies)):
        raise UsageError(
            "A burn-in cannot be replayed on a log: how old a prompt hash was is known of a full record only.",
            hint="Leave --logged-rate out, or set policy.burn_in_events to 0.",
        )
    seen = fired_masks(events, logged)
    _check(seen, logged)
    chances = _chances(seen, logged)
    sweep = [
        _replayed(events, chances, policy, masks)
        for policy, masks in zip(policies, masks_of(events, policies), strict=True)
    ]
    return {
        "events": len(events),
        "labelled": int((events.labels != NO_LABEL).sum()),
        "prompt_hashes": events.prompt_hashes.n_unique(),
        "logged_policy": policy_figures(logged),
        **sweep[0],
        "sweep": sweep,
    }


def _replayed(events: Events, chances: Floats, policy: Policy, masks: Ints) -> Figures:
    stands = (masks & ~BIT[RANDOM_SAMPLE]) == 0
    labelled, agrees = events.labels != NO_LABEL, events.labels == AGREES
    rate = float(policy.sample_rate)
    wrong = (stands & ~agrees).astype(np.float64)
    return {
        "policy": policy_figures(policy),
        "sample_rate": rate,
        "escalation": _estimate(events, np.where(stands, rate, 1.0), chances, np.ones(len(events), dtype=np.bool_)),
        "left_standing": int(stands.sum()) if rate < 1 else 0,
        "standing_agreement": _estimate(events, agrees.astype(np.float64), chances, stands & labelled),
        "residual_disagreement": _scaled(_estimate(events, wrong, chances, labelled), 1 - rate),
        "overall_agreement": _estimate(events, agrees.astype(np.float64), chances, labelled),
    }


def _chances(seen: Ints, logged: Policy) -> Floats:
    vip = (seen & BIT["vip_arena"]) > 0
    gated = (seen & ~BIT[RANDOM_SAMPLE]) > 0
    return np.where(gated & ~vip, 1.0, float(logged.sample_rate))


def _check(seen: Ints, logged: Policy) -> None:
    strange = int(((seen == 0) | (seen == BIT["vip_arena"])).sum())
    if strange:
        rate = logged.sample_rate
        raise UsageError(
            f"{strange:,} events would not have been labelled at a rate of {rate}: this is no log of that policy.",
            hint="Leave --logged-rate out for a full record, or give the rate, salt and gates that were in force.",
        )


def _estimate(events: Events, values: Floats, chances: Floats, among: Bools) -> Figures:
    return _figures(hajek(values[among], chances[among], events.cluster_codes[among] if events.clustered else None))


def _figures(found: Estimate | None) -> Figures:
    return {
        **estimate_figures(found),
        "effective_n": found.effective_labels if found else None,
        "largest_weight": found.largest_weight if found else None,
        "insufficient": found is None or not found.sufficient,
    }


def _scaled(figures: Figures, share: float) -> Figures:
    ends = {name: figures[name] * share for name in ("rate", "low", "high") if figures[name] is not None}
    return {**figures, **ends}
