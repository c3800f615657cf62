"""A careful way from nothing to the target: stages of falling sample rates, and what each must show before the next.

The stages are those of ``policy.stages_of``, as ``cascade run --rollout-stage`` puts them in force. One may be left
when its labels bound the disagreement of what will stand in the next one so tightly that no more than the target would
be left standing and wrong.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from cascade_cli.policy import EVERY_CATEGORY, RANDOM_SAMPLE, Policy, stages_of
from cascade_cli.simulate.cells import BIT, Ints, masks_of, tally_policies
from cascade_cli.simulate.clustering import standing_effect
from cascade_cli.simulate.events import Events
from cascade_cli.simulate.figures import Figures, figures_of
from cascade_cli.simulate.prices import Prices
from cascade_cli.stats import wilson

_MOST_LABELS = 1_000_000


def plan_rollout(events: Events, policy: Policy, prices: Prices, target: float) -> list[Figures]:
    """The stages, from the most careful to the policy.

    Args:
        events: recorded, as those to come are supposed to be.
        policy: where it ends; its burn-in is left out, for the plan is for prompts that are known.
        prices: of tokens.
        target: the residual disagreement in [0, 1] that is borne.

    Returns:
        For each stage its number, fingerprint, rate, categories (the policy's, or every one), expected escalation and
        residual; ``labels_needed`` before the next one may begin, 0 where that cannot miss the target, and the
        ``events_needed`` for them and, where events are dated, ``days_needed``. All three are None in the last stage,
        and in an earlier one where no number of labels would do at the agreement seen here.
    """
    policy = replace(policy, burn_in_events=0)
    stages = stages_of(policy)
    figures = [
        figures_of(stage, tally, prices) for stage, tally in zip(stages, tally_policies(events, stages), strict=True)
    ]
    fired = list(masks_of(events, stages))
    planned = [_stage(number, each, policy) for number, each in enumerate(figures, 1)]
    for place, ahead in enumerate(figures[1:]):
        labels = _labels_needed(ahead, target, standing_effect(events, fired[place + 1]))
        rate = float(stages[place].sample_rate)
        needed = None if labels is None else labels * _events_a_label(fired[place], rate, fired[place + 1])
        volume = events.per_day
        days = needed / volume if needed is not None and volume else None
        planned[place] |= {"labels_needed": labels, "events_needed": needed, "days_needed": days}
    return planned


def _stage(number: int, figures: Figures, policy: Policy) -> Figures:
    return {
        "stage": number,
        "fingerprint": figures["policy"]["fingerprint"],
        "sample_rate": figures["sample_rate"],
        "every_category": EVERY_CATEGORY in figures["policy"]["high_value_categories"],
        "high_value_categories": sorted(policy.high_value_categories),
        "escalation": figures["escalation"]["rate"],
        "residual": figures["residual_disagreement"]["rate"],
        "labels_needed": None,
        "events_needed": None,
        "days_needed": None,
    }


def _events_a_label(seen: Ints, rate: float, ahead: Ints) -> float:
    """How many events pass in a stage for each label's worth of knowledge about what will stand in the next.

    Of that, what gates escalate in this stage is labelled for certain, a share a; the rest at the sample rate r.
    Weighed accordingly, m of them are worth m / (a + (1 - a) / r) labels.

    Args:
        seen: what fires in this stage, shape (n,).
        rate: of this stage.
        ahead: what fires in the next, shape (n,).
    """
    will_stand = (ahead & ~BIT[RANDOM_SAMPLE]) == 0
    if not will_stand.any():
        return 1.0
    # An event of a VIP arena is labelled only if it is sampled.
    sure = (seen[will_stand] & ~BIT[RANDOM_SAMPLE] & ~BIT["vip_arena"]) > 0
    certain = float(sure.mean())
    return (certain + (1 - certain) / rate) / float(will_stand.mean())


def _labels_needed(ahead: Figures, target: float, effect: float) -> int | None:
    """The least number of labels whose bound on the disagreement keeps the next stage within the target.

    Args:
        ahead: figures of the next stage.
        target: what may stay wrong.
        effect: by what factor clusters multiply the variance of its standing agreement.
    """
    agreement, events = ahead["standing_agreement"]["rate"], ahead["escalation"]["n"]
    if agreement is None or not events:
        return None
    left = ahead["left_standing"] / events
    borne = target / left if left else 1.0
    if borne >= 1:
        return 0
    low, high = 1, _MOST_LABELS
    if _upper(1 - agreement, high) > borne:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _upper(1 - agreement, middle) <= borne else (middle + 1, high)
    return ceil(low * effect)


def _upper(rate: float, n: int) -> float:
    interval = wilson(rate * n, n)
    return interval.high if interval else 1.0
