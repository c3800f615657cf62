"""Series in, SVG out: pure functions, each with its text alternative and the table behind it."""

from cascade_cli.report.charts.bars import Bar, Part, bar_chart
from cascade_cli.report.charts.chart import Chart
from cascade_cli.report.charts.frontier import Curve, Operation, frontier_chart
from cascade_cli.report.charts.over_time import Marker, Moment, time_chart
from cascade_cli.report.charts.ranges import Range, range_chart

__all__ = [
    "Bar",
    "Chart",
    "Curve",
    "Marker",
    "Moment",
    "Operation",
    "Part",
    "Range",
    "bar_chart",
    "frontier_chart",
    "range_chart",
    "time_chart",
]
