"""The gate that a student passes before it may write: its agreement under the teacher prompt that is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from cascade_cli.config import STUDENT_MODEL, WORKSPACE_PATH, Settings
from cascade_cli.console import Result
from cascade_cli.errors import CascadeError, GateFailed, NothingEvaluated, UsageError
from cascade_cli.prompt_in_force import PromptInForce, prompt_in_force
from cascade_cli.scoring.frames import Scored
from cascade_cli.scoring.gates import Conditions
from cascade_cli.scoring.summary import agreement_of
from cascade_cli.workspace import FlipGate, Workspace

LEAST_SCORED: Final = 30
"""Scored pairs under which no verdict is recorded."""
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FlipGateWanted:
    """A verdict for the flip is to be recorded.

    Attributes:
        policy_fingerprint: of the policy of these settings, kept with it.
    """

    policy_fingerprint: str


@dataclass(frozen=True, slots=True)
class FlipJudgement:
    """What was found.

    Attributes:
        prompt: in force.
        student_model: who is to write.
        agreement: ``rate``, ``low``, ``high`` and ``n`` of this student's first answers under this prompt.
        threshold: that the lower bound must reach, in [0, 1].
    """

    prompt: PromptInForce
    student_model: str
    agreement: Figures
    threshold: float

    @property
    def passed(self) -> bool:
        """Whether the student may write."""
        low = self.agreement["low"]
        return self.is_enough and low is not None and low >= self.threshold

    @property
    def is_enough(self) -> bool:
        """Whether so many pairs were scored that there is a verdict at all."""
        return int(self.agreement["n"]) >= LEAST_SCORED

    @property
    def failure(self) -> CascadeError | None:
        """What the process ends with; None where it passed."""
        n, who = self.agreement["n"], f"{self.student_model} under prompt {self.prompt.hash[:12]}"
        if not self.is_enough:
            return NothingEvaluated(
                f"Only {n:,} scored pairs of {who}; a gate for the flip wants {LEAST_SCORED}.",
                hint="cascade run without --flip, or cascade shadow, brings more; then cascade pull.",
            )
        if not self.passed:
            low = self.agreement["low"]
            return GateFailed(
                f"Gate for the flip failed: the lower bound of the agreement of {who} is {low:.2%} (n = {n:,}),"
                f" and must reach {self.threshold:.2%}."
            )
        return None

    @property
    def data(self) -> Figures:
        """The same as the ``gate`` of ``--json`` has it."""
        key = {"system_prompt_hash": self.prompt.hash, "student_model": self.student_model}
        check = {"key": key, "value": self.agreement["low"], "n": self.agreement["n"], "passed": self.passed}
        return {
            "name": "flip",
            "threshold": self.threshold,
            "judged_on": "low",
            "passed": self.passed,
            "checks": [check],
        }


def check_flip_flags(conditions: Conditions, location: str | None, preset: str) -> None:
    """Refuse a gate for the flip that would not say what it promises.

    Raises:
        UsageError: it has no threshold, or is judged on something else than the workspace by the usual metric.
    """
    if conditions.fail_under is None:
        raise UsageError("--gate-for-flip needs a threshold.", hint="Give the agreement to reach: --fail-under 0.85")
    if conditions.on_rate:
        raise UsageError("--gate-for-flip is judged on the lower bound; --on-rate contradicts it.")
    if location is not None:
        raise UsageError("--gate-for-flip is judged on the workspace.", hint=f"First: cascade pull {location}")
    if preset != "default":
        raise UsageError(f"--gate-for-flip is judged by the default preset, not by {preset}.")


def judge_flip(scored: Scored, settings: Settings, threshold: float) -> FlipJudgement:
    """Judge the configured student under the prompt in force.

    Raises:
        UsageError: nobody says which prompt that is.
    """
    prompt, student = prompt_in_force(settings), settings[STUDENT_MODEL]
    figures = scored.figures
    stored = [each for each in figures["system_prompt_hash"].unique() if prompt.is_that_of(each)]
    concerned = figures.filter(
        pl.col("system_prompt_hash").is_in(stored),
        pl.col("student_model") == student,
        # Further samples of a question are no further evidence.
        pl.col("sample_index") == 0,
    )
    return FlipJudgement(prompt, student, agreement_of(concerned), threshold)


def with_flip_gate(
    result: Result, judgement: FlipJudgement, settings: Settings, wanted: FlipGateWanted, scorer: str
) -> Result:
    """The result with the verdict, which is kept where there is one and nothing else went wrong."""
    failure = result.failure or judgement.failure
    recorded = judgement.is_enough and (result.failure is None or isinstance(result.failure, GateFailed))
    if recorded:
        _keep(judgement, settings, wanted, scorer, result.run_id or "", passed=failure is None)
    data = {**result.data, "flip": {**judgement.data, "recorded": recorded}} if isinstance(result.data, dict) else {}
    return replace(
        result,
        data=data,
        blocks=(*result.blocks, _told(judgement)),
        gate=result.gate or judgement.data,
        failure=failure,
    )


def _keep(
    judgement: FlipJudgement, settings: Settings, wanted: FlipGateWanted, scorer: str, run_id: str, *, passed: bool
) -> None:
    gate = FlipGate(
        run_id,
        judgement.prompt.hash,
        judgement.student_model,
        passed,
        judgement.threshold,
        judgement.agreement["low"],
        judgement.agreement["n"],
        scorer,
        wanted.policy_fingerprint,
        datetime.now(UTC),
    )
    with Workspace.open(settings[WORKSPACE_PATH], "write") as workspace:
        workspace.add_flip_gate(gate)


def _told(judgement: FlipJudgement) -> str:
    low, n = judgement.agreement["low"], judgement.agreement["n"]
    told = "none" if low is None else f"{low:.1%}"
    verdict = "passed" if judgement.passed else "not passed"
    return (
        f"Gate for the flip {verdict}: {judgement.student_model} under prompt {judgement.prompt.hash[:12]} agrees by"
        f" {told} at least (n = {n:,}); asked for {judgement.threshold:.1%}."
    )
