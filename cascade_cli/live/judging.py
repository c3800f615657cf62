"""A student's answer -> what becomes of its event, by the very gates that are simulated. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cascade_cli.extraction import parse_extraction
from cascade_cli.live.burn_in import BurnIn
from cascade_cli.policy import Decision, Policy, decide
from cascade_cli.postgres.writing import JudgedAnswer
from cascade_cli.records import Event, StudentAnswer

VIP_ARENA = "vip_arena"


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged answer with its extraction.

    Attributes:
        answer: as it is recorded.
        decision: what the gates made of it.
        extraction: None where none could be read.
        tells: whether it says anything of how good the student is; an endpoint that is away does not.
    """

    answer: JudgedAnswer
    decision: Decision
    extraction: dict[str, object] | None
    tells: bool = True


@dataclass(frozen=True, slots=True)
class Judge:
    """Applies the policy.

    Attributes:
        policy: the gates with their settings.
        student_model: whose answers they are.
        prompt_shape: how events are shown to it.
        burn_in: says which sample rate is in force, and counts.
    """

    policy: Policy
    student_model: str
    prompt_shape: str
    burn_in: BurnIn

    def needs_no_answer(self, event: Event) -> bool:
        """Whether the event goes to the teacher whatever the student would say, and the sample has no use for it."""
        if event.arena not in self.policy.vip_arenas:
            return False
        decision = decide(event, None, self.policy, rate=self.burn_in.rate)
        return decision.fired == (VIP_ARENA,) and not decision.sampled

    def judge(
        self,
        event: Event,
        text: str | None,
        *,
        seconds: float | None = None,
        signals: Mapping[str, float] | None = None,
    ) -> Judged:
        """Judge what the student said.

        Args:
            event: that it was asked about.
            text: as it came; None where the call failed.
            seconds: that it took; None where there was no answer.
            signals: what else is known of the answer.
        """
        student_ms = None if seconds is None else 1_000 * seconds
        answer = StudentAnswer(
            event.id, text, self.student_model, self.prompt_shape, student_ms=student_ms, signals=signals or {}
        )
        judged = self.again(event, answer)
        self.burn_in.decided(judged.decision)
        return judged

    def again(self, event: Event, answer: StudentAnswer) -> Judged:
        """Judge an answer that was given before, by the rate of now; it was counted when it came."""
        extraction = None if answer.response is None else parse_extraction(answer.response)
        decision = decide(event, extraction, self.policy, answer.signals, rate=self.burn_in.rate)
        return Judged(JudgedAnswer(answer, extraction is not None, decision), decision, extraction)
