"""The deterministic sampler: the same events in Python, DuckDB, PostgreSQL and any other language.

An event's unit depends on its id, the salt and the domain alone: never on content, gates, prompt or order. So raising
the rate only adds events, and what a simulation samples is what the live worker samples. The same arithmetic as SQL
stands in ``sampling.sql``.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from math import floor

UNITS = 2**52
"""Units are whole numbers from 0 up to, not including, this: every one is exact as a float, too."""
_MOST_DECIMALS = 50
"""Further ones could not change which units a rate takes, and arithmetic on millions of them would take for ever."""
_DIGITS = 13
"""Hexadecimal digits of 52 bits."""

Rate = Decimal | int | str | float


def sample_unit(event_id: str, salt: str = "cascade", domain: str = "sample") -> int:
    """The place of an event in a domain, a whole number in [0, 2**52), uniform over ids.

    Args:
        event_id: any text.
        salt: another one samples other events.
        domain: one per use (``sample``, ``teacher_twice``, ``split``), so that uses are independent.
    """
    text = f"{domain}:{salt}:{event_id}".encode("utf-8", "surrogatepass")
    return int(sha256(text).hexdigest()[:_DIGITS], 16)


def exact_rate(rate: Rate) -> Decimal:
    """A share in [0, 1] as the decimal that was written; a float is read as it prints, so that 0.05 is 0.05.

    Raises:
        ValueError: it is not a number in [0, 1].
    """
    try:
        exact = rate if isinstance(rate, Decimal) else Decimal(str(rate))
    except InvalidOperation as error:
        raise ValueError(f"a rate must be a number in [0, 1], not {rate!r}") from error
    if isinstance(rate, bool) or not exact.is_finite() or not 0 <= exact <= 1:
        raise ValueError(f"a rate must be a number in [0, 1], not {rate!r}")
    if int(exact.as_tuple().exponent) < -_MOST_DECIMALS:
        raise ValueError(f"a rate in [0, 1] has at most {_MOST_DECIMALS} decimals")
    return exact


@lru_cache(maxsize=1024)
def units_below(rate: Decimal) -> int:
    """How many of the 2**52 units a rate takes, ``floor(rate * 2**52)``; an event is in iff its unit is below that."""
    return floor(Fraction(rate) * UNITS)


def rate_at(age_events: int, rate: Decimal, burn_in_events: int) -> Decimal:
    """The rate in force for the next standing event of a prompt hash that is ``age_events`` old.

    The first ``burn_in_events`` are all sampled; after that the rate falls in inverse proportion to the age, down to
    ``rate``. So a new prompt is known within hours, and every inclusion probability is.

    Args:
        age_events: standing events of the hash before this one, in claim order, at least 0.
        rate: where it ends, in [0, 1].
        burn_in_events: at least 0; 0 leaves the rate as it is.
    """
    if age_events < burn_in_events:
        return Decimal(1)
    return max(rate, Decimal(burn_in_events) / (age_events + 1))
