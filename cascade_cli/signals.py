"""What is known of a student's answer beside its text: named numbers, as a verifier's expectation that it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MOST_SIGNALS: Final = 64
"""So many tell all that a gate could ask for; more are a mistake of whoever wrote them."""


def read_signals(given: Mapping[str, object]) -> dict[str, float]:
    """Signals as they were written; one that is null is not there.

    Raises:
        ValueError: a value is no number in [0, 1], or there are too many.
    """
    if len(given) > MOST_SIGNALS:
        raise ValueError(f"expected at most {MOST_SIGNALS}, found {len(given):,}")
    return {name: _share(value) for name, value in given.items() if value is not None}


def _share(value: object) -> float:
    # NaN is in no interval.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError("expected numbers from 0 to 1, found another value")
    return float(value)
