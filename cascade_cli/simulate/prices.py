"""What answers cost by their tokens. Prices are the user's: without them there is no figure in dollars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cascade_cli.config import (
    COST_STUDENT_INPUT_USD,
    COST_STUDENT_OUTPUT_USD,
    COST_TEACHER_INPUT_USD,
    COST_TEACHER_OUTPUT_USD,
    COST_TEACHER_PROMPT_TOKENS,
    TEACHER_EVENTS_PER_CALL,
    Settings,
)

CHARS_PER_TOKEN = 4.0
"""Characters taken for a token where none were counted: a rule of thumb for English text, too high for most others."""
_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for a million tokens, and what every teacher call carries besides the event; None where unknown.

    Attributes:
        teacher_input_usd: tokens that the teacher reads.
        teacher_output_usd: tokens that it writes.
        student_input_usd: tokens that the student reads.
        student_output_usd: tokens that it writes.
        teacher_overhead_tokens: of the system prompt, for each event: its length divided by the events of a call.
    """

    teacher_input_usd: float | None = None
    teacher_output_usd: float | None = None
    student_input_usd: float | None = None
    student_output_usd: float | None = None
    teacher_overhead_tokens: float = 0.0


def read_prices(settings: Settings) -> Prices:
    """The prices that the settings give."""
    return Prices(
        settings[COST_TEACHER_INPUT_USD],
        settings[COST_TEACHER_OUTPUT_USD],
        settings[COST_STUDENT_INPUT_USD],
        settings[COST_STUDENT_OUTPUT_USD],
        settings[COST_TEACHER_PROMPT_TOKENS] / settings[TEACHER_EVENTS_PER_CALL],
    )


def dollars(
    prices: Prices,
    sums: Mapping[str, npt.NDArray[np.float64]],
    escalated: npt.NDArray[np.bool_],
    asked: npt.NDArray[np.bool_],
) -> tuple[float | None, float | None]:
    """What a policy costs, and what it costs to ask the teacher about everything; None where a price is missing.

    Args:
        prices: of a million tokens.
        sums: characters by mask, as in ``Tally.costs``.
        escalated: the masks whose events go to the teacher.
        asked: the masks whose events the student is asked about.
    """
    teacher = _spent(prices.teacher_input_usd, prices.teacher_output_usd, sums, "teacher_chars")
    student = _spent(prices.student_input_usd, prices.student_output_usd, sums, "student_chars")
    if teacher is None:
        return None, None
    overhead = prices.teacher_overhead_tokens * (prices.teacher_input_usd or 0.0) / _MILLION
    teacher = teacher + overhead * sums["known_teacher_chars"]
    if student is None:
        return None, float(teacher.sum())
    return float(teacher[escalated].sum() + student[asked].sum()), float(teacher.sum())


def _spent(
    input_usd: float | None, output_usd: float | None, sums: Mapping[str, npt.NDArray[np.float64]], written: str
) -> npt.NDArray[np.float64] | None:
    if input_usd is None or output_usd is None:
        return None
    spent: npt.NDArray[np.float64] = (
        (sums["prompt_chars"] * input_usd + sums[written] * output_usd) / CHARS_PER_TOKEN / _MILLION
    )
    return spent
