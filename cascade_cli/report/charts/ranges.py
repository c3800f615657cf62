"""Estimates with their intervals, one below the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from cascade_cli.console import Table
from cascade_cli.report.charts.chart import Chart, Key, percent
from cascade_cli.report.charts.scale import Scale, room_below, ticks_for
from cascade_cli.report.charts.svg import element, line, shortened, text, width_of

_ROW, _TOP, _BOTTOM, _SIDE = 40.0, 8.0, 24.0, 12.0
_MIDDLE = 28.0
"""Of a row, where its whisker is."""


@dataclass(frozen=True, slots=True)
class Range:
    """An estimate.

    Attributes:
        label: whose it is.
        value: in [0, 1]; None where it is undefined.
        low: the lower end of its interval; None likewise.
        high: the upper end.
        told: value, interval and n in words.
        mark: a class: ``plain``, ``total`` or, where too little is known to decide by, ``faint``.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    told: str
    mark: str = "plain"


def range_chart(
    slug: str,
    title: str,
    description: str,
    ranges: Sequence[Range],
    table: Table,
    *,
    reference: tuple[float, str] | None = None,
    written: Callable[[float], str] = percent,
) -> Chart:
    """A dot and a whisker for each estimate, its words above.

    Args:
        slug: of the chart.
        title: of the chart.
        description: of the chart.
        ranges: from top to bottom.
        table: the figures behind them.
        reference: a value that they are held against, and what it is in words; None draws none.
        written: a value of the axis in words.
    """
    held_against, keys = (None, ()) if reference is None else (reference[0], (Key("reference", reference[1], "tick"),))
    return Chart(slug, title, description, partial(_draw, ranges, held_against, written), table, keys)


def _draw(
    ranges: Sequence[Range], reference: float | None, written: Callable[[float], str], width: float
) -> tuple[float, list[Markup]]:
    bottom = _TOP + _ROW * len(ranges)
    ends = [each for one in ranges for each in (one.low, one.value) if each is not None]
    lowest = min([*ends, *([] if reference is None else [reference])], default=0.0)
    x = Scale(room_below(lowest), 1.0, _SIDE, width - _SIDE)
    drawn = list(_axis(x, bottom, ticks_for(width), written))
    if reference is not None:
        # Beside each whisker alone: a line through all would run through the words.
        middles = (_TOP + place * _ROW + _MIDDLE for place in range(len(ranges)))
        drawn += [line(x(reference), each - 8, x(reference), each + 8, "reference") for each in middles]
    for place, each in enumerate(ranges):
        drawn += _row(each, x, _TOP + place * _ROW, width)
    return bottom + _BOTTOM, drawn


def _axis(x: Scale, bottom: float, most: int, written: Callable[[float], str]) -> list[Markup]:
    drawn = [line(x(tick), _TOP, x(tick), bottom, "grid") for tick in x.ticks(most)]
    drawn += [text(written(tick), x(tick), bottom + 16, "tick", _anchor(x(tick), x)) for tick in x.ticks(most)]
    return [*drawn, line(x.start, bottom, x.end, bottom, "axis")]


def _anchor(place: float, x: Scale) -> str:
    """Labels at the ends of an axis stay within the drawing."""
    if place - x.start < _SIDE:
        return "start"
    return "end" if x.end - place < _SIDE else "middle"


def _row(each: Range, x: Scale, top: float, width: float) -> list[Markup]:
    middle = top + _MIDDLE
    label = shortened(each.label, width - width_of(each.told) - 3 * _SIDE)
    drawn = [
        text(label, _SIDE, top + 16, "label"),
        text(each.told, width - _SIDE, top + 16, "value", "end"),
    ]
    if each.value is None:
        return drawn
    if each.low is not None and each.high is not None:
        drawn.append(line(x(each.low), middle, x(each.high), middle, f"whisker {each.mark}"))
        drawn += [line(x(end), middle - 4, x(end), middle + 4, f"whisker {each.mark}") for end in (each.low, each.high)]
    return [*drawn, element("circle", cx=x(each.value), cy=middle, r=4.5, class_=f"dot {each.mark}")]
