"""Whether the next stage of a rollout is justified: by what the present one has labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cascade_cli.errors import UsageError
from cascade_cli.policy import Policy, stages_of
from cascade_cli.simulate import BIT, Events, fired_masks, policy_figures, replay_log
from cascade_cli.stats.estimates import INSUFFICIENT

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is rolled out.

    Attributes:
        policy: where it ends.
        stage: in force, from 1.
        target: the residual disagreement in [0, 1] that is borne.
    """

    policy: Policy
    stage: int
    target: float


def read_rollout(policy: Policy, stage: int | None, target: float | None) -> Rollout | None:
    """What was asked for; None where nothing was.

    Raises:
        UsageError: a target for no stage.
    """
    if target is not None and stage is None:
        raise UsageError("--target-residual is for a rollout.", hint="Say its stage: --rollout-stage 1.")
    return None if target is None or stage is None else Rollout(policy, stage, target)


def rollout_figures(events: Events, rollout: Rollout, alarmed: Sequence[object]) -> Figures:
    """Judge the next stage on the newest prompt hash.

    Of the events only those count of which the present stage shows both answers: what its gates escalate, and its
    sample, each by the inverse of its chance (Hajek, 1971). So a record that also holds a time in shadow, when all
    of it was labelled, says no more than the stage's own log would, and cannot bias it.

    Args:
        events: of any number.
        rollout: its stage and target.
        alarmed: hashes whose agreement has fallen.

    Returns:
        ``stage`` and ``stages``; ``next``, its policy, None at the end; ``residual_disagreement`` of that, with its
        upper bound; ``justified`` iff that bound is within the target, on 30 labels at least, without an alarm; else
        ``why`` not.
    """
    stages = stages_of(rollout.policy)
    found: Figures = {"stage": rollout.stage, "stages": len(stages), "target": rollout.target}
    if rollout.stage == len(stages):
        return {**found, "next": None, "residual_disagreement": None, "justified": False, "why": "it is the last one"}
    ahead, prompt_hash = stages[rollout.stage], events.newest_prompt_hash
    residual = _residual(events.under(prompt_hash), stages[rollout.stage - 1], ahead)
    why = "agreement has fallen" if prompt_hash in alarmed else _shortfall(residual, rollout.target)
    return {
        **found,
        "next": policy_figures(ahead),
        "system_prompt_hash": prompt_hash,
        "residual_disagreement": residual,
        "justified": why is None,
        "why": why,
    }


def _residual(events: Events, now: Policy, ahead: Policy) -> Figures:
    now, ahead = (replace(each, burn_in_events=0) for each in (now, ahead))
    # An event of a VIP arena that is not sampled is never shown to the student.
    seen = events.among(np.flatnonzero(fired_masks(events, now) & ~BIT["vip_arena"]))
    figures: Figures = replay_log(seen, now, [ahead])["residual_disagreement"]
    return figures


def _shortfall(residual: Figures, target: float) -> str | None:
    """Why the bound does not do; None where it does."""
    if residual["n"] < INSUFFICIENT:
        return f"{residual['n']:,} labels are too few, {INSUFFICIENT} are wanted"
    if residual["high"] > target:
        return "more than the target could be left standing and wrong"
    return None
