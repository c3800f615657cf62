"""A rate by day with its intervals, and what changed when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from markupsafe import Markup

from cascade_cli.console import Table
from cascade_cli.report.charts.chart import Chart, Key, percent
from cascade_cli.report.charts.scale import Scale, date_ticks, room_below, ticks_for, written_date
from cascade_cli.report.charts.svg import element, line, path, points, shortened, text, whiskers

_HEIGHT, _LEFT, _RIGHT, _BOTTOM = 300.0, 46.0, 14.0, 28.0
_LINE = 15.0
_LABEL_WIDTH, _GAP = 120.0, 4.0
_MOST_TIPS = 120
"""With more days a dot is a point that tells nothing of itself."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The rate of one day.

    Attributes:
        day: the day.
        value: in [0, 1].
        low: the lower end of its interval.
        high: the upper end.
        told: in words.
        sparse: it rests on so few events that its interval says nothing; drawn as a ring without one.
    """

    day: date
    value: float
    low: float
    high: float
    told: str
    sparse: bool = False


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened on a day.

    Attributes:
        day: the day.
        label: in a word or two.
        kind: ``change`` or ``alarm``.
    """

    day: date
    label: str
    kind: str


def time_chart(
    slug: str,
    title: str,
    description: str,
    moments: Sequence[Moment],
    table: Table,
    *,
    markers: Sequence[Marker] = (),
    reference: float | None = None,
    keys: tuple[Key, ...] = (),
) -> Chart:
    """Dots with whiskers by day, and a line down from each marker's words.

    Args:
        slug: of the chart.
        title: of the chart.
        description: of the chart.
        moments: at least one, in order.
        table: the figures behind them.
        markers: in order; they may lie outside the days that are shown, and are then left out.
        reference: a rate that must not be passed from above; None draws none.
        keys: the legend.
    """
    first, last = moments[0].day, moments[-1].day
    inside = [marker for marker in markers if first <= marker.day <= last]
    return Chart(slug, title, description, partial(_draw, moments, inside, reference), table, keys)


def _draw(
    moments: Sequence[Moment], markers: Sequence[Marker], reference: float | None, width: float
) -> tuple[float, list[Markup]]:
    first, last = moments[0].day.toordinal(), moments[-1].day.toordinal()
    # A single day stands in the middle of its axis.
    x = Scale(first - (first == last), last + (first == last), _LEFT, width - _RIGHT)
    heights = _heights([_beside(marker, x) for marker in markers])
    top = 12 + _LINE * (max(heights, default=-1) + 1)
    lowest = min(moment.value if moment.sparse else moment.low for moment in moments)
    y = Scale(room_below(lowest), 1.0, top + _HEIGHT, top)
    drawn = [*_axes(x, y, moments[0].day, moments[-1].day, most=ticks_for(width))]
    if reference is not None:
        drawn.append(line(x.start, y(reference), x.end, y(reference), "reference"))
    for marker, height in zip(markers, heights, strict=True):
        drawn += _marked(marker, x, y, 12 + _LINE * height)
    return y.start + _BOTTOM, drawn + _series(moments, x, y)


def _heights(stretches: Sequence[tuple[float, float]]) -> list[int]:
    """On which line the words of each marker stand, given from where to where, so that none runs into another."""
    lines: list[list[tuple[float, float]]] = []
    heights = []
    for began, end in stretches:
        free = (number for number, taken in enumerate(lines) if all(end <= a or began >= b for a, b in taken))
        height = next(free, len(lines))
        if height == len(lines):
            lines.append([])
        lines[height].append((began, end))
        heights.append(height)
    return heights


def _beside(marker: Marker, x: Scale) -> tuple[float, float]:
    """From where to where its words stand: on its right, or on its left where the drawing ends."""
    place = x(marker.day.toordinal())
    return (place - _LABEL_WIDTH, place) if place > x.end - _LABEL_WIDTH else (place, place + _LABEL_WIDTH)


def _axes(x: Scale, y: Scale, first: date, last: date, most: int) -> list[Markup]:
    drawn = [line(x.start, y(tick), x.end, y(tick), "grid") for tick in y.ticks()]
    drawn += [text(percent(tick), x.start - 6, y(tick) + 4, "tick", "end") for tick in y.ticks()]
    days = date_ticks(first, last, most)
    for day in days:
        place = x(day.toordinal())
        anchor = "end" if x.end - place < 2 * _RIGHT else "middle"
        drawn.append(line(place, y.start, place, y.start + 4, "axis"))
        drawn.append(text(written_date(day, days), place, y.start + 18, "tick", anchor))
    return [*drawn, line(x.start, y.start, x.end, y.start, "axis")]


def _marked(marker: Marker, x: Scale, y: Scale, base: float) -> list[Markup]:
    place = x(marker.day.toordinal())
    began, end = _beside(marker, x)
    words = shortened(marker.label, _LABEL_WIDTH - 2 * _GAP, 12)
    where, anchor = (began + _GAP, "start") if began == place else (end - _GAP, "end")
    return [
        line(place, base - 9, place, y.start, f"marker {marker.kind}"),
        text(words, where, base, f"marker-label {marker.kind}", anchor),
    ]


def _series(moments: Sequence[Moment], x: Scale, y: Scale) -> list[Markup]:
    places = [(x(moment.day.toordinal()), moment) for moment in moments]
    firm = [(place, moment) for place, moment in places if not moment.sparse]
    line_through = [(place, y(moment.value)) for place, moment in firm]
    return [
        whiskers(((place, y(moment.low), y(moment.high)) for place, moment in firm), "whisker thin"),
        path(line_through, "thread"),
        *(_dots(places, y) if len(moments) <= _MOST_TIPS else _points(places, y)),
    ]


def _points(places: Sequence[tuple[float, Moment]], y: Scale) -> list[Markup]:
    return [
        points(((place, y(moment.value)) for place, moment in places if moment.sparse is sparse), class_)
        for sparse, class_ in ((True, "points faint"), (False, "points"))
    ]


def _dots(places: Sequence[tuple[float, Moment]], y: Scale) -> list[Markup]:
    return [
        element(
            "circle",
            element("title", moment.told),
            cx=place,
            cy=y(moment.value),
            r=2.5 if moment.sparse else 3,
            class_="dot faint" if moment.sparse else "dot plain",
        )
        for place, moment in places
    ]
