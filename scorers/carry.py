"""The entity alignment as the ends of facts and relationships see it.

Without it one name variant costs three times: as an entity, in every fact and in every relationship.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scorers.alignment import Pair
from scorers.items import Entity, Fact, Relationship
from scorers.strings.text import fold


@dataclass(frozen=True, slots=True)
class Carry:
    """Which surfaces mean the same aligned pair of entities although they are spelled differently.

    Attributes:
        gold: folded surface of a gold entity that has another one, here or on the predicted side -> number of the pair.
        predicted: likewise for the predicted side.
    """

    gold: Mapping[str, int] = field(default_factory=dict)
    predicted: Mapping[str, int] = field(default_factory=dict)

    def joins(self, gold: str, predicted: str) -> bool:
        """Whether two folded surfaces resolve to the two members of one aligned pair."""
        number = self.gold.get(gold)
        return number is not None and number == self.predicted.get(predicted)

    def mentions(self, gold: str, predicted: str) -> tuple[str, str]:
        """Two folded texts with every surface that they mention replaced by a sign that stands for its pair."""
        return _with_signs(gold, self.gold), _with_signs(predicted, self.predicted)

    def unsafe(self, *sections: Sequence[Fact | Relationship]) -> frozenset[str]:
        """Surfaces that are ends on both sides but do not resolve alike there.

        Such an end equals one item by its surface and another by what it resolves to, so no key can stand for both.

        Args:
            sections: facts and relationships of gold, then of the prediction.
        """
        if not self.gold:
            return frozenset()
        half = len(sections) // 2
        ours, theirs = _end_surfaces(sections[:half]), _end_surfaces(sections[half:])
        return frozenset(end for end in ours & theirs if self.gold.get(end) != self.predicted.get(end))


NO_CARRY = Carry()
_FIRST_SIGN = 0xE000
"""The first of 6,400 characters that Unicode leaves to private use, so that no text means anything by them."""
_SIGNS = 6_400
_MAX_CHARS, _MAX_SURFACES = 2_000, 500
"""Beyond these nobody looks for mentions: the search grows with the product of the two."""


def _with_signs(text: str, numbers: Mapping[str, int]) -> str:
    if len(text) > _MAX_CHARS or len(numbers) > _MAX_SURFACES:
        return text
    for surface in sorted(numbers, key=lambda surface: (-len(surface), surface)):
        if surface in text and numbers[surface] < _SIGNS:
            sign = chr(_FIRST_SIGN + numbers[surface])
            text = re.sub(rf"(?<!\w){re.escape(surface)}(?!\w)", sign, text)
    return text


def _end_surfaces(sections: Sequence[Sequence[Fact | Relationship]]) -> set[str]:
    return {item.key[place] for items in sections for item in items for place in (0, 2)}


def carry_of(gold: Sequence[Entity], predicted: Sequence[Entity], pairs: Sequence[Pair]) -> Carry:
    """Collect the surfaces that resolve, exactly and uniquely on their own side, to a member of an aligned pair.

    Pairs with one and the same surface on both sides are left out: there the surface alone tells.
    """
    differing = [
        (pair.gold, pair.predicted)
        for pair in pairs
        if pair.accepted and pair.gold is not None and pair.predicted is not None
        if _have_other_surfaces(gold[pair.gold], predicted[pair.predicted])
    ]
    if not differing:
        return NO_CARRY
    return Carry(
        _numbers(_owners(gold), {i: number for number, (i, _) in enumerate(differing)}),
        _numbers(_owners(predicted), {j: number for number, (_, j) in enumerate(differing)}),
    )


def _numbers(owner_of: Mapping[str, int], number_of: Mapping[int, int]) -> dict[str, int]:
    return {surface: number_of[owner] for surface, owner in owner_of.items() if owner in number_of}


def _have_other_surfaces(gold: Entity, predicted: Entity) -> bool:
    if gold.aliases or predicted.aliases:
        return len(_surfaces(gold) | _surfaces(predicted)) > 1
    return gold.key[0] != predicted.key[0]


def _surfaces(entity: Entity) -> set[str]:
    return {entity.key[0], *map(fold, entity.aliases)} if entity.aliases else {entity.key[0]}


def _owners(entities: Sequence[Entity]) -> dict[str, int]:
    """Folded name or alias -> position of the one entity that bears it; shared ones are left out."""
    found: dict[str, int] = {}
    shared = {""}
    for position, entity in enumerate(entities):
        for surface in _surfaces(entity):
            if found.setdefault(surface, position) != position:
                shared.add(surface)
    return {surface: position for surface, position in found.items() if surface not in shared}
