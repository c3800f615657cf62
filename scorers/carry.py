"""The entity alignment as the ends of facts and relationships see it.

Without it one name variant costs three times: as an entity, in every fact and in every relationship.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from scorers.alignment import Pair
from scorers.items import Entity, Fact, Relationship
from scorers.strings.text import fold


@dataclass(frozen=True)  # without slots: what is replaced by signs is worked out once
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
        return self._gold_signs(gold), self._predicted_signs(predicted)

    @cached_property
    def _gold_signs(self) -> _Signs:
        return _Signs(self.gold)

    @cached_property
    def _predicted_signs(self) -> _Signs:
        return _Signs(self.predicted)

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
_MAX_CHARS, _MAX_SURFACES, _MAX_SEARCHED = 2_000, 500, 100_000
"""Beyond these, and their product beyond the last, nobody looks for mentions."""


class _Signs:
    """The surfaces of one side, the longest first, and the texts in which they were replaced already."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._numbers = numbers
        self._surfaces = sorted(numbers, key=lambda surface: (-len(surface), surface))
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._replaced: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """A folded text with a sign for every surface that it mentions."""
        surfaces = len(self._surfaces)
        if len(text) > _MAX_CHARS or surfaces > _MAX_SURFACES or len(text) * surfaces > _MAX_SEARCHED:
            return text
        if text not in self._replaced:
            self._replaced[text] = self._replace(text)
        return self._replaced[text]

    def _replace(self, text: str) -> str:
        for surface in self._surfaces:
            if surface in text and self._numbers[surface] < _SIGNS:
                text = self._pattern(surface).sub(chr(_FIRST_SIGN + self._numbers[surface]), text)
        return text

    def _pattern(self, surface: str) -> re.Pattern[str]:
        if surface not in self._patterns:
            self._patterns[surface] = re.compile(rf"(?<!\w){re.escape(surface)}(?!\w)")
        return self._patterns[surface]


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
