"""Counts as bars, whole or in parts, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from cascade_cli.console import Table
from cascade_cli.report.charts.chart import Chart, Key
from cascade_cli.report.charts.scale import Scale, ticks_for
from cascade_cli.report.charts.svg import element, line, shortened, text, width_of

_ROW, _BAR, _TOP, _BOTTOM, _SIDE = 38.0, 12.0, 6.0, 24.0, 12.0


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar.

    Attributes:
        size: at least 0.
        mark: the class that gives it colour and pattern.
    """

    size: float
    mark: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        label: what is counted.
        told: the count in words.
        parts: from left to right.
        outline: a frame of this size around it, for what it is a part of; None draws none.
    """

    label: str
    told: str
    parts: tuple[Part, ...]
    outline: float | None = None

    @property
    def size(self) -> float:
        """As far as it reaches."""
        return max(sum(part.size for part in self.parts), self.outline or 0.0)


def bar_chart(
    slug: str, title: str, description: str, bars: Sequence[Bar], table: Table, keys: tuple[Key, ...] = ()
) -> Chart:
    """Bars on a common axis from 0, the words of each above it."""
    return Chart(slug, title, description, partial(_draw, bars), table, keys)


def _draw(bars: Sequence[Bar], width: float) -> tuple[float, list[Markup]]:
    bottom = _TOP + _ROW * len(bars)
    x = Scale(0.0, max((bar.size for bar in bars), default=0.0) or 1.0, _SIDE, width - _SIDE)
    ticks = _whole(x.ticks(ticks_for(width)))
    drawn = [line(x(tick), _TOP, x(tick), bottom, "grid") for tick in ticks]
    for tick in ticks:
        anchor = "start" if tick == ticks[0] else "end" if x.end - x(tick) < _SIDE else "middle"
        drawn.append(text(f"{tick:,.10g}", x(tick), bottom + 16, "tick", anchor))
    for place, bar in enumerate(bars):
        drawn += _row(bar, x, _TOP + place * _ROW, width)
    return bottom + _BOTTOM, [*drawn, line(x.start, _TOP, x.start, bottom, "axis")]


def _whole(ticks: list[float]) -> list[float]:
    """Without fractions, where there are whole numbers to count by."""
    whole = [tick for tick in ticks if tick.is_integer()]
    return whole if len(whole) > 1 else ticks


def _row(bar: Bar, x: Scale, top: float, width: float) -> list[Markup]:
    drawn = [
        text(shortened(bar.label, width - width_of(bar.told) - 3 * _SIDE), _SIDE + 4, top + 14, "label"),
        text(bar.told, width - _SIDE, top + 14, "value", "end"),
    ]
    began = 0.0
    for part in bar.parts:
        drawn.append(_stretch(x, began, part.size, top + 20, f"bar {part.mark}"))
        began += part.size
    if bar.outline is not None:
        drawn.append(_stretch(x, 0.0, bar.outline, top + 20, "outline"))
    return drawn


def _stretch(x: Scale, began: float, size: float, top: float, class_: str) -> Markup:
    return element("rect", x=x(began), y=top, width=x(began + size) - x(began), height=_BAR, class_=class_)
