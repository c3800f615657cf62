"""Name similarity on labelled pairs is above the reference matcher's and above plain ratios."""

from __future__ import annotations

import name_pairs_report as report
import pytest

from scorers.strings.names import ENTITY_THRESHOLD

pytestmark = pytest.mark.skipif(not report.PAIRS.exists(), reason="the labelled name pairs are not in this checkout")

WHOLE_SET_F1, WHOLE_SET_AUC = 0.790, 0.862
"""What the reference matcher reaches on all pairs, of which the file has about half."""


@pytest.mark.parametrize("typed", [True, False], ids=["type told", "type not told"])
def test_f1_and_auc_are_above_the_reference_matcher(typed: bool) -> None:
    pairs = report.read_pairs()
    labels = [pair.is_match for pair in pairs]
    ours = report.quality(report.our_scores(pairs, typed=typed), labels, ENTITY_THRESHOLD)
    reference = report.quality([pair.reference for pair in pairs], labels, report.REFERENCE_THRESHOLD)
    assert ours.f1 > max(WHOLE_SET_F1, reference.f1)
    assert ours.auc > max(WHOLE_SET_AUC, reference.auc)


@pytest.mark.parametrize("ratio", sorted(report.RATIOS))
def test_f1_and_auc_are_above_a_plain_ratio_at_its_best_threshold(ratio: str) -> None:
    pairs = report.read_pairs()
    ours = report.quality(report.our_scores(pairs), [pair.is_match for pair in pairs], ENTITY_THRESHOLD)
    plain, _ = report.best_plain(pairs, report.RATIOS[ratio])
    assert ours.f1 > plain.f1
    assert ours.auc > plain.auc


def test_on_halves_that_chose_no_number_both_stay_above_the_reference_nearly_always() -> None:
    splits = report.held_out(report.read_pairs(), splits=60)
    better = [ours.f1 > reference.f1 and ours.auc > reference.auc for ours, reference in splits]
    assert sum(better) >= 0.9 * len(better)
