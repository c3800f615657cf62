"""A chart as the pages take it: drawn at any width, said in words, and the table behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cascade_cli.console import Table
from cascade_cli.report.charts.svg import diamond, element, line

Draw = Callable[[float], tuple[float, Sequence[Markup]]]
"""A width in pixels -> the height, and what is drawn."""


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend.

    Attributes:
        mark: the class of its mark: colour and, beside colour, dash.
        words: what it stands for.
        shape: ``line``, ``tick``, ``block``, ``dot`` or ``diamond``.
    """

    mark: str
    words: str
    shape: str = "line"

    @property
    def svg(self) -> Markup:
        """The mark beside the words."""
        drawn = {
            "line": line(0, 7, 26, 7, f"curve {self.mark}"),
            "tick": line(13, 0, 13, 14, self.mark),
            "block": element("rect", x=3, y=1, width=20, height=12, class_=f"bar {self.mark}"),
            "dot": element("circle", cx=13, cy=7, r=4, class_=self.mark),
            "diamond": diamond(13, 7, 6, self.mark),
        }[self.shape]
        return element("svg", drawn, viewBox="0 0 26 14", width=26, height=14, class_="key", aria_hidden="true")


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart.

    Attributes:
        slug: unique on its page; of lower-case letters and hyphens.
        title: what is shown, with its unit.
        description: what can be seen, for whoever cannot see it.
        draw: draws it at a width.
        table: the figures behind it.
        keys: the legend; empty where labels stand beside what they name.
    """

    slug: str
    title: str
    description: str
    draw: Draw
    table: Table
    keys: tuple[Key, ...] = ()

    def svg(self, width: float, variant: str = "") -> Markup:
        """The chart at a width in pixels, with its text alternative.

        Args:
            width: at least 200.
            variant: tells drawings of one chart on one page apart.
        """
        height, drawn = self.draw(width)
        name = f"{self.slug}{variant}"
        return element(
            "svg",
            element("title", self.title, id=f"{name}-title"),
            element("desc", self.description, id=f"{name}-desc"),
            *drawn,
            viewBox=f"0 0 {width:.0f} {height:.0f}",
            width=width,
            height=height,
            role="img",
            aria_labelledby=f"{name}-title {name}-desc",
            class_=f"drawing {variant.strip('-')}".strip(),
        )


def ratio(value: float) -> str:
    """A ratio on an axis."""
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share on an axis or beside a mark."""
    return f"{value * 100:.3g}%"
