"""The policy that settings and flags describe; from several flags several, to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches

from cascade_cli.config import (
    COMMAND_LINE,
    POLICY_BURN_IN_EVENTS,
    POLICY_HIGH_VALUE_CATEGORIES,
    POLICY_SALT,
    POLICY_SAMPLE_RATE,
    POLICY_VERIFIER_THRESHOLD,
    POLICY_VIP_ARENAS,
    Settings,
)
from cascade_cli.errors import UsageError
from cascade_cli.policy import GATES, Policy, Verifier, exact_rate, stages_of

_MOST_SHARES = 10_000
_SWEEP_PARTS = 3
_OFF = "off"


def policy_in_force(settings: Settings) -> Policy:
    """The policy of some settings, all gates included."""
    categories: tuple[str, ...] = settings[POLICY_HIGH_VALUE_CATEGORIES]
    arenas: tuple[str, ...] = settings[POLICY_VIP_ARENAS]
    threshold = settings[POLICY_VERIFIER_THRESHOLD]
    return Policy(
        sample_rate=settings[POLICY_SAMPLE_RATE],
        high_value_categories=frozenset(categories),
        vip_arenas=frozenset(arenas),
        verifier_threshold=None if threshold is None else float(threshold),
        salt=settings[POLICY_SALT],
        burn_in_events=settings[POLICY_BURN_IN_EVENTS],
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """The policies that were asked for.

    Attributes:
        base: everything but rates and thresholds; its own are the first of them.
        rates: sample rates to replay, each once, in the order asked for.
        thresholds: of the verifier, likewise; None leaves it out.
        named: keys of the settings that came from the command line: a name there that is nearly one of the data's is a
            slip.
    """

    base: Policy
    rates: tuple[Decimal, ...]
    thresholds: tuple[Decimal | None, ...] = (None,)
    named: frozenset[str] = frozenset()

    @property
    def policies(self) -> list[Policy]:
        """One policy for each rate with each threshold."""
        return [
            replace(self.base, sample_rate=rate, verifier_threshold=None if threshold is None else float(threshold))
            for threshold in self.thresholds
            for rate in self.rates
        ]


def read_wanted(
    settings: Settings,
    sample_rates: Sequence[str] = (),
    without_gates: Sequence[str] = (),
    thresholds: Sequence[str] = (),
    *,
    most_rates: int | None = None,
) -> Wanted:
    """The policies that were asked for.

    Args:
        settings: as resolved, flags included.
        sample_rates: rates or sweeps as typed; empty for the setting.
        without_gates: reasons of gates to leave out.
        thresholds: of the verifier, as typed like rates; empty for the setting.
        most_rates: more, or more thresholds, are a mistake; None for any number.

    Raises:
        UsageError: one of them makes no sense.
    """
    rates = read_shares(sample_rates, "sample rate") or (settings[POLICY_SAMPLE_RATE],)
    levels = read_thresholds(thresholds) or (settings[POLICY_VERIFIER_THRESHOLD],)
    if thresholds and Verifier.reason in without_gates:
        raise UsageError("--verifier-threshold and --without-gate verifier contradict each other.")
    if len(rates) * len(levels) > _MOST_SHARES:
        raise UsageError(
            f"{len(rates):,} rates with {len(levels):,} thresholds are more than {_MOST_SHARES:,} policies."
        )
    if most_rates is not None and len(rates) > most_rates:
        raise UsageError(f"One sample rate is wanted here, not {len(rates):,}.")
    if most_rates is not None and len(levels) > most_rates:
        raise UsageError(f"One threshold of the verifier is wanted here, not {len(levels):,}.")
    base = replace(
        policy_in_force(settings),
        sample_rate=rates[0],
        verifier_threshold=None if levels[0] is None else float(levels[0]),
        gates=read_gates(without_gates),
    )
    lists = (POLICY_HIGH_VALUE_CATEGORIES, POLICY_VIP_ARENAS)
    return Wanted(base, rates, levels, frozenset(each.key for each in lists if settings.origin(each) == COMMAND_LINE))


def read_policy(
    settings: Settings,
    sample_rate: str | None = None,
    without_gates: Sequence[str] = (),
    threshold: str | None = None,
) -> Policy:
    """The one policy that was asked for, of flags that are None where they were not given.

    Raises:
        UsageError: one of them makes no sense.
    """
    rates, thresholds = ([each] if each else [] for each in (sample_rate, threshold))
    return read_wanted(settings, rates, without_gates, thresholds, most_rates=1).base


def at_stage(policy: Policy, stage: int | None) -> Policy:
    """The policy of a stage on the way to one, counted from 1; None is the end of it.

    Raises:
        UsageError: there are not so many.
    """
    stages = stages_of(policy)
    if stage is None:
        return policy
    if not 1 <= stage <= len(stages):
        raise UsageError(
            f"The rollout to this policy has {len(stages)} stages, and no stage {stage}.",
            hint="cascade simulate --rollout --target-residual 0.02 shows them.",
        )
    return stages[stage - 1]


def read_thresholds(texts: Sequence[str]) -> tuple[Decimal | None, ...]:
    """Thresholds of the verifier as they are typed, each once; ``off`` leaves it out, to compare with.

    Raises:
        UsageError: one is neither.
    """
    found: list[Decimal | None] = []
    for text in texts:
        found += [None] if text.strip() == _OFF else _read_one(text, "verifier threshold")
    return tuple(dict.fromkeys(found))


def read_shares(texts: Sequence[str], what: str) -> tuple[Decimal, ...]:
    """Shares as they are typed, each once: ``0.05``, or a sweep ``0:0.2:0.01`` with both ends.

    Args:
        texts: of any number.
        what: they are, as the user calls it.

    Raises:
        UsageError: one is not a number in [0, 1], or a sweep makes no sense.
    """
    return tuple(dict.fromkeys(share for text in texts for share in _read_one(text, what)))


def _read_one(text: str, what: str) -> list[Decimal]:
    try:
        parts = [exact_rate(part.strip()) for part in text.split(":")]
    except ValueError as error:
        raise _not_a_share(text, what) from error
    if len(parts) == 1:
        return parts
    if len(parts) != _SWEEP_PARTS:
        raise _not_a_share(text, what)
    first, last, step = parts
    if step <= 0 or last < first or (last - first) / step >= _MOST_SHARES:
        raise UsageError(
            f"The sweep {text!r} needs a first {what}, a last one that is no smaller, and a step above 0.",
            hint=f"For example 0:0.2:0.01; at most {_MOST_SHARES:,} of them.",
        )
    return [first + number * step for number in range(int((last - first) / step) + 1)]


def _not_a_share(text: str, what: str) -> UsageError:
    return UsageError(
        f"A {what} is a number from 0 to 1, or FIRST:LAST:STEP, not {text!r}.", hint="Five per cent is 0.05."
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
