"""So many a minute and no more: the teacher's fleet is sized for a share of the events, not for all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_MINUTE_S = 60.0


@dataclass(slots=True)
class Ceiling:
    """In no stretch of sixty seconds more than so many pass, wherever it begins.

    A bucket that refills would be smaller, and let a burst through beside what the minute permits.

    Attributes:
        per_min: how many may pass; None for no ceiling; 0 lets nothing pass.
        clock: monotonic seconds.
    """

    per_min: int | None
    clock: Callable[[], float]
    _passed: deque[tuple[float, int]] = field(init=False, default_factory=deque)
    _in_minute: int = field(init=False, default=0)

    def left(self, wanted: int) -> int:
        """How many of the wanted could pass now."""
        if self.per_min is None:
            return wanted
        now = self.clock()
        while self._passed and now - self._passed[0][0] >= _MINUTE_S:
            self._in_minute -= self._passed.popleft()[1]
        return max(0, min(wanted, self.per_min - self._in_minute))

    def take(self, wanted: int) -> int:
        """How many of the wanted may pass now; they count as passed."""
        passing = self.left(wanted)
        if passing and self.per_min is not None:
            self._passed.append((self.clock(), passing))
            self._in_minute += passing
        return passing
