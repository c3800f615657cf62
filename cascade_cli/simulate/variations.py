"""The policy with one thing changed at a time: what each gate and each category is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from cascade_cli.errors import UsageError
from cascade_cli.policy import Policy, gates_of
from cascade_cli.simulate.events import Events
from cascade_cli.simulate.figures import Figures
from cascade_cli.simulate.prices import Prices
from cascade_cli.simulate.sweeping import sweep_policies

GATES_ONE_BY_ONE, CATEGORIES_ONE_BY_ONE = "gates", "categories"
WAYS = (GATES_ONE_BY_ONE, CATEGORIES_ONE_BY_ONE)
MOST_CATEGORIES = 50
"""So many of the most frequent that do not escalate are tried; a student may invent any number."""


@dataclass(frozen=True, slots=True)
class Variation:
    """A policy that differs from another in one thing.

    Attributes:
        kind: ``gate`` or ``category``.
        name: which one.
        added: whether it joins; otherwise it is left out.
        policy: with that change.
    """

    kind: str
    name: str
    added: bool
    policy: Policy


def read_ways(texts: Iterable[str]) -> tuple[str, ...]:
    """Which things to change, each once.

    Raises:
        UsageError: there is no such thing.
    """
    for text in texts:
        if text not in WAYS:
            near = get_close_matches(text, WAYS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(WAYS)}."
            raise UsageError(f"Cannot vary {text!r}.", hint=hint)
    return tuple(dict.fromkeys(texts))


def variations_of(policy: Policy, ways: Sequence[str], events: Events) -> list[Variation]:
    """The policies to replay: gates that can fire, then categories that escalate, then the others by frequency."""
    found: list[Variation] = []
    if GATES_ONE_BY_ONE in ways:
        found += [
            Variation("gate", gate.reason, False, replace(policy, gates=policy.gates - {gate.reason}))
            for gate in gates_of(policy)
        ]
    if CATEGORIES_ONE_BY_ONE in ways:
        listed = policy.high_value_categories
        counted = events.categories.explode().drop_nulls().value_counts(sort=True)
        others = [name for name in counted.to_series(0).to_list() if name not in listed][:MOST_CATEGORIES]
        found += [
            Variation("category", name, name not in listed, replace(policy, high_value_categories=listed ^ {name}))
            for name in (*sorted(listed), *others)
        ]
    return found


def variation_figures(events: Events, policy: Policy, ways: Sequence[str], prices: Prices) -> list[Figures]:
    """The figures of each variation."""
    varied = variations_of(policy, ways, events)
    found = sweep_policies(events, [each.policy for each in varied], prices)
    return [
        {"kind": each.kind, "name": each.name, "added": each.added, **figures}
        for each, figures in zip(varied, found, strict=True)
    ]
