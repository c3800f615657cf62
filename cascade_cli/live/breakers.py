"""The breakers: when too many of the student's late answers are bad, or its writes leave no record, the flip goes.

A gate catches each bad answer by itself; many of them at once say that the student, or the prompt it was trained for,
is no longer what was approved. Whoever gives the flip back gives it to what comes then, so that the answers from before
count no more. The breaker judges by the lower bound of Wilson's interval (Wilson, 1927) over twenty
answers at least, so that a handful of bad ones opens nothing; only a person closes it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from cascade_cli.stats import wilson

WINDOW_ANSWERS = 200
_LEAST_ANSWERS = 20


@dataclass(slots=True)
class Breaker:
    """Watches one sort of bad answer.

    Attributes:
        reason: the gate whose firing is bad here.
        most: share in (0, 1) that is borne; above it, for sure, the breaker opens.
        window: answers that are looked at, the latest.
    """

    reason: str
    most: float
    window: int = WINDOW_ANSWERS
    _late: deque[bool] = field(init=False)

    def __post_init__(self) -> None:
        self._late = deque(maxlen=self.window)

    def saw(self, fired: Iterable[str]) -> None:
        """Count one answer of the student by the gates that fired."""
        self._late.append(self.reason in fired)

    def forget(self) -> None:
        """Begin anew."""
        self._late.clear()

    @property
    def opens(self) -> str | None:
        """Why the flip is to be taken away; None while all is well."""
        bad, seen = sum(self._late), len(self._late)
        # The lower bound is below the share itself, which settles nearly every answer.
        if seen < _LEAST_ANSWERS or bad <= self.most * seen:
            return None
        share = wilson(bad, seen)
        if share is None or share.low <= self.most:
            return None
        return f"{self.reason} for {bad} of the last {seen} answers, more than {self.most:.0%}"


@dataclass(slots=True)
class RecordBreaker:
    """Opens at the first write of the student that cannot be recorded, for it could never be found again."""

    reason: ClassVar[str] = "unrecordable"
    _is_open: bool = False

    def opens(self) -> bool:
        """Whether this is the first such write since the flip was given."""
        was_open, self._is_open = self._is_open, True
        return not was_open

    def forget(self) -> None:
        """Begin anew."""
        self._is_open = False
