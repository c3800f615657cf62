"""Charts: ticks that are round and few, marks inside their drawing, text that stays text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from importlib.resources import files
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cascade_cli.console import Column, Table
from cascade_cli.report.charts import (
    Bar,
    Chart,
    Curve,
    Marker,
    Moment,
    Operation,
    Part,
    Range,
    bar_chart,
    frontier_chart,
    range_chart,
    time_chart,
)
from cascade_cli.report.charts.over_time import _heights
from cascade_cli.report.charts.scale import Scale, date_ticks, nice_ticks, room_below
from cascade_cli.report.charts.svg import shortened, width_of

WIDTHS = (330, 720)
TABLE = Table((Column("a", "a"),), [], "")
SVG = "{http://www.w3.org/2000/svg}"
shares = st.floats(0, 1)
names = st.text(st.characters(blacklist_categories=("Cs",)), max_size=60)
finite = st.floats(-1e9, 1e9, allow_nan=False)


@st.composite
def intervals(draw: st.DrawFn) -> tuple[float, float, float]:
    low, value, high = sorted(draw(st.tuples(shares, shares, shares)))
    return low, value, high


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    low, value, high = draw(intervals())
    return draw(
        st.sampled_from(
            [
                Range(draw(names), value, low, high, "82.4% (80.6–84.1), n 2,396"),
                Range(draw(names), None, None, None, "—", "faint"),
            ]
        )
    )


@st.composite
def time_charts(draw: st.DrawFn) -> Chart:
    first = draw(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
    steps = draw(st.lists(st.integers(1, 400), max_size=8))
    days = [first + timedelta(days=sum(steps[:place])) for place in range(len(steps) + 1)]
    moments = []
    for day in days:
        low, value, high = draw(intervals())
        moments.append(Moment(day, value, low, high, draw(names), draw(st.booleans())))
    markers = [Marker(day, draw(names), draw(st.sampled_from(["change", "alarm"]))) for day in days[:3]]
    return time_chart("time", draw(names), draw(names), moments, TABLE, markers=markers, reference=0.5)


@st.composite
def frontier_charts(draw: st.DrawFn) -> Chart:
    points = sorted(draw(st.lists(st.tuples(shares, shares), min_size=1, max_size=6)))
    operations = []
    for place in range(draw(st.integers(0, 4))):
        low, value, high = draw(intervals())
        operations.append(Operation(draw(shares), value, low, high, draw(names), place == 0))
    return frontier_chart("frontier", draw(names), "", [Curve(draw(names), "gates", tuple(points))], operations, TABLE)


charts = st.one_of(
    time_charts(),
    frontier_charts(),
    st.builds(
        lambda found, title, floor: range_chart(
            "ranges", title, "", found, TABLE, reference=None if floor is None else (floor, title)
        ),
        st.lists(ranges(), max_size=6),
        names,
        st.one_of(st.none(), shares),
    ),
    st.builds(
        lambda sizes, label, more: bar_chart(
            "bars", label, "", [Bar(label, "12", tuple(Part(s, "first") for s in sizes), sum(sizes) + more)], TABLE
        ),
        st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e9)), max_size=3),
        names,
        st.one_of(st.just(0.0), st.floats(1e-3, 1e6)),
    ),
)


def drawn(chart: Chart, width: float) -> ET.Element:
    """The drawing, parsed as strictly as XML is."""
    written = str(chart.svg(width)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return ET.fromstring(written)  # noqa: S314 - our own


def places(element: ET.Element) -> Sequence[tuple[str, float]]:
    """Every coordinate of an element with its axis."""
    found = []
    for key, value in element.attrib.items():
        axis = {"x": "x", "x1": "x", "x2": "x", "cx": "x", "y": "y", "y1": "y", "y2": "y", "cy": "y"}.get(key)
        if axis:
            found.append((axis, float(value)))
    if element.tag == f"{SVG}rect":
        found.append(("x", float(element.attrib["x"]) + float(element.attrib["width"])))
    for x, y in re.findall(r"[ML](\S+) ([^LMVl]+)", element.get("d", "")):
        found += [("x", float(x)), ("y", float(y))]
    return found


@given(finite, finite, st.integers(2, 12))
def test_ticks_are_few_rising_evenly_spaced_and_inside(low: float, high: float, most: int) -> None:
    assume(high - low > 1e-6 * max(1, abs(low), abs(high)))
    ticks = nice_ticks(low, high, most)
    assert 1 <= len(ticks) <= most
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    gaps = [b - a for a, b in pairwise(ticks)]
    assert all(gap > 0 for gap in gaps)
    assert all(math.isclose(gap, gaps[0], rel_tol=1e-6) for gap in gaps)


def test_ticks_are_round() -> None:
    assert nice_ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert nice_ticks(0.83, 1) == [0.85, 0.9, 0.95, 1]
    assert nice_ticks(0, 2031, 6) == [0, 500, 1000, 1500, 2000]


def test_an_axis_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="two ends in order"):
        nice_ticks(1, 1)


@given(st.tuples(st.dates(), st.dates()).map(sorted), st.integers(2, 9))
@example([date(50, 3, 1), date(500, 3, 1)], 6)
@example([date.min, date.max], 6)
def test_date_ticks_are_few_rising_and_inside(ends: list[date], most: int) -> None:
    first, last = ends
    ticks = date_ticks(first, last, most)
    assert 1 <= len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(first <= tick <= last for tick in ticks)


def test_date_ticks_of_a_long_time_are_the_first_of_months() -> None:
    assert date_ticks(date(2026, 1, 15), date(2026, 12, 20), 6) == [
        date(2026, 3, 1), date(2026, 5, 1), date(2026, 7, 1), date(2026, 9, 1), date(2026, 11, 1),
    ]  # fmt: skip


@given(shares)
def test_the_axis_of_a_share_begins_below_its_lowest_value_and_not_below_nothing(lowest: float) -> None:
    began = room_below(lowest)
    assert 0 <= began < 1
    assert began < lowest or began == 0


@given(st.floats(-2, 3))
def test_a_scale_keeps_every_value_between_its_ends(value: float) -> None:
    scale = Scale(0, 1, 300, 20)
    assert 20 <= scale(value) <= 300
    assert (scale(0), scale(1)) == (300, 20)


@given(charts, st.sampled_from(WIDTHS))
def test_every_mark_lies_inside_its_drawing(chart: Chart, width: float) -> None:
    svg = drawn(chart, width)
    _, _, wide, high = map(float, svg.attrib["viewBox"].split())
    limits = {"x": wide, "y": high}
    for element in svg.iter():
        for axis, place in places(element):
            assert -0.01 <= place <= limits[axis] + 0.01, (element.tag, element.attrib)


@given(st.lists(st.tuples(finite, st.floats(1, 200)).map(lambda each: (each[0], each[0] + each[1])), max_size=12))
def test_words_on_one_line_never_run_into_each_other(stretches: list[tuple[float, float]]) -> None:
    heights = _heights(stretches)
    for (one, (began, end)), (other, (a, b)) in combinations(zip(heights, stretches, strict=True), 2):
        assert one != other or end <= a or began >= b


@pytest.mark.parametrize("days", [1, 120, 121, 366])
def test_days_of_few_events_are_drawn_however_many_they_are(days: int) -> None:
    moments = [Moment(date(2026, 1, 1) + timedelta(days=n), 0.8, 0.1, 1.0, "", sparse=True) for n in range(days)]
    svg = time_chart("t", "", "", moments, TABLE).svg(720)
    assert svg.count("<circle") + svg.count("h0") == days


def axis_of(svg: ET.Element, axis: str) -> Callable[[float], float]:
    """From pixels back to shares, as a reader does: by the numbers that stand at the axis."""
    ticks = [each for each in svg.iter(f"{SVG}text") if each.get("class") == "tick" and (each.text or "").endswith("%")]
    upright = [each for each in ticks if (each.get("text-anchor") == "end") and float(each.attrib["x"]) < 60]
    if axis == "y":
        known = [(float(str(each.text)[:-1]) / 100, float(each.attrib["y"]) - 4) for each in upright]
    else:
        flat = [each for each in ticks if each not in upright]
        known = [(float(str(each.text)[:-1]) / 100, float(each.attrib["x"])) for each in flat]
    (low, start), (high, end) = known[0], known[-1]
    return lambda place: low + (place - start) / (end - start) * (high - low)


def upright_ends(svg: ET.Element) -> list[tuple[float, float]]:
    """The ends of the vertical whiskers, in pixels."""
    (drawn,) = (each for each in svg.iter(f"{SVG}path") if each.get("class") == "whisker thin")
    return [(float(low), float(high)) for low, high in re.findall(r"M\S+ ([\d.]+)V([\d.]+)", drawn.attrib["d"])]


@given(intervals(), st.sampled_from(WIDTHS))
def test_an_estimate_is_drawn_where_its_axis_says_from_its_low_to_its_high_end(
    found: tuple[float, float, float], width: float
) -> None:
    low, value, high = found
    svg = drawn(range_chart("r", "", "", [Range("", value, low, high, "")], TABLE), width)
    read = axis_of(svg, "x")
    (dot,) = svg.iter(f"{SVG}circle")
    whisker, *caps = (each for each in svg.iter(f"{SVG}line") if str(each.get("class")).startswith("whisker"))
    assert read(float(dot.attrib["cx"])) == pytest.approx(value, abs=1e-3)
    for end, cap, x in zip((low, high), caps, ("x1", "x2"), strict=True):
        assert read(float(whisker.attrib[x])) == pytest.approx(end, abs=1e-3)
        assert read(float(cap.attrib["x1"])) == pytest.approx(end, abs=1e-3)


@given(intervals(), st.sampled_from(WIDTHS))
def test_a_day_is_drawn_where_its_axis_says_from_its_low_to_its_high_end(
    found: tuple[float, float, float], width: float
) -> None:
    low, value, high = found
    svg = drawn(time_chart("t", "", "", [Moment(date(2026, 1, 1), value, low, high, "")], TABLE), width)
    read = axis_of(svg, "y")
    (dot,) = svg.iter(f"{SVG}circle")
    assert read(float(dot.attrib["cy"])) == pytest.approx(value, abs=1e-3)
    assert [tuple(map(read, ends)) for ends in upright_ends(svg)] == [pytest.approx((low, high), abs=1e-3)]


@given(intervals(), shares, st.booleans(), st.sampled_from(WIDTHS))
def test_a_policy_is_drawn_where_its_axes_say_from_its_low_to_its_high_end(
    found: tuple[float, float, float], share: float, in_force: bool, width: float
) -> None:
    low, value, high = found
    policy = Operation(share, value, low, high, "", in_force)
    svg = drawn(frontier_chart("f", "", "", [Curve("", "gates", ((share, value),))], [policy], TABLE), width)
    across, up = axis_of(svg, "x"), axis_of(svg, "y")
    paths = {each.get("class"): each.attrib["d"] for each in svg.iter(f"{SVG}path")}
    places = [tuple(map(float, paths["curve gates"][1:].split()))]
    if in_force:
        x, y = map(float, re.findall(r"M([\d.]+) ([\d.-]+)l", paths["operating"])[0])
        places.append((x, y + 7))
    else:
        (dot,) = svg.iter(f"{SVG}circle")
        places.append((float(dot.attrib["cx"]), float(dot.attrib["cy"])))
    for x, y in places:
        assert (across(x), up(y)) == pytest.approx((share, value), abs=2e-3)
    assert [tuple(map(up, ends)) for ends in upright_ends(svg)] == [pytest.approx((low, high), abs=1e-3)]


@given(charts, st.sampled_from(WIDTHS))
def test_every_drawing_is_named_described_and_well_formed(chart: Chart, width: float) -> None:
    svg = drawn(chart, width)
    title, desc = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"


@given(names)
def test_what_data_says_never_becomes_an_element_or_attribute(name: str) -> None:
    hostile = f'</title><script>x</script>"{name}<g onload="x">'
    chart = range_chart("r", hostile, hostile, [Range(hostile, 0.5, 0.4, 0.6, hostile)], TABLE)
    tags = {element.tag.removeprefix(SVG) for element in drawn(chart, 720).iter()}
    assert tags <= {"svg", "title", "desc", "line", "text", "circle", "path", "g"}
    assert not any("onload" in element.attrib for element in drawn(chart, 720).iter())


def test_controls_and_marks_that_turn_text_around_are_made_visible() -> None:
    chart = range_chart("r", "a\x00b", "", [Range("\u202egnp.exe", 0.5, 0.4, 0.6, "")], TABLE)
    assert "\x00" not in chart.svg(720)
    assert "\\x00" in chart.svg(720)
    assert "\\u202egnp.exe" in chart.svg(720)


@given(names, st.floats(40, 700))
def test_long_names_are_cut_to_the_room_that_there_is(name: str, width: float) -> None:
    assert width_of(shortened(name, width)) <= width


def test_letters_that_are_wider_take_more_room() -> None:
    assert shortened("名" * 20, 130) == "名" * 9 + "…"
    assert shortened("n" * 20, 130) == "n" * 16 + "…"


STYLE = files("cascade_cli.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
COLOURS = {
    name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", STYLE)
}


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("ground", ["paper", "panel"])
def test_words_and_marks_stand_out_from_their_ground_in_both_themes(theme: int, ground: str) -> None:
    for name in ("ink", "quiet", "link", "bad", "good", "doubt"):
        assert contrast(COLOURS[name][theme], COLOURS[ground][theme]) >= 4.5, name
    for name in ("first", "second", "third", "fourth", "strong-rule"):
        assert contrast(COLOURS[name][theme], COLOURS[ground][theme]) >= 3, name
    for name in ("wash-gold", "wash-student"):
        assert contrast(COLOURS["ink"][theme], COLOURS[name][theme]) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminances, as WCAG 2.2 has it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    shares = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
