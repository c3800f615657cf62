"""What gates find in the texts of an event and its answer, read once for any number of policies."""

from __future__ import annotations

from dataclasses import dataclass

from cascade_cli.policy.gates import Case, Grounding, categories_of


@dataclass(frozen=True, slots=True)
class Observation:
    """What the gates find in texts, whatever their settings.

    Attributes:
        ungrounded: an address of the answer that stands nowhere in the event.
        categories: of its facts and of the event itself, lower case.
    """

    ungrounded: bool
    categories: frozenset[str]


def observe(case: Case) -> Observation:
    """Ask the gates that look at texts; what the others look at stands beside them."""
    return Observation(Grounding().fires(case), categories_of(case))
