"""Figures in words; rounding happens here, in the tables of the commands, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade_cli.report.cutting import cut
from cascade_cli.scoring.tables import count, interval_percent, percent, ratio

__all__ = ["brief", "count", "dollars", "estimate", "interval", "name_of", "number", "percent", "ratio", "sentence"]
_LARGE = 1000.0
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
    return f"{value:,.3g}" if isinstance(value, float) and abs(value) < _LARGE else count(_whole(value))


def dollars(value: object) -> str:
    """An amount of money."""
    if not isinstance(value, float):
        return "—"
    return f"${value:,.2f}" if value >= 1 else f"${value:,.4f}"


def brief(text: str | None) -> str:
    """A text as a cell or a line bears it; a dash where there is none."""
    return "—" if text is None else str(cut(text, _LONGEST_LINE))


def name_of(prompt_hash: str | None) -> str:
    """What a prompt is called in a sentence: its hash, cut where somebody put a novel there."""
    return "(no hash)" if prompt_hash is None else str(cut(prompt_hash, _LONGEST_NAME))


def sentence(told: str) -> str:
    """A sentence in which names of any length may stand, cut to what a paragraph bears."""
    return str(cut(told, _LONGEST_SENTENCE))


def _whole(value: object) -> object:
    return round(value) if isinstance(value, float) else value
