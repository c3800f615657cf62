"""What tokens cost, by the prices of the configuration: without them there is no figure in dollars."""

from __future__ import annotations

from dataclasses import dataclass

from cascade_cli.config import (
    COST_STUDENT_INPUT_USD,
    COST_STUDENT_OUTPUT_USD,
    COST_TEACHER_INPUT_USD,
    COST_TEACHER_OUTPUT_USD,
    Setting,
    Settings,
)

_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Dollars for a million tokens that a model reads, and writes."""

    input_usd: float
    output_usd: float


def student_prices(settings: Settings) -> TokenPrices | None:
    """The student's; None unless both are known."""
    return _prices(settings, COST_STUDENT_INPUT_USD, COST_STUDENT_OUTPUT_USD)


def teacher_prices(settings: Settings) -> TokenPrices | None:
    """The teacher's; None unless both are known."""
    return _prices(settings, COST_TEACHER_INPUT_USD, COST_TEACHER_OUTPUT_USD)


def cost_usd(prompt_tokens: float, completion_tokens: float, prices: TokenPrices | None) -> float | None:
    """What tokens cost; None without prices."""
    if prices is None:
        return None
    return (prompt_tokens * prices.input_usd + completion_tokens * prices.output_usd) / _MILLION


def _prices(settings: Settings, read: Setting[float | None], written: Setting[float | None]) -> TokenPrices | None:
    input_usd, output_usd = settings[read], settings[written]
    return None if input_usd is None or output_usd is None else TokenPrices(input_usd, output_usd)
