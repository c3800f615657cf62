"""The kinds of value a setting can have, and how each is read from text and from TOML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of value.

    Attributes:
        name: completes the sentence "... must be", as in ``a whole number from 1``.
        read: a TOML value (numbers with a point as ``Decimal``) -> the value; ValueError where it is of another kind.
        from_text: the text of an environment variable -> what TOML would have given.
    """

    name: str
    read: Callable[[object], T]
    from_text: Callable[[str], object] = str


def _text(raw: object) -> str:
    if not isinstance(raw, str) or "\0" in raw:
        raise ValueError
    return raw


def _path(raw: object) -> Path:
    return raw if isinstance(raw, Path) else Path(_text(raw)).expanduser()


def _flag(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError  # noqa: TRY004 - every reader says "of another kind" in the same way
    return raw


def _flag_from_text(text: str) -> object:
    word = text.strip().lower()
    return word in _TRUE if word in _TRUE | _FALSE else text


def _number_from_text(text: str) -> object:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return text
    return int(number) if number == number.to_integral_value() and "." not in text else number


def _decimal(raw: object) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
        raise ValueError  # noqa: TRY004 - as above
    number = Decimal(str(raw))
    if not number.is_finite():
        raise ValueError
    return number


def _seconds(raw: object) -> float:
    number = float(_decimal(raw))
    if number <= 0:
        raise ValueError
    return number


def _amount(raw: object) -> float:
    number = float(_decimal(raw))
    if number < 0:
        raise ValueError
    return number


def _rate(raw: object) -> Decimal:
    number = _decimal(raw)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def _names(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple):
        raise ValueError  # noqa: TRY004 - as above
    return tuple(_text(name) for name in raw)


def _columns(raw: object) -> Mapping[str, str]:
    if not isinstance(raw, Mapping):
        raise ValueError  # noqa: TRY004 - as above
    return {_text(ours): _text(theirs) for ours, theirs in raw.items()}


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def whole_number(least: int, most: int | None = None) -> Kind[int]:
    """Return the kind of whole numbers from ``least`` up, to ``most`` where one is given."""

    def read(raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or raw < least or (most is not None and raw > most):
            raise ValueError
        return raw

    return Kind(f"a whole number from {least}{'' if most is None else f' to {most}'}", read, _number_from_text)


TEXT = Kind("a text", _text)
PATH = Kind("a path", _path)
FLAG = Kind("true or false", _flag, _flag_from_text)
SECONDS = Kind("a number of seconds above 0", _seconds, _number_from_text)
AMOUNT = Kind("a number from 0", _amount, _number_from_text)
RATE = Kind("a number from 0 to 1", _rate, _number_from_text)
NAMES = Kind("a list of texts", _names, _split)
COLUMNS = Kind("a table of texts", _columns)
