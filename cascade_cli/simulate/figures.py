"""A tally of what fired -> the figures of a simulation: escalation, agreement, what stays wrong, cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cascade_cli.policy import RANDOM_SAMPLE, REASONS, Policy
from cascade_cli.simulate.cells import BIT, MASKS, Bools, Tally, reasons_of
from cascade_cli.simulate.events import AGREES, DISAGREES
from cascade_cli.simulate.prices import Prices, dollars
from cascade_cli.stats import Interval, wilson
from cascade_cli.stats.estimates import Estimate

Figures = dict[str, Any]
"""Figures in the shape of the JSON of ``cascade simulate``: numbers, None, and mappings and lists of them."""

_ALL_MASKS = range(MASKS)
_SAMPLED: Bools = np.array([bool(mask & BIT[RANDOM_SAMPLE]) for mask in _ALL_MASKS])
_GATED: Bools = np.array([bool(mask & ~BIT[RANDOM_SAMPLE]) for mask in _ALL_MASKS])
_ESCALATED = _GATED | _SAMPLED
_UNSEEN: Bools = np.array([mask == BIT["vip_arena"] for mask in _ALL_MASKS])
"""VIP events that are not sampled: their student is never called."""


@dataclass(frozen=True, slots=True)
class DesignEffects:
    """By what factor clusters multiply the variance of each rate; 1 where events are independent."""

    escalation: float = 1.0
    standing: float = 1.0
    standing_wrong: float = 1.0
    sampled: float = 1.0
    overall: float = 1.0


INDEPENDENT = DesignEffects()


def policy_figures(policy: Policy) -> Figures:
    """The settings of a policy, as JSON can hold them."""
    return {
        "fingerprint": policy.fingerprint,
        "sample_rate": float(policy.sample_rate),
        "high_value_categories": sorted(policy.high_value_categories),
        "vip_arenas": sorted(policy.vip_arenas),
        "verifier_threshold": policy.verifier_threshold,
        "salt": policy.salt,
        "gates": [reason for reason in REASONS if reason in policy.gates],
        "burn_in_events": policy.burn_in_events,
    }


def figures_of(policy: Policy, tally: Tally, prices: Prices, effects: DesignEffects = INDEPENDENT) -> Figures:
    """The figures of one policy.

    Every event counts that fired nothing or only the sample, not those alone that the sample would have labelled in
    production: recorded pairs have all their labels. ``sampled_view`` is what production would see.

    Args:
        policy: whose tally it is.
        tally: of all events.
        prices: of tokens.
        effects: what clusters cost; with the defaults events are taken for independent.
    """
    events = int(tally.counts.sum())
    escalated = _count(tally, _ESCALATED)
    return {
        "policy": policy_figures(policy),
        "sample_rate": float(policy.sample_rate),
        "escalation": {**rate_figures(escalated, events, effects.escalation), "by_reason": _by_reason(tally)},
        "standing": _count(tally, ~_GATED),
        "left_standing": _count(tally, ~_ESCALATED),
        "standing_agreement": _agreement(tally, ~_GATED, effects.standing),
        "residual_disagreement": _residual(tally, events, effects.standing_wrong),
        "overall_agreement": _agreement(tally, np.ones(MASKS, dtype=np.bool_), effects.overall),
        "sampled_view": _agreement(tally, ~_GATED & _SAMPLED, effects.sampled),
        "cost": _cost(tally, events, prices),
    }


def _by_reason(tally: Tally) -> Figures:
    """For each reason the events where it fires first, where it fires at all, and where it alone fires."""
    found = {reason: {"first": 0, "any": 0, "alone": 0} for reason in REASONS}
    for mask, events in enumerate(tally.counts.sum(axis=1).tolist()):
        fired = reasons_of(mask)
        for reason in fired:
            found[reason]["any"] += events
        if fired:
            found[fired[0]]["first"] += events
        if len(fired) == 1:
            found[fired[0]]["alone"] += events
    return found


def _count(tally: Tally, masks: Bools, label: int | None = None) -> int:
    chosen = tally.counts[masks]
    return int(chosen.sum() if label is None else chosen[:, label].sum())


def rate_figures(hits: float, n: int, effect: float = 1.0) -> Figures:
    """A rate with Wilson's interval, its variance multiplied by a design effect; undefined where n is 0."""
    interval = wilson(hits / effect, n / effect)
    return {"rate": hits / n if n else None, **_bounds(interval), "n": n}


def estimate_figures(found: Estimate | None) -> Figures:
    """An estimate in the shape of the other rates; undefined without labels."""
    if found is None:
        return {"rate": None, "low": None, "high": None, "n": 0}
    return {"rate": found.rate, "low": found.interval.low, "high": found.interval.high, "n": found.labels}


def _bounds(interval: Interval | None) -> Figures:
    return {"low": interval.low if interval else None, "high": interval.high if interval else None}


def _agreement(tally: Tally, masks: Bools, effect: float) -> Figures:
    agree, disagree = (_count(tally, masks, label) for label in (AGREES, DISAGREES))
    return rate_figures(agree, agree + disagree, effect)


def _residual(tally: Tally, events: int, effect: float) -> Figures:
    """Share of all events that are left standing and wrong: share left standing times disagreement among the standing.

    The sampler is blind to the label, so every standing event tells of those left standing. The interval is Wilson's
    for "standing and wrong" among the events, scaled by the share of the standing that the sampler leaves. Standing
    events without a label are taken to be like those with one.
    """
    standing, left = _count(tally, ~_GATED), _count(tally, ~_ESCALATED)
    agree, disagree = (_count(tally, ~_GATED, label) for label in (AGREES, DISAGREES))
    labelled = agree + disagree
    if events and not left:  # with nobody left standing nothing can be wrong, and no label is needed to know it
        return {"rate": 0.0, "low": 0.0, "high": 0.0, "n": labelled}
    if not labelled:
        return {"rate": None, "low": None, "high": None, "n": 0}
    spread, kept = standing / labelled, left / standing
    # As many events as would give the labels at hand, were every standing event labelled.
    n = events / spread
    interval = wilson(disagree / effect, n / effect)
    low, high = (interval.low * kept, interval.high * kept) if interval else (None, None)
    return {"rate": disagree / n * kept, "low": low, "high": high, "n": labelled}


def _cost(tally: Tally, events: int, prices: Prices) -> Figures:
    escalated, asked = _count(tally, _ESCALATED), events - _count(tally, _UNSEEN)
    sums = {
        "teacher_s": _seconds(tally, "teacher_ms", _ESCALATED),
        "teacher_s_for_all": _seconds(tally, "teacher_ms", np.ones(MASKS, dtype=np.bool_)),
        "student_s": _seconds(tally, "student_ms", ~_UNSEEN),
    }
    usd, usd_for_all = dollars(prices, tally.costs, _ESCALATED, ~_UNSEEN)
    return {
        "teacher_calls": escalated,
        "student_calls": asked,
        **sums,
        "usd": usd,
        "usd_teacher_for_all": usd_for_all,
        "usd_per_1000_events": None if usd is None or not events else 1000 * usd / events,
        "ratio_to_teacher_for_all": None if usd is None or not usd_for_all else usd / usd_for_all,
    }


def _seconds(tally: Tally, name: str, masks: Bools) -> float | None:
    """Summed seconds over some masks; None unless every event there has a figure."""
    known, events = tally.costs[f"known_{name}"][masks].sum(), tally.counts[masks].sum()
    return float(tally.costs[name][masks].sum()) / 1000 if events and known == events else None
