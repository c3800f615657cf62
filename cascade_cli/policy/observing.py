"""Everything about an event that the settings of a policy are applied to, read once for any number of policies."""

from __future__ import annotations

from dataclasses import dataclass

from cascade_cli.policy.gates import Case, Empty, Grounding, ParseFail, categories_of


@dataclass(frozen=True, slots=True)
class Observation:
    """What the gates see of one event and its answer, whatever their settings.

    Attributes:
        arena: the event's; None when unknown.
        parse_fail: no usable extraction.
        empty: an extraction that holds nothing.
        ungrounded: an address that stands nowhere in the event.
        categories: of its facts and of the event itself, lower case.
    """

    arena: str | None
    parse_fail: bool
    empty: bool
    ungrounded: bool
    categories: frozenset[str]


def observe(case: Case) -> Observation:
    """Ask the gates that have no settings, and note what the others look at."""
    return Observation(
        case.event.arena,
        ParseFail().fires(case),
        Empty().fires(case),
        Grounding().fires(case),
        categories_of(case),
    )
