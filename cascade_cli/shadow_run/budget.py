"""The limits that end a run cleanly: so many questions, so many dollars, so long."""

from __future__ import annotations

import time
from collections.abc import Callable

from cascade_cli.replay import Asking, Tally
from cascade_cli.shadow_run.asked import Shadow
from cascade_cli.token_prices import TokenPrices, cost_usd

MAX_ITEMS, MAX_COST, MAX_DURATION = "max_items", "max_cost", "max_duration"


class Budget:
    """Says when no further question may be asked."""

    def __init__(self, asked: Shadow, prices: TokenPrices | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._asked = asked
        self._prices = prices
        self._clock = clock
        self._began_s = clock()
        self._begun = 0
        self._asking: Asking | None = None

    def watch(self, asking: Asking) -> None:
        """Judge by what this asking has spent."""
        self._asking = asking

    def limit(self) -> str | None:
        """The limit that forbids a further question, which is else counted as asked; None where none does."""
        asked = self._asked
        if asked.max_items is not None and self._begun >= asked.max_items:
            return MAX_ITEMS
        if asked.max_duration_s is not None and self._clock() - self._began_s >= asked.max_duration_s:
            return MAX_DURATION
        if asked.max_cost_usd is not None and self._committed_usd() >= asked.max_cost_usd:
            return MAX_COST
        self._begun += 1
        return None

    def spent_usd(self, tally: Tally) -> float | None:
        """Dollars for what was answered; None without prices."""
        return cost_usd(tally.prompt_tokens, tally.completion_tokens, self._prices)

    def _committed_usd(self) -> float:
        """What was spent, and what is under way at the mean price of what was answered."""
        if self._asking is None:
            return 0.0
        tally = self._asking.tally
        spent = self.spent_usd(tally) or 0.0
        return spent + len(self._asking.since) * spent / tally.answered if tally.answered else spent
