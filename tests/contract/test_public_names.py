"""The names that others import, with the signatures they rely on."""

from decimal import Decimal

import polars as pl
import pytest

import scorers
from cascade_cli.extraction import parse_extraction
from cascade_cli.policy import Policy, decide, known_emails, sample_unit
from scorers import ScoringConfig, fact_similarity, name_similarity, score_extraction, score_many

GOLD = {
    "entities": [
        {"type": "person", "name": "Alice Chen", "aliases": ["alice@acme.com"], "email": "alice@acme.com"},
        {"type": "organization", "name": "Acme"},
    ],
    "facts": [
        {"category": "commitment", "statement": "Acme will ship on Friday", "subject": "Acme", "predicate": "will ship",
         "object": "Friday"},
    ],
    "relationships": [{"source": "Alice Chen", "type": "works_at", "target": "Acme"}],
}  # fmt: skip


def test_the_package_exports_exactly_what_it_says():
    assert set(scorers.__all__) <= set(dir(scorers))
    assert {"score_extraction", "score_many", "name_similarity", "fact_similarity", "ScoringConfig"} <= set(
        scorers.__all__
    )


def test_a_score_has_the_promised_fields():
    score = score_extraction(GOLD, GOLD)
    for section in (score.entities, score.facts, score.relationships):
        assert (section.fp, section.fn) == (0, 0)
        assert section.precision == section.recall == section.f1 == section.strict_f1 == section.soft_f1 == 1.0
    assert (score.agreement, score.agrees, score.differences) == (1.0, True, ())


def test_a_difference_has_the_promised_fields():
    (difference,) = score_extraction(GOLD, {**GOLD, "relationships": []}).differences
    assert (difference.section, difference.kind) == ("relationships", "missing")
    assert difference.gold == GOLD["relationships"][0]
    assert difference.predicted is None
    assert difference.similarity is None
    assert isinstance(difference.reason, str)


def test_an_absent_prediction_scores_as_all_missing():
    score = score_extraction(GOLD, None)
    assert (score.entities.fn, score.facts.fn, score.relationships.fn) == (2, 1, 1)
    assert (score.agreement, score.agrees) == (0.0, False)
    assert score_extraction({}, None).agrees is False


def test_undefined_ratios_are_none():
    score = score_extraction({}, {})
    assert (score.entities.precision, score.entities.recall, score.entities.f1) == (None, None, None)
    assert (score.agreement, score.agrees, score.both_empty) == (1.0, True, True)


def test_many_pairs_give_a_frame_with_a_row_each_and_malformed_gold_is_not_scored():
    frame = score_many([GOLD, {"entities": "x"}, GOLD], [GOLD, GOLD, None])
    assert isinstance(frame, pl.DataFrame)
    assert frame["scorable"].to_list() == [True, False, True]
    assert frame["agreement"].to_list() == [1.0, None, 0.0]


def test_two_processes_give_the_frame_of_one():
    golds, predictions = [GOLD, {"entities": "x"}, GOLD] * 150, [GOLD, GOLD, None] * 150
    one = score_many(golds, predictions)
    assert score_many(golds, predictions, processes=2).equals(one)


def test_sequences_of_different_length_are_refused():
    with pytest.raises(ValueError, match="argument"):
        score_many([GOLD], [])


def test_the_similarities_are_in_range_and_reach_the_threshold_where_they_should():
    threshold = ScoringConfig().entity_threshold
    assert name_similarity("Anna Kovács", "anna kovacs", "person") >= threshold
    assert name_similarity("John Smith", "Joan Smith", "person") < threshold
    assert fact_similarity(GOLD["facts"][0], GOLD["facts"][0]) == 1.0
    assert 0.0 <= fact_similarity("Acme ships", {"statement": "Globex pays"}) <= 1.0


def test_model_text_and_events_are_read_by_the_promised_functions():
    assert parse_extraction('```json\n{"entities": []}\n```') == {"entities": []}
    assert parse_extraction("[1]") is None
    event = {"content": "Write to Bob@Acme.test", "attributes": {"to_emails": ["Ann <ann@acme.test>"], "author": 3}}
    assert known_emails(event) == {"bob@acme.test", "ann@acme.test"}


@pytest.mark.parametrize("value", [-0.1, 1.1, Decimal(2)])
def test_a_threshold_outside_of_its_range_is_refused_by_name(value):
    with pytest.raises(ValueError, match="entity_threshold"):
        ScoringConfig(entity_threshold=value)


def test_a_fingerprint_names_the_configuration():
    assert ScoringConfig().fingerprint == ScoringConfig().fingerprint
    assert ScoringConfig(end_threshold=0.9).fingerprint != ScoringConfig().fingerprint


def test_a_policy_has_the_promised_settings_and_defaults():
    policy = Policy(
        sample_rate=Decimal("0.05"), high_value_categories=frozenset({"decision", "commitment"}),
        vip_arenas=frozenset(), verifier_threshold=None, salt="cascade",
    )  # fmt: skip
    assert policy == Policy()


def test_a_decision_has_the_promised_fields():
    event = {"id": "evt-50", "arena": "sales", "content": "", "attributes": {}}
    decision = decide(event, GOLD, Policy(sample_rate="0"), signals={"verifier": 0.4})
    assert (decision.escalate, decision.reason) == (True, "grounding_violation")
    assert decision.fired == ("grounding_violation", "high_value_class")
    assert decision.sampled is False
    assert decide(event, None, Policy(), None).reason == "student_parse_fail"


def test_the_sampler_takes_salt_and_domain():
    assert sample_unit("evt-1") == sample_unit("evt-1", "cascade", "sample") == 366098193456956
    assert sample_unit("evt-1", salt="other", domain="sample") == 1286205348080357
