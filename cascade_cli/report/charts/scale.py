"""From values to pixels, and where the ticks stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, isclose, log10

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_DAY_STEPS = (1, 2, 7, 14)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 600, 1200)
_DAYS_PER_MONTH = 30.44
_WIDE = 500.0


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from values to pixels.

    Attributes:
        low: the value at ``start``; below ``high``.
        high: the value at ``end``.
        start: pixels; may lie above ``end``, as on a vertical axis.
        end: pixels.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value; one beyond the ends stands at the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values between the ends, both included."""
        return nice_ticks(self.low, self.high, most)


def ticks_for(width: float) -> int:
    """How many ticks with their labels a drawing of so many pixels has room for."""
    return 6 if width > _WIDE else 4


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten (Heckbert, "Nice numbers for graph labels", 1990).

    Args:
        low: below ``high``.
        high: finite.
        most: at least 2.

    Returns:
        From one to ``most`` values in [low, high], rising.

    Raises:
        ValueError: the ends are not in order.
    """
    if not low < high:
        raise ValueError(f"an axis needs two ends in order, not {low!r} and {high!r}")
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** floor(log10(raw))
    for step in (power * each for each in (*_STEPS, *(10 * more for more in _STEPS))):
        first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
        if last - first < most and last >= first:
            return [_clean(number * step, step) for number in range(first, last + 1)]
    return [low]


def _clean(value: float, step: float) -> float:
    """A multiple of a step without the dust of its multiplication."""
    digits = max(0, 1 - floor(log10(step)))
    rounded = round(value, digits)
    return 0.0 if isclose(rounded, 0.0, abs_tol=step * 1e-9) else rounded


def room_below(lowest: float, step: float = 0.1) -> float:
    """Where the axis of a share begins so that its lowest value has room: a multiple of the step, 0 at the least."""
    return max(0.0, round((ceil(lowest / step - 1e-9) - 1) * step, 9))


def date_ticks(first: date, last: date, most: int = 6) -> list[date]:
    """Days on which ticks stand: every day, second, week, fortnight; or the first of months.

    Args:
        first: not after ``last``.
        last: the end of the axis.
        most: at least 2.

    Returns:
        At most ``most`` days in [first, last], rising; the first day where no other fits.
    """
    days = (last - first).days
    for step in _DAY_STEPS:
        if days // step < most:
            return [first + timedelta(days=step * number) for number in range(days // step + 1)]
    for months in _MONTH_STEPS:
        if days / (months * _DAYS_PER_MONTH) < most:
            found = _firsts(first, last, months)[:most]
            return found or [first]
    return [first]


def _firsts(first: date, last: date, months: int) -> list[date]:
    """The first days of every so many months, counted from the year's beginning."""
    number = first.year * 12 + first.month - 1
    began = ceil(number / months) * months
    days = (date(month // 12, month % 12 + 1, 1) for month in range(began, last.year * 12 + last.month, months))
    return [day for day in days if day >= first]


def written_date(day: date, among: list[date]) -> str:
    """A tick's day, with its year where the ticks are of several or of January."""
    if len({each.year for each in among}) > 1:
        return f"{day:%b %Y}" if day.day == 1 else f"{day.day} {day:%b %Y}"
    return f"{day.day} {day:%b}"
