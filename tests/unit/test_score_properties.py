"""What holds of the score of any two extractions whatever."""

import json
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorers import KINDS, PRESETS, MalformedExtraction, score_extraction

SECTIONS = ("entities", "facts", "relationships")
CONFIGS = [PRESETS["default"], PRESETS["strict"]]

# A small world, so that items of the two sides often meet, nearly meet and clash.
names = st.sampled_from(
    ["Acme", "Acme Inc", "ACME", "Anna Kovács", "Anna Kovacs", "A. Kovács", "Ádám Kovács", "Globex GmbH", "Globex",
     "Project Atlas 1", "Project Atlas 2", "Zoë", "", "2026-03-01", "1 March 2026", "100 EUR", "an@acme.test"]
) | st.text(max_size=8)  # fmt: skip
maybe = st.none() | names
types = st.sampled_from(["person", "organization", "Person", "project"])
labels = st.sampled_from(["works_at", "employs", "knows", "reports to", "owns", "worksAt", "not approved", "approved"])
emails = st.sampled_from(["an@acme.test", "bo@acme.test", "info@acme.test"])
entities = names | st.fixed_dictionaries(
    {"name": names}, optional={"type": types, "aliases": st.lists(names | emails, max_size=2), "email": emails}
)
facts = names | st.fixed_dictionaries(
    {},
    optional={
        "subject": maybe, "predicate": labels, "object": maybe, "statement": names,
        "category": st.sampled_from(["decision", "status"]),
    },
)  # fmt: skip
relationships = st.fixed_dictionaries({"source": names, "target": names}, optional={"type": labels})
extractions = st.fixed_dictionaries(
    {},
    optional={
        "entities": st.lists(entities, max_size=5),
        "facts": st.lists(facts, max_size=5),
        "relationships": st.lists(relationships, max_size=4),
    },
)
configs = st.sampled_from(CONFIGS)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
of_the_shape = st.dictionaries(
    st.sampled_from([*SECTIONS, "x"]),
    st.lists(
        st.dictionaries(
            st.sampled_from(["name", "type", "aliases", "email", "subject", "predicate", "object", "source", "to"]),
            json_values,
            max_size=4,
        ),
        max_size=4,
    ),
)


def figures(score):
    """Everything of a score that must not depend on how its inputs are written down."""
    return (
        score.entities, score.facts, score.relationships, score.agreement, score.agrees,
        sorted((d.section, d.kind, d.accepted, d.critical, d.similarity or 0.0) for d in score.differences),
    )  # fmt: skip


@given(extractions, configs)
def test_an_extraction_agrees_with_itself_entirely(extraction, config):
    score = score_extraction(extraction, extraction, config, known_emails=set())
    assert score.agreement == 1.0
    assert score.agrees
    assert not score.differences
    for section in SECTIONS:
        counts = getattr(score, section)
        assert (counts.fp, counts.fn) == (0, 0)
        assert counts.tp == counts.strict == counts.soft == counts.raw_tp == len(extraction.get(section, []))


@settings(max_examples=300)
@given(extractions, extractions, configs, st.randoms(use_true_random=False))
def test_the_order_of_items_changes_nothing(gold, predicted, config, random):
    shuffled = [
        {section: random.sample(items, len(items)) for section, items in side.items()} for side in (gold, predicted)
    ]
    assert figures(score_extraction(*shuffled, config)) == figures(score_extraction(gold, predicted, config))


@settings(max_examples=300)
@given(extractions, extractions, configs)
def test_swapping_the_sides_swaps_precision_and_recall_and_nothing_else(gold, predicted, config):
    one, other = score_extraction(gold, predicted, config), score_extraction(predicted, gold, config)
    assert one.agreement == pytest.approx(other.agreement, abs=1e-12)
    for section in SECTIONS:
        ours, theirs = getattr(one, section), getattr(other, section)
        assert (ours.tp, ours.fp, ours.fn, ours.strict, ours.raw_tp) == (
            theirs.tp, theirs.fn, theirs.fp, theirs.strict, theirs.raw_tp,
        )  # fmt: skip
        assert ours.soft == pytest.approx(theirs.soft, abs=1e-12)
        assert ours.precision == theirs.recall


@settings(max_examples=300)
@given(extractions, extractions, configs)
def test_counts_add_up_and_are_ordered(gold, predicted, config):
    score = score_extraction(gold, predicted, config)
    assert 0.0 <= score.agreement <= 1.0
    for section in SECTIONS:
        counts = getattr(score, section)
        assert counts.tp + counts.fn == len(gold.get(section, []))
        assert counts.tp + counts.fp == len(predicted.get(section, []))
        assert counts.strict <= counts.soft + 1e-9
        assert counts.soft <= counts.tp + 1e-9
        assert counts.raw_tp <= counts.tp
        unaccepted = [d for d in score.differences if d.section == section and not d.accepted]
        assert counts.fp == sum(d.predicted_index is not None for d in unaccepted)
        assert counts.fn == sum(d.gold_index is not None for d in unaccepted)


@given(extractions, extractions)
def test_each_item_stands_in_exactly_one_record_and_each_record_gives_at_most_one_difference(gold, predicted):
    score = score_extraction(gold, predicted)
    for section, pairs in zip(SECTIONS, score.pairs, strict=True):
        assert sorted(pair.gold for pair in pairs if pair.gold is not None) == list(range(len(gold.get(section, []))))
        assert sorted(pair.predicted for pair in pairs if pair.predicted is not None) == list(
            range(len(predicted.get(section, [])))
        )
        told = [(d.gold_index, d.predicted_index) for d in score.differences if d.section == section]
        assert len(told) == len(set(told))
        assert {d.kind for d in score.differences} <= set(KINDS)


@given(extractions, extractions, st.sampled_from(["NFC", "NFD"]))
def test_unicode_composition_does_not_matter(gold, predicted, form):
    def composed(value):
        return json.loads(unicodedata.normalize(form, json.dumps(value, ensure_ascii=False)))

    try:
        other = composed(predicted)
    except ValueError:  # normalising may turn a character into one that JSON escapes
        return
    assert score_extraction(gold, other).agreement == pytest.approx(
        score_extraction(gold, predicted).agreement, abs=1e-12
    )


@given(extractions, extractions)
def test_a_spurious_item_or_a_dropped_right_one_never_raises_the_strict_count(gold, predicted):
    before = score_extraction(gold, predicted, PRESETS["strict"])
    unknown = {"name": "Nobody knows this one", "type": "x"}
    stranger = {**predicted, "entities": [*predicted.get("entities", []), unknown]}
    after = score_extraction(gold, stranger, PRESETS["strict"])
    assert after.entities.tp == before.entities.tp
    assert after.entities.fp == before.entities.fp + 1
    if predicted.get("entities"):
        fewer = score_extraction(gold, {**predicted, "entities": predicted["entities"][1:]}, PRESETS["strict"])
        assert fewer.entities.strict <= before.entities.strict


@settings(max_examples=300)
@given(of_the_shape, of_the_shape)
def test_nothing_of_the_shape_of_an_extraction_raises(gold, predicted):
    score = score_extraction(gold, predicted, known_emails=())
    for difference in score.differences:
        assert difference.reason


@given(json_values, json_values)
def test_anything_at_all_is_scored_or_refused_as_malformed_gold(gold, predicted):
    try:
        score = score_extraction(gold, predicted)
    except MalformedExtraction:
        return
    assert score.valid or (score.agreement == 0.0 and not score.agrees)


@given(extractions)
def test_no_answer_is_every_gold_item_missing_and_never_an_agreement(gold):
    score = score_extraction(gold, None)
    assert (score.agreement, score.agrees, score.valid) == (0.0, False, False)
    for section in SECTIONS:
        assert (getattr(score, section).tp, getattr(score, section).fn) == (0, len(gold.get(section, [])))


SCRIPT = """
import json, sys
from scorers import score_extraction
gold, predicted = json.load(sys.stdin)
score = score_extraction(gold, predicted)
print(json.dumps([score.agreement, [[d.section, d.kind, d.gold_index, d.predicted_index] for d in score.differences]]))
"""


def test_two_processes_with_other_hash_seeds_give_the_same_result():
    name = {"aliases": ["AC", "an@acme.test", "bo@acme.test"], "type": "organization"}
    gold = {"entities": [{"name": f"Acme {kind}", **name} for kind in ("North", "South", "Nord", "Norte")]}
    predicted = {"entities": [{"name": f"Acme {kind}", **name} for kind in ("Norths", "Souths", "Nort", "Sort")]}
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input=json.dumps([gold, predicted]), capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(told) == 1
