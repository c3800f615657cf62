"""What the sliders of a page say -> a policy, and its figures from the events that are in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from starlette.datastructures import QueryParams

from cascade_cli.console import Result
from cascade_cli.dashboard.snapshots import Snapshot
from cascade_cli.errors import UsageError
from cascade_cli.policy import exact_rate
from cascade_cli.policy_in_force import Wanted, read_thresholds
from cascade_cli.simulate import simulate_scored

MOST_CATEGORIES = 40
"""Categories that are offered beside those in force, the most frequent first; a student may invent any number."""
_LONGEST_LIST = 1_000


@dataclass(frozen=True, slots=True)
class Knobs:
    """What was asked for.

    Attributes:
        wanted: the policies; the first is the one that is asked about.
        moved: whether any knob stands elsewhere than in the policy in force.
    """

    wanted: Wanted
    moved: bool


def read_knobs(query: QueryParams, wanted: Wanted) -> Knobs:
    """The policies that a form asks for: ``sample_rate``, ``verifier_threshold`` (``off`` for none), ``high_value``.

    Args:
        query: of the address; what it lacks stays as in force. ``high_value`` comes as often as there are categories,
            and an empty one stands for none.
        wanted: the policies in force.

    Raises:
        UsageError: a value makes no sense.
    """
    base = wanted.base
    rate, threshold = query.get("sample_rate"), query.get("verifier_threshold")
    if rate:
        base = replace(base, sample_rate=_read_rate(rate))
    if threshold:
        base = replace(base, verifier_threshold=_read_threshold(threshold))
    if "high_value" in query:
        base = replace(base, high_value_categories=frozenset(_read_names(query.getlist("high_value"))))
    rates = tuple(dict.fromkeys((base.sample_rate, *wanted.rates)))
    level = None if base.verifier_threshold is None else exact_rate(base.verifier_threshold)
    return Knobs(Wanted(base, rates, (level,)), base != wanted.base)


def turned(snapshot: Snapshot, knobs: Knobs) -> Result:
    """As ``cascade simulate`` of these policies, without the fleet, whose replay takes longer than one waits.

    Other categories change what escalates, as with ``--vary categories``. Which misses are critical, and so what
    agrees, stays as it was scored.
    """
    reading = snapshot.reading
    if reading.simulation is None:
        raise reading.problem or UsageError("There is nothing to simulate.")
    simulation = replace(reading.simulation, wanted=knobs.wanted, fleet=False)
    return simulate_scored(simulation, reading.scored, snapshot.request, snapshot.settings, events=snapshot.events)


def known_categories(snapshot: Snapshot) -> list[str]:
    """The categories that a form offers: those in force, then the most frequent."""
    listed = sorted(snapshot.asked.wanted.base.high_value_categories)
    # All of those in force: a form sends what it shows, and one that is not shown would be out of force.
    return list(dict.fromkeys((*listed, *snapshot.categories)))[: max(MOST_CATEGORIES, len(listed))]


def slider_step(share: float | Decimal | None) -> str:
    """How finely a slider moves: by hundredths, unless its share lies between two, which it would round to one."""
    return "0.01" if share is None or not exact_rate(share) % Decimal("0.01") else "any"


def _read_rate(text: str) -> Decimal:
    try:
        return exact_rate(text)
    except ValueError as error:
        raise UsageError("A sample rate is a number from 0 to 1.", hint="Five per cent is 0.05.") from error


def _read_threshold(text: str) -> float | None:
    levels = read_thresholds([text])
    if len(levels) > 1:
        raise UsageError("One verifier threshold at a time can be asked for.", hint="cascade simulate sweeps them.")
    return None if levels[0] is None else float(levels[0])


def _read_names(texts: Sequence[str]) -> list[str]:
    if len(texts) > _LONGEST_LIST:
        raise UsageError(f"More than {_LONGEST_LIST:,} categories are asked for.")
    return [name for name in texts if name]
