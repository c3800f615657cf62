"""Names in a policy that no event bears: mostly slips."""

from __future__ import annotations

from difflib import get_close_matches

from cascade_cli.config import POLICY_HIGH_VALUE_CATEGORIES, POLICY_VIP_ARENAS
from cascade_cli.errors import UsageError
from cascade_cli.policy import EVERY_CATEGORY
from cascade_cli.policy_in_force import Wanted
from cascade_cli.simulate.events import Events


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
        for name in sorted(names - known - {EVERY_CATEGORY}):
            near = get_close_matches(name, known, n=1)
            if setting.key in wanted.named and near:
                raise UsageError(f"No event has the {what} {name!r}.", hint=f"Did you mean {near[0]!r}?")
            told.append(f"No event has the {what} {name!r}{f'; there is {near[0]!r}' if near else ''}.")
    return tuple(told)
