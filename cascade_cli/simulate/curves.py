"""How well the gates pick the events that are wrong, between no order at all and the best order that there is.

The teacher counts as right, so what is deferred agrees. Only labelled events are in it.
"""

from __future__ import annotations

import numpy as np

from cascade_cli.policy import RANDOM_SAMPLE
from cascade_cli.simulate.cells import BIT, Ints
from cascade_cli.simulate.events import AGREES, NO_LABEL, Events
from cascade_cli.simulate.figures import Figures
from cascade_cli.stats.deferral import (
    DeferralCurve,
    augrc,
    deferral_curve,
    gain_between,
    oracle_curve,
    random_curve,
    regret_to,
)

_MOST_POINTS = 200
_TARGETS = (0.9, 0.95, 0.98, 0.99)


def curves_of(events: Events, masks: Ints) -> Figures:
    """Agreement by the share of events that go to the teacher, for the gates, at random, and by an oracle.

    Args:
        events: with their labels.
        masks: what fires for each under the policy, shape (n,); the sample is no choice and is left out.

    Returns:
        ``labelled``; a curve for each of ``gates``, ``random``, ``oracle`` and, where events have its scores,
        ``verifier``, as at most some hundred pairs of share and agreement, straight in between; ``augrc`` of each;
        ``normalised_gain`` of the gates, 0 at random and 1 for the oracle, None where every event agrees or none does;
        their ``regret``; and under ``targets`` the share that each needs. Events without a score come last in the
        verifier's order.
    """
    known = events.labels != NO_LABEL
    agrees = (events.labels[known] == AGREES).astype(np.float64)
    if not len(agrees):
        return {"labelled": 0}
    fired = ((masks[known] & ~BIT[RANDOM_SAMPLE]) > 0).astype(np.float64)
    right = np.ones(len(agrees))
    gates = deferral_curve(agrees, right, fired)
    curves = {"gates": gates, "random": random_curve(agrees, right), "oracle": oracle_curve(agrees, right)}
    scores = {"gates": fired, "random": np.zeros(len(agrees)), "oracle": 1 - agrees}
    if not np.isnan(events.verifier).all():
        scores["verifier"] = np.nan_to_num(events.verifier[known], nan=-1.0)
        curves["verifier"] = deferral_curve(agrees, right, scores["verifier"])
    return {
        "labelled": len(agrees),
        **{name: _points(curve) for name, curve in curves.items()},
        "augrc": {name: augrc(1 - agrees, score) for name, score in scores.items()},
        "normalised_gain": gain_between(gates, curves["random"], curves["oracle"]),
        "regret": regret_to(gates, curves["oracle"]),
        "targets": [
            {"agreement": target, **{name: _share(curve, target) for name, curve in curves.items()}}
            for target in _TARGETS
        ],
    }


def _points(curve: DeferralCurve) -> list[list[float]]:
    last = len(curve.deferred) - 1
    kept = np.unique(np.linspace(0, last, min(last, _MOST_POINTS) + 1).round().astype(np.int64))
    return np.column_stack([curve.deferred[kept] / curve.events, curve.quality[kept]]).tolist()  # type: ignore[no-any-return]


def _share(curve: DeferralCurve, quality: float) -> float | None:
    calls = curve.calls_for(quality)
    return None if calls is None else calls / curve.events
