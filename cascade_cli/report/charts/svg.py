"""SVG elements as markup that is escaped by construction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

from markupsafe import Markup

from cascade_cli.console import sanitize

Value = str | float
_ELLIPSIS = "…"
_LONGEST = 200
_EM_SHARE = 0.56
"""Mean width of a letter of the system's fonts, as a share of their size; nobody can measure one here."""


def element(name: str, *children: Markup | str, **attributes: Value | None) -> Markup:
    """One element.

    Args:
        name: of the element, ours.
        children: markup, or text, which is escaped and whose control characters are made visible.
        attributes: None leaves one out; ``class_`` is ``class``, other underscores are hyphens. Numbers are written
            with two decimals at most.
    """
    written = (
        Markup(' {}="{}"').format(_attribute(key), _written(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup().join(child if isinstance(child, Markup) else sanitize(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup().join(written), inside)  # noqa: S704 - name is ours


def group(children: Iterable[Markup], **attributes: Value | None) -> Markup:
    """Several elements as one."""
    return element("g", *children, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(words: str, x: float, y: float, class_: str = "", anchor: str | None = None) -> Markup:
    """A line of text whose base line begins, or ends, at a point."""
    return element("text", words, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def path(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through points."""
    steps = " ".join(f"{'L' if place else 'M'}{_written(x)} {_written(y)}" for place, (x, y) in enumerate(points))
    return element("path", d=steps, class_=class_)


def whiskers(ends: Iterable[tuple[float, float, float]], class_: str) -> Markup:
    """Vertical lines, each from one end to the other at its place: (x, y of the low end, y of the high end)."""
    steps = "".join(f"M{_written(x)} {_written(low)}V{_written(high)}" for x, low, high in ends)
    return element("path", d=steps, class_=class_)


def points(places: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Round points, as lines without length: many of them in few bytes."""
    return element("path", d="".join(f"M{_written(x)} {_written(y)}h0" for x, y in places), class_=class_)


def diamond(x: float, y: float, radius: float, class_: str) -> Markup:
    """A square on its corner."""
    return element(
        "path", d=f"M{x:.1f} {y - radius:.1f}l{radius} {radius}l{-radius} {radius}l{-radius} {-radius}z", class_=class_
    )


def width_of(words: str, size: float = 13) -> float:
    """About how many pixels words take; Chinese, Japanese and Korean letters are as wide as they are high."""
    return sum(1.0 if east_asian_width(letter) in "WF" else _EM_SHARE for letter in words) * size


def shortened(words: str, width: float, size: float = 13) -> str:
    """The words as far as they fit into a width of so many pixels; one letter always does."""
    words = sanitize(words[:_LONGEST])
    if width_of(words, size) <= width:
        return words
    kept = len(words)
    while kept > 1 and width_of(words[:kept] + _ELLIPSIS, size) > width:
        kept -= 1
    return words[:kept] + _ELLIPSIS


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-") if key != "viewBox" else key


def _written(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
