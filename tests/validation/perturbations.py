"""Single changes of a real extraction whose effect on its meaning is known: harmless ones and harmful ones."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from validation import harmful, harmless
from validation.changes import PERSON_TYPES, SYMMETRIC, Change, in_objects, relations, world_of
from validation.edits import Extraction


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One kind of change.

    Attributes:
        name: in words.
        harmful: whether the result says something else than before.
        change: gives the changed extraction, None where it has nothing to change.
        needs_schema: whether one must have been told which relations are inverse or symmetric to see it is harmless.
    """

    name: str
    harmful: bool
    change: Change
    needs_schema: bool = False


PERTURBATIONS = (
    Perturbation("order of items", harmful=False, change=harmless.reorder),
    Perturbation("case", harmful=False, change=harmless.respelled(str.upper)),
    Perturbation("accents", harmful=False, change=harmless.respelled(harmless.without_accents)),
    Perturbation(
        "legal form", harmful=False, change=harmless.respelled(harmless.other_legal_form, harmless.ORGANISATION_TYPES)
    ),
    Perturbation("nickname", harmful=False, change=harmless.respelled(harmless.nickname, PERSON_TYPES)),
    Perturbation("initial", harmful=False, change=harmless.respelled(harmless.initial, PERSON_TYPES)),
    Perturbation(
        "family name first", harmful=False, change=harmless.respelled(harmless.family_name_first, PERSON_TYPES)
    ),
    Perturbation("date as ISO", harmful=False, change=in_objects(harmless.LONG_DATE, harmless.as_iso)),
    Perturbation("date in words", harmful=False, change=in_objects(harmless.ISO_DATE, harmless.in_words)),
    Perturbation("form of an amount", harmful=False, change=in_objects(harmless.AMOUNT, harmless.other_amount)),
    Perturbation(
        "inverse relation",
        harmful=False,
        change=relations(set(harmless.INVERSES), harmless.INVERSES.__getitem__),
        needs_schema=True,
    ),
    Perturbation("symmetric relation", harmful=False, change=relations(SYMMETRIC, str), needs_schema=True),
    Perturbation("swapped relationship", harmful=True, change=harmful.swap_relationship),
    Perturbation("swapped fact", harmful=True, change=harmful.swap_fact),
    Perturbation("changed digit", harmful=True, change=in_objects(harmful.DIGIT, harmful.other_digit)),
    Perturbation("dropped item", harmful=True, change=harmful.drop_item),
    Perturbation("added fact", harmful=True, change=harmful.add_fact),
    Perturbation("negated fact", harmful=True, change=harmful.negate_fact),
    Perturbation("invented e-mail", harmful=True, change=harmful.invent_email),
    Perturbation("wrong type", harmful=True, change=harmful.wrong_type),
    Perturbation("other name", harmful=True, change=harmful.other_name),
    Perturbation("other first name", harmful=True, change=harmful.other_first_name),
)
"""Every kind of change."""


@dataclass(frozen=True, slots=True)
class Case:
    """One perturbed extraction beside what it was."""

    source: str
    perturbation: Perturbation
    gold: Extraction
    changed: Extraction


def perturb(source: str, extractions: list[Extraction], each: int, seed: int = 11) -> Iterator[Case]:
    """Yield up to ``each`` cases a perturbation, each of another extraction, chosen by the seed."""
    world = world_of(extractions)
    for perturbation in PERTURBATIONS:
        rng = random.Random(f"{seed}-{source}-{perturbation.name}")
        found = 0
        for gold in rng.sample(extractions, len(extractions)):
            result = perturbation.change(rng, gold, world)
            if result is not None and result != gold:
                yield Case(source, perturbation, gold, result)
                found += 1
            if found == each:
                break
