"""The diff finds what the generator of the fixtures planted, and nothing else."""

import pytest
from planted_errors import HARMLESS, confusion


@pytest.fixture(scope="module")
def outcome():
    return confusion()


def test_at_least_97_in_100_planted_errors_are_found_as_what_they_are(outcome):
    assert outcome.recall >= 0.97


def test_at_least_97_in_100_differences_found_were_planted(outcome):
    assert outcome.precision >= 0.97


def test_every_planted_kind_is_found_more_often_than_it_is_mistaken(outcome):
    for kind in {planted for planted, _ in outcome.confusion} - HARMLESS:
        found = outcome.confusion[kind, kind]
        mistaken = sum(n for (planted, other), n in outcome.confusion.items() if planted == kind != other)
        assert found > 2 * mistaken, kind
