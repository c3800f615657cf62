"""On pairs where metrics go wrong, ours does what a right one must do."""

import json
import sys
from difflib import SequenceMatcher
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.peers import exact_rules
from validation.separation import our_agreement
from validation.traps import TRAPS


def alike_as_text(gold, predicted):
    return SequenceMatcher(None, json.dumps(gold), json.dumps(predicted), autojunk=False).ratio()


def alike_in_length(gold, predicted):
    sizes = [sum(map(len, side.values())) for side in (gold, predicted)]
    return (min(sizes) + 1) / (max(sizes) + 1)


def alike_as_sets(gold, predicted):
    ours, theirs = ({json.dumps(item) for items in side.values() for item in items} for side in (gold, predicted))
    return len(ours & theirs) / max(1, len(ours | theirs))


NAIVE = (alike_as_text, alike_in_length, alike_as_sets, *(rule.score for rule in exact_rules()))


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.title)
def test_our_agreement_does_not_fall_into_the_trap(trap):
    values = trap.values(our_agreement)
    assert trap.holds(*values), f"{trap.rule}; it is {values}"


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.title)
def test_some_naive_metric_falls_into_the_trap(trap):
    assert not all(trap.holds(*trap.values(score)) for score in NAIVE)
