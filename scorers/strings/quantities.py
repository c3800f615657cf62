"""Numbers, amounts, versions and ordinals in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from scorers.strings.text import words_of

MAX_NUMBERS = 64
"""Numbers read from one text: comparing two sets is quadratic in their size."""

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_SMALL = {
    **{word: value for value, word in enumerate(words_of(f"{_ONES} seventeen eighteen nineteen"))},
    **{word: value for value, word in enumerate(_ORDINALS.split(), start=1)},
    **{word: value for value, word in enumerate(words_of("zwei drei vier funf sechs sieben acht neun zehn"), start=2)},
    **{word: value for value, word in enumerate(words_of("deux trois quatre cinq"), start=2)},
    **{word: value for value, word in enumerate(words_of("tres cuatro cinco seis siete ocho nueve diez"), start=3)},
}
_LARGE = {word: value for value, word in enumerate(_TENS.split(), start=2)}
_SCALES = {
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
}
NUMBER_WORDS = frozenset({*_SMALL, *_LARGE, *_SCALES})
"""Words that stand for a number; those that also mean something common (``once``, ``elf``, ``dos``) are left out."""

ROMAN_NUMERALS = {
    word: value
    for value, word in enumerate(
        words_of("i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx xxi xxii xxiii xxiv xxv"),
        start=1,
    )
}
"""Roman numerals up to 25, in lower case."""

SURE_ROMAN_NUMERALS = frozenset(ROMAN_NUMERALS) - {"i", "v", "x", "vi", "xi"}
"""Those that are hardly ever a word, an initial or a surname."""

_MULTIPLIERS = {
    "k": 10**3, "tsd": 10**3, "thousand": 10**3, "hundred": 100,
    "mn": 10**6, "mio": 10**6, "million": 10**6, "millions": 10**6, "millionen": 10**6, "millones": 10**6,
    "bn": 10**9, "mrd": 10**9, "billion": 10**9, "billions": 10**9, "milliarden": 10**9, "milliards": 10**9,
}  # fmt: skip
_MONEY_MULTIPLIERS = {"m": 10**6, "b": 10**9}

_CURRENCIES = {
    symbol: code
    for code, symbols in {
        "eur": "€ eur euro euros", "usd": "$ us$ usd dollar dollars", "gbp": "£ gbp pound pounds",
        "chf": "chf franken", "jpy": "¥ jpy yen", "cny": "cny rmb yuan", "inr": "₹ inr rupees",
        "huf": "huf ft forint", "rub": "₽ rub rubles roubles", "pln": "pln zloty", "sek": "sek", "nok": "nok",
        "czk": "czk", "cad": "cad", "aud": "aud",
    }.items()
    for symbol in symbols.split()
}  # fmt: skip
_MEASURES = {
    word: unit
    for unit, words in {
        "%": "% percent pct prozent", "kg": "kg kilo kilos kilogram kilograms", "g": "g gram grams", "mg": "mg",
        "t": "t ton tons tonne tonnes tonnen", "lb": "lb lbs", "km": "km kilometer kilometers kilometre kilometres",
        "m": "m meter meters metre metres", "cm": "cm", "mm": "mm", "mile": "mi mile miles", "ft": "feet foot",
        "l": "l liter liters litre litres", "ml": "ml", "ha": "ha hectares", "m2": "sqm", "w": "w watt watts",
        "kw": "kw", "mw": "mw", "gw": "gw", "kwh": "kwh", "mwh": "mwh", "kb": "kb", "mb": "mb", "gb": "gb", "tb": "tb",
        "ms": "ms", "s": "s sec secs second seconds sekunden", "min": "min mins minute minutes minuten",
        "h": "h hr hrs hour hours stunden", "day": "day days tag tage tagen", "week": "week weeks woche wochen",
        "month": "month months monat monate monaten", "year": "year years jahr jahre jahren yr yrs",
    }.items()
    for word in words.split()
}  # fmt: skip
UNIT_WORDS = frozenset({*_CURRENCIES, *_MEASURES, *_MULTIPLIERS})
"""Words that belong to the number beside them."""

_ORDINAL_ENDINGS = frozenset(words_of("st nd rd th er e eme te ter ste"))
_VERSION_WORDS = frozenset(words_of("v ver version release rev"))

_CORE = re.compile(r"\d+(?:[.,']\d+| \d{3}(?![\d.,]\d|\d))*")
_BEFORE = re.compile(r"(?:(?P<word>[^\W\d_]{1,8})(?P<gap>\.? )?|(?P<symbol>us\$|[$€£¥₹₽]) ?)?(?P<minus>(?<!\w)-)?$")
_AFTER = re.compile(r"(?P<gap>[ -])?(?P<first>%|us\$|[$€£¥₹₽]|[^\W\d_]+)(?:\.? (?P<second>[$€£¥₹₽]|[^\W\d_]+))?")
_WINDOW = 24
"""Characters looked at on either side of a number for its unit."""

_LARGE_WORD, _SMALL_WORD, _SCALE_WORD = ("|".join(words) for words in (_LARGE, _SMALL, _SCALES))
_BELOW_HUNDRED = rf"(?:(?:{_LARGE_WORD})(?:[ -](?:{_SMALL_WORD}))?|{_SMALL_WORD})"
_SPOKEN = re.compile(
    rf"\b{_BELOW_HUNDRED}(?:(?: (?:{_SCALE_WORD}))+(?: and)? {_BELOW_HUNDRED})*(?: (?:{_SCALE_WORD}))*\b"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number as it stands in a text.

    Attributes:
        readings: the values it may stand for (``1.250`` is 1250 or 1.25); a version is the text of its parts.
        unit: canonical unit, currency or the letters glued to the number (``q`` of ``Q3``); None without one.
    """

    readings: frozenset[Decimal | str]
    unit: str | None = None


def compatible_quantities(a: Quantity, b: Quantity) -> bool:
    """Whether both may say the same; a missing unit agrees with any."""
    units_agree = a.unit == b.unit or a.unit is None or b.unit is None
    return units_agree and not a.readings.isdisjoint(b.readings)


def read_quantities(text: str) -> frozenset[Quantity]:
    """Read the first ``MAX_NUMBERS`` numbers of a folded, unaccented text without dates, in linear time."""
    digits = _with_final_roman(spoken_as_digits(text))
    return frozenset(
        quantity for match in islice(_CORE.finditer(digits), MAX_NUMBERS) for quantity in _around(digits, match)
    )


def spoken_as_digits(text: str) -> str:
    """Write the number words of a folded text as digits: ``forty-four`` as ``44``, ``second`` as ``2``."""
    return _SPOKEN.sub(_spoken_value, text)


def _with_final_roman(text: str) -> str:
    head, space, last = text.rpartition(" ")
    return f"{head} {ROMAN_NUMERALS[last]}" if space and last in SURE_ROMAN_NUMERALS else text


def _spoken_value(match: re.Match[str]) -> str:
    total = below = 0
    for word in match[0].replace("-", " ").split():
        if word in _SCALES:
            scale = _SCALES[word]
            total, below = (total, below * scale) if scale == _SCALES["hundred"] else (total + below * scale, 0)
        else:
            below += _SMALL.get(word, 10 * _LARGE.get(word, 0))
    return str(total + below)


def _around(text: str, match: re.Match[str]) -> list[Quantity]:
    """Read one run of digits together with what stands on its two sides."""
    before = _BEFORE.search(text[max(0, match.start() - _WINDOW) : match.start()])
    after = _AFTER.match(text[match.end() : match.end() + _WINDOW])
    prefix, glued = _prefix(before)
    if prefix in _VERSION_WORDS and (glued or "." in match[0]):
        return [Quantity(frozenset({match[0].lstrip("0") or "0"}), "v")]
    unit, factor = _suffix(after, money=prefix in _CURRENCIES)
    unit = _CURRENCIES.get(prefix, unit)
    if unit is None and glued:
        unit = prefix
    sign = -1 if before and before["minus"] else 1
    is_money = unit in _CURRENCIES
    return [
        Quantity(frozenset(v if isinstance(v, str) else v * sign * factor for v in readings), unit)
        for readings in _values(match[0], is_money=is_money)
    ]


def _prefix(before: re.Match[str] | None) -> tuple[str, bool]:
    """Return the word or sign in front of a number, and whether it is a word glued to it."""
    if before is None:
        return "", False
    word = before["word"]
    return (word or before["symbol"] or "").strip(), bool(word and before["gap"] is None and not before["minus"])


def _suffix(after: re.Match[str] | None, *, money: bool) -> tuple[str | None, int]:
    """Return the unit behind a number and the factor that a word like ``million`` stands for."""
    if after is None:
        return None, 1
    first, second = after["first"], after["second"] or ""
    factor = _MULTIPLIERS.get(first, 1)
    if factor == 1 and (money or second in _CURRENCIES):
        factor = _MONEY_MULTIPLIERS.get(first, 1)
    if factor > 1:
        return _CURRENCIES.get(second, _MEASURES.get(second)), factor
    if after["gap"] is None and first in _ORDINAL_ENDINGS:
        return None, 1
    known = _CURRENCIES.get(first, _MEASURES.get(first))
    return (known if known or after["gap"] else first), 1


def _values(core: str, *, is_money: bool) -> list[frozenset[Decimal | str]]:
    """Return what one run of digits, points, commas and spaces may stand for; a list of numbers gives several."""
    core = core.replace("'", "").replace(" ", "")
    point, comma = core.count("."), core.count(",")
    if point and comma:
        decimal = "." if core.rfind(".") > core.rfind(",") else ","
        other = "," if decimal == "." else "."
        if core.count(decimal) == 1:
            return [frozenset({Decimal(core.replace(other, "").replace(decimal, "."))})]
    elif point or comma:
        return _one_separator(core, "." if point else ",", is_money=is_money)
    return [frozenset({Decimal(part)}) for part in re.split("[.,]", core)]


def _one_separator(core: str, separator: str, *, is_money: bool) -> list[frozenset[Decimal | str]]:
    head, *groups = core.split(separator)
    grouped = Decimal(core.replace(separator, ""))
    in_thousands = len(head) <= 3 and head[0] != "0" and all(len(group) == 3 for group in groups)  # noqa: PLR2004 - 1,000
    if len(groups) > 1:
        if in_thousands:
            return [frozenset({grouped})]
        return [frozenset({core})] if separator == "." else [frozenset({Decimal(p)}) for p in (head, *groups)]
    exact = Decimal(f"{head}.{groups[0]}")
    if not in_thousands:
        return [frozenset({exact})]
    unsure = separator == "." and groups[0] != "000" and not is_money
    return [frozenset({grouped, exact} if unsure else {grouped})]
