"""What was typed -> the policies to replay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches

from cascade_cli.config import (
    COMMAND_LINE,
    POLICY_HIGH_VALUE_CATEGORIES,
    POLICY_SALT,
    POLICY_SAMPLE_RATE,
    POLICY_VIP_ARENAS,
    Settings,
)
from cascade_cli.errors import UsageError
from cascade_cli.policy import GATES, Policy, exact_rate
from cascade_cli.simulate.events import Events

_MOST_RATES = 10_000
_SWEEP_PARTS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """The policies that were asked for.

    Attributes:
        base: everything but the rates; its own rate is the first of them.
        rates: sample rates to replay, each once, in the order asked for.
        named: keys of the settings that came from the command line: a name there that is nearly one of the data's is a
            slip.
    """

    base: Policy
    rates: tuple[Decimal, ...]
    named: frozenset[str] = frozenset()

    @property
    def policies(self) -> list[Policy]:
        """One policy a rate."""
        return [replace(self.base, sample_rate=rate) for rate in self.rates]


def read_wanted(
    settings: Settings, sample_rates: Sequence[str], without_gates: Sequence[str], *, most_rates: int | None = None
) -> Wanted:
    """The policies that were asked for.

    Args:
        settings: as resolved, flags included.
        sample_rates: rates or sweeps as typed; empty for the setting.
        without_gates: reasons of gates to leave out.
        most_rates: more are a mistake; None for any number.

    Raises:
        UsageError: one of them makes no sense.
    """
    rates = read_rates(sample_rates, settings[POLICY_SAMPLE_RATE])
    if most_rates is not None and len(rates) > most_rates:
        raise UsageError(f"One sample rate is wanted here, not {len(rates):,}.")
    categories: tuple[str, ...] = settings[POLICY_HIGH_VALUE_CATEGORIES]
    arenas: tuple[str, ...] = settings[POLICY_VIP_ARENAS]
    base = Policy(
        sample_rate=rates[0],
        high_value_categories=frozenset(categories),
        vip_arenas=frozenset(arenas),
        salt=settings[POLICY_SALT],
        gates=read_gates(without_gates),
    )
    lists = (POLICY_HIGH_VALUE_CATEGORIES, POLICY_VIP_ARENAS)
    return Wanted(base, rates, frozenset(each.key for each in lists if settings.origin(each) == COMMAND_LINE))


def read_rates(texts: Sequence[str], default: Decimal) -> tuple[Decimal, ...]:
    """Sample rates as they are typed: ``0.05``, or a sweep ``0:0.2:0.01`` with both ends.

    Raises:
        UsageError: one is not a number in [0, 1], or a sweep makes no sense.
    """
    rates = [rate for text in texts for rate in _read_one(text)] if texts else [default]
    return tuple(dict.fromkeys(rates))


def _read_one(text: str) -> list[Decimal]:
    parts = [_rate(part, text) for part in text.split(":")]
    if len(parts) == 1:
        return parts
    if len(parts) != _SWEEP_PARTS:
        raise _not_a_rate(text)
    first, last, step = parts
    if step <= 0 or last < first or (last - first) / step >= _MOST_RATES:
        raise UsageError(
            f"The sweep {text!r} needs a first rate, a last one that is no smaller, and a step above 0.",
            hint=f"For example 0:0.2:0.01; at most {_MOST_RATES:,} rates.",
        )
    return [first + number * step for number in range(int((last - first) / step) + 1)]


def _rate(part: str, whole: str) -> Decimal:
    try:
        return exact_rate(part.strip())
    except ValueError as error:
        raise _not_a_rate(whole) from error


def _not_a_rate(text: str) -> UsageError:
    return UsageError(
        f"A sample rate is a number from 0 to 1, or FIRST:LAST:STEP, not {text!r}.", hint="Five per cent is 0.05."
    )


def read_gates(left_out: Iterable[str]) -> frozenset[str]:
    """The gates in force when some are left out.

    Raises:
        UsageError: a reason is unknown.
    """
    names = frozenset(left_out)
    for name in sorted(names - set(GATES)):
        near = get_close_matches(name, GATES, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"Unknown gate {name!r}.", hint=f"{meant}Gates: {', '.join(GATES)}.")
    return frozenset(GATES) - names


def split_names(texts: Iterable[str] | None) -> tuple[str, ...] | None:
    """Names as they are typed, parted by commas or given one by one; None where the flag was not given."""
    if texts is None:
        return None
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


def check_names(wanted: Wanted, events: Events) -> tuple[str, ...]:
    """Compare the names of the policy with those that occur; returns what to tell of the ones that do not.

    Raises:
        UsageError: a name from the command line occurs nowhere, but one much like it does.
    """
    told = []
    arenas = set(events.arenas.drop_nulls().unique())
    categories = set(events.categories.explode().drop_nulls().unique())
    for setting, what, names, known in (
        (POLICY_HIGH_VALUE_CATEGORIES, "category", wanted.base.high_value_categories, categories),
        (POLICY_VIP_ARENAS, "arena", wanted.base.vip_arenas, arenas),
    ):
        for name in sorted(names - known):
            near = get_close_matches(name, known, n=1)
            if setting.key in wanted.named and near:
                raise UsageError(f"No event has the {what} {name!r}.", hint=f"Did you mean {near[0]!r}?")
            told.append(f"No event has the {what} {name!r}{f'; there is {near[0]!r}' if near else ''}.")
    return tuple(told)
