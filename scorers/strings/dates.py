"""Dates, weekdays and times of day in a text, in the spellings of eleven languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from scorers.strings.text import words_of

MONTHS = {
    word: number
    for line in (
        "january february march april may june july august september october november december",
        "jan feb mar apr mai jun jul aug sep oct nov dec",
        "januar februar marz april mai juni juli august september oktober november dezember",
        "janner feber mrz apr mei jun jul aug sept okt nov dez",
        "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "januar februar marcius aprilis majus junius julius augusztus szeptember oktober november december",
        "январь февраль март апрель маи июнь июль август сентябрь октябрь ноябрь декабрь",
        "stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika listopada grudnia",
        "ιανουαριου φεβρουαριου μαρτιου απριλιου μαιου ιουνιου ιουλιου αυγουστου σεπτεμβριου οκτωβριου νοεμβριου δεκεμβριου",  # noqa: E501 - one line a language
        "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
        "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    )
    for number, word in enumerate(line.split(), start=1)
}
"""Names of months, without accents, and their numbers."""

_AMBIGUOUS_ALONE = frozenset(words_of("augustus julius junius majus mars may sept"))
"""Given names and everyday words that mean a month only beside a day or a year."""

_SHORTEST_ALONE = 4

WEEKDAYS = {
    word: number
    for line in (
        "monday tuesday wednesday thursday friday saturday sunday",
        "montag dienstag mittwoch donnerstag freitag samstag sonntag",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "lunes martes miercoles jueves viernes sabado domingo",
        "lunedi martedi mercoledi giovedi venerdi sabato domenica",
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        "hetfo kedd szerda csutortok pentek szombat vasarnap",
        "понедельник вторник среда четверг пятница суббота воскресенье",
    )
    for number, word in enumerate(line.split(), start=1)
}
"""Names of weekdays, without accents, and their numbers; Monday is 1."""

T = TypeVar("T")

Day = tuple[int | None, int | None, int | None]
"""Year, month, day; None where the text leaves it open."""

_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th|er|\.)?"
_WORD = r"(?P<m>[^\W\d_]{3,12})\b\.?"
_OF = r"(?:(?:of|de) )?"
_YEAR = r"(?P<y>\d{4})\b"
_ISO = re.compile(r"(?<![\w.-])(?P<y>\d{4})([-/.])(?P<m>\d{1,2})\2 ?(?P<d>\d{1,2})(?:t(?=\d)|(?![\w-]))")
_ISO_MONTH = re.compile(r"(?<![\w.-])(?P<y>\d{4})-(?P<m>0[1-9]|1[0-2])(?![\w-])")
_NUMERIC = re.compile(r"(?<![\w.-])(?P<p>\d{1,2})([-/.])(?P<q>\d{1,2})\2(?P<y>\d{4}|\d{2})(?![\w-])")
_SPELLED = tuple(
    map(
        re.compile,
        (
            rf"(?<!\w)(?P<y>\d{{4}})\.? {_WORD} {_DAY}(?!\w)",
            rf"(?<!\w){_DAY}[ -]{_OF}{_WORD},?[ -]{_OF}{_YEAR}",
            rf"(?<!\w){_DAY}[ -]{_OF}{_WORD}",
            rf"\b{_WORD} {_DAY},? {_YEAR}",
            rf"\b{_WORD} {_DAY}(?!\w)",
            rf"\b{_WORD},? {_OF}{_YEAR}",
        ),
    )
)
_CLOCKS = (
    re.compile(r"\b(?P<h>\d{1,2})(?:[:.h](?P<min>\d{2}))?(?::\d{2})? ?(?P<half>[ap])\.? ?m\b\.?"),
    re.compile(r"\b(?P<h>\d{1,2})(?:[:.](?P<min>\d{2}))? ?uhr\b"),
    re.compile(r"\b(?P<h>\d{1,2})[:h](?P<min>\d{2})(?::\d{2})?(?:\.\d+)?(?:z\b|(?![\w:]))"),
)
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Times:
    """What a text says about when.

    Attributes:
        days: the dates, each as the set of its possible readings (``01.03.2026`` has two).
        weekdays: 1 for Monday to 7.
        minutes: times of day, in minutes since midnight.
    """

    days: frozenset[frozenset[Day]] = frozenset()
    weekdays: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()


NO_TIMES = Times()
"""What a text says that names no time."""


def take_times(text: str) -> tuple[Times, str]:
    """Read the dates and times of a folded, unaccented text.

    Returns:
        What was read, and the text without it, so that a day is not taken for an amount as well.
    """
    days: set[frozenset[Day]] = set()
    minutes: set[int] = set()
    for pattern in (_ISO, _ISO_MONTH):
        text = _take(pattern, text, _written, days)
    text = _take(_NUMERIC, text, _either_order, days)
    for pattern in _SPELLED:
        text = _take(pattern, text, _spelled, days)
    for pattern in _CLOCKS:
        text = _take(pattern, text, _minute, minutes)
    words = _LETTERS.findall(text)
    days.update(frozenset({(None, MONTHS[word], None)}) for word in words if _is_month_alone(word))
    weekdays = frozenset(WEEKDAYS[word] for word in words if word in WEEKDAYS)
    return Times(frozenset(days), weekdays, frozenset(minutes)), text


def compatible_days(a: frozenset[Day], b: frozenset[Day]) -> bool:
    """Whether some reading of ``a`` and some of ``b`` agree in every part that both give."""
    return any(
        all(x is None or y is None or x == y for x, y in zip(day, other, strict=True)) for day in a for other in b
    )


def _take(pattern: re.Pattern[str], text: str, read: Callable[[re.Match[str]], T | None], into: set[T]) -> str:
    """Move what ``read`` understands of the matches from the text into the set."""

    def blank(match: re.Match[str]) -> str:
        value = read(match)
        if value is None:
            return match[0]
        into.add(value)
        return " "

    return pattern.sub(blank, text)


def _written(match: re.Match[str]) -> frozenset[Day] | None:
    parts = match.groupdict()
    return _day(int(parts["y"]), int(parts["m"]), int(parts["d"]) if parts.get("d") else None)


def _either_order(match: re.Match[str]) -> frozenset[Day] | None:
    year = int(match["y"])
    if year < 100:  # noqa: PLR2004 - two digits, split between the centuries as POSIX does
        year += 2000 if year < 69 else 1900  # noqa: PLR2004
    first, second = int(match["p"]), int(match["q"])
    readings = (_day(year, second, first) or frozenset()) | (_day(year, first, second) or frozenset())
    return readings or None


def _spelled(match: re.Match[str]) -> frozenset[Day] | None:
    parts = match.groupdict()
    month = MONTHS.get(parts["m"])
    if month is None:
        return None
    year, day = parts.get("y"), parts.get("d")
    return _day(int(year) if year else None, month, int(day) if day else None)


def _day(year: int | None, month: int, day: int | None) -> frozenset[Day] | None:
    possible = 1 <= month <= 12 and (day is None or 1 <= day <= 31)  # noqa: PLR2004 - a calendar
    return frozenset({(year, month, day)}) if possible else None


def _minute(match: re.Match[str]) -> int | None:
    parts = match.groupdict()
    hour, minute, half = int(parts["h"]), int(parts["min"] or 0), parts.get("half")
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour * 60 + minute if hour <= 24 and minute < 60 else None  # noqa: PLR2004 - a clock


def _is_month_alone(word: str) -> bool:
    return word in MONTHS and len(word) >= _SHORTEST_ALONE and word not in _AMBIGUOUS_ALONE
