"""The cheapest policy that keeps what stays wrong within a target, chosen so that the choice itself does not deceive.

Taking the policy whose estimate looks best would be the optimum of this sample, not of the process. Instead all are
tested from the safest down, each against "too much stays wrong" at the same level, and the first that cannot be shown
to be safe ends it: fixed-sequence testing, which keeps the chance of any false pass at that level (Angelopoulos et al.,
"Learn then test", 2021).
"""

from __future__ import annotations

from collections.abc import Sequence

from cascade_cli.simulate.figures import Figures
from cascade_cli.stats.estimates import INSUFFICIENT


def cheapest_within(target: float, sweep: Sequence[Figures]) -> Figures:
    """Choose a policy of a sweep.

    Args:
        target: the residual disagreement that is borne, in [0, 1].
        sweep: figures of policies over the same events; with fewer than 30 labels none passes. The safest is the one
            that escalates most: an order that no label had a say in.

    Returns:
        ``target``; ``sample_rate``, ``verifier_threshold`` and ``escalation`` of the last policy that passed, None
        where none did; ``tested``, how many were tested; ``level``, of each test: the upper end of a two-sided 95 %
        interval.
    """
    passed: Figures | None = None
    tested = 0
    for figures in sorted(sweep, key=_escalation, reverse=True):
        tested += 1
        residual = figures["residual_disagreement"]
        # With nobody left standing nothing can be wrong, and no label is needed to know it.
        insufficient = bool(figures["left_standing"]) and residual["n"] < INSUFFICIENT
        if insufficient or residual["high"] is None or residual["high"] > target:
            break
        passed = figures
    return {
        "target": target,
        "sample_rate": passed["sample_rate"] if passed else None,
        "verifier_threshold": passed["policy"]["verifier_threshold"] if passed else None,
        "escalation": passed["escalation"]["rate"] if passed else None,
        "residual_high": passed["residual_disagreement"]["high"] if passed else None,
        "tested": tested,
        "level": 0.025,
    }


def _escalation(figures: Figures) -> tuple[float, float]:
    """What escalates; of policies that escalate the same events, the higher rate is the safer one for those to come."""
    return figures["escalation"]["rate"] or 0.0, figures["sample_rate"]
