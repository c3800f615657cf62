"""What is right by what goes to the teacher: curves, and where a policy stands among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from cascade_cli.console import Table
from cascade_cli.report.charts.chart import Chart, Key, percent
from cascade_cli.report.charts.scale import Scale, room_below, ticks_for
from cascade_cli.report.charts.svg import diamond, element, line, path, text, whiskers

_HEIGHT, _TOP, _LEFT, _RIGHT, _BOTTOM = 320.0, 12.0, 50.0, 16.0, 46.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A line.

    Attributes:
        name: what is drawn.
        mark: the class that gives colour and dash.
        points: pairs of share and agreement, both in [0, 1], by rising share.
    """

    name: str
    mark: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """Where a policy stands.

    Attributes:
        share: of events that go to the teacher, in [0, 1].
        value: of events that come out right, in [0, 1].
        low: the lower end of its interval; None where it is undefined.
        high: the upper end.
        told: in words.
        in_force: whether it is the policy that the page is about.
    """

    share: float
    value: float
    low: float | None
    high: float | None
    told: str
    in_force: bool = False


def frontier_chart(
    slug: str,
    title: str,
    description: str,
    curves: Sequence[Curve],
    operations: Sequence[Operation],
    table: Table,
) -> Chart:
    """Curves, and the policies of a sweep as dots with whiskers, the one in force as a diamond."""
    keys = tuple(Key(curve.mark, curve.name) for curve in curves)
    keys += (Key("swept", "policies of the sweep", "dot"), Key("operating", "policy in force", "diamond"))
    return Chart(slug, title, description, partial(_draw, curves, operations), table, keys)


def _draw(curves: Sequence[Curve], operations: Sequence[Operation], width: float) -> tuple[float, list[Markup]]:
    values = [y for curve in curves for _, y in curve.points]
    values += [each.value if each.low is None else each.low for each in operations]
    x = Scale(0.0, 1.0, _LEFT, width - _RIGHT)
    y = Scale(room_below(min(values, default=0.0)), 1.0, _TOP + _HEIGHT, _TOP)
    drawn = _axes(x, y, most=ticks_for(width))
    drawn += [path([(x(share), y(value)) for share, value in curve.points], f"curve {curve.mark}") for curve in curves]
    swept = [each for each in operations if not each.in_force]
    spread = [
        (x(each.share), y(each.low), y(each.high))
        for each in operations
        if each.low is not None and each.high is not None
    ]
    drawn.append(whiskers(spread, "whisker thin"))
    drawn += [
        element("circle", element("title", each.told), cx=x(each.share), cy=y(each.value), r=3.5, class_="swept")
        for each in swept
    ]
    for each in operations:
        if each.in_force:
            drawn += _operating(each, x, y)
    return y.start + _BOTTOM, drawn


def _axes(x: Scale, y: Scale, most: int) -> list[Markup]:
    drawn = []
    for tick in y.ticks():
        drawn.append(line(x.start, y(tick), x.end, y(tick), "grid"))
        drawn.append(text(percent(tick), x.start - 6, y(tick) + 4, "tick", "end"))
    for tick in x.ticks(most):
        drawn.append(line(x(tick), y.start, x(tick), y.start + 4, "axis"))
        drawn.append(text(percent(tick), x(tick), y.start + 18, "tick", "end" if tick == 1 else "middle"))
    drawn.append(
        text("share of events that go to the teacher", (x.start + x.end) / 2, y.start + 38, "axis-title", "middle")
    )
    return [*drawn, line(x.start, y.start, x.end, y.start, "axis")]


def _operating(each: Operation, x: Scale, y: Scale) -> list[Markup]:
    place, height = x(each.share), y(each.value)
    words = f"{percent(round(each.share, 3))} escalate, {percent(round(each.value, 3))} right"
    right = place < (x.start + x.end) / 2
    label = text(words, place + (12 if right else -12), height + 22, "value strong", "start" if right else "end")
    return [diamond(place, height, 7, "operating"), label]
