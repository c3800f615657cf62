"""Tests of two verdicts on the same events."""

from __future__ import annotations

from scipy.special import bdtr


def mcnemar(only_first: int, only_second: int) -> float | None:
    """Return the exact two-sided p-value that two verdicts on the same events differ by chance alone.

    Events on which both say the same tell nothing; of the others, each side should win half (Q. McNemar, "Note on the
    sampling error of the difference between correlated proportions or percentages", Psychometrika 12, 1947; here with
    the binomial distribution itself instead of its approximation by chi-squared).

    Args:
        only_first: how many events only the first accepts.
        only_second: how many events only the second accepts.

    Returns:
        A probability in (0, 1]; None where the two agree on every event.

    Raises:
        ValueError: a number is negative.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"counts cannot be negative, got {only_first} and {only_second}")
    discordant = only_first + only_second
    if discordant == 0:
        return None
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), discordant, 0.5)))
