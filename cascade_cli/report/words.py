"""Figures in words; rounding happens here, in the tables of the commands, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade_cli.console import prompt_hash
from cascade_cli.report.cutting import cut
from cascade_cli.scoring.tables import count, interval_percent, percent, ratio

__all__ = [
    "brief",
    "count",
    "dollars",
    "estimate",
    "exact_percent",
    "interval",
    "name_of",
    "number",
    "percent",
    "ratio",
    "sentence",
]
_LARGE, _HUGE = 1e3, 1e9
_LONGEST_NAME = 64
_LONGEST_LINE = 200
_LONGEST_SENTENCE = 600


def interval(figures: Mapping[str, Any]) -> str:
    """The interval of a rate, with its level."""
    return "no interval" if figures["low"] is None else f"95 %: {interval_percent(figures)}"


def estimate(figures: object) -> str:
    """A rate with its interval and n, in short; a dash for what is none."""
    if not isinstance(figures, Mapping):
        return "—"
    ends = "" if figures["low"] is None else f" ({interval_percent(figures)})"
    return f"{percent(figures['rate'])}{ends}, n {count(figures['n'])}"


def number(value: object) -> str:
    """A number of any size, to three digits."""
    if isinstance(value, float) and not _LARGE <= abs(value) < _HUGE:
        return f"{value:,.3g}"
    return count(_whole(value))


def exact_percent(share: object) -> str:
    """A share that somebody chose, as they chose it: to six digits."""
    return f"{100 * share:.6g}%" if isinstance(share, float) else "—"


def dollars(value: object) -> str:
    """An amount of money."""
    if not isinstance(value, float):
        return "—"
    return f"${value:,.2f}" if value >= 1 else f"${value:,.4f}"


def brief(text: str | None) -> str:
    """A text as a cell or a line bears it; a dash where there is none."""
    return "—" if text is None else str(cut(text, _LONGEST_LINE))


def name_of(name: str | None) -> str:
    """What a prompt is called: of a whole SHA-256 the first digits, and cut where somebody put a novel there."""
    return "(no hash)" if name is None else str(cut(prompt_hash(name), _LONGEST_NAME))


def sentence(told: str) -> str:
    """A sentence in which names of any length may stand, cut to what a paragraph bears."""
    return str(cut(told, _LONGEST_SENTENCE))


def _whole(value: object) -> object:
    return round(value) if isinstance(value, float) else value
