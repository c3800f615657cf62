"""What the metric must say of telling cases, one by one."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorers import PRESETS, ScoringConfig, score_extraction
from scorers.carry import Carry
from scorers.strings import guards
from scorers.strings.emails import find_emails
from scorers.strings.guards import marks_may_differ, read_marks, veto
from scorers.strings.text import CACHED_CHARS, words_of


def entity(name, kind="person", **more):
    return {"name": name, "type": kind, **more}


def fact(subject, predicate, object_, category="status", **more):
    return {"subject": subject, "predicate": predicate, "object": object_, "category": category, **more}


def relation(source, kind, target):
    return {"source": source, "type": kind, "target": target}


def kinds(gold, predicted, **options):
    return [difference.kind for difference in score_extraction(gold, predicted, **options).differences]


def fact_kinds(gold, predicted):
    return kinds({"facts": [gold]}, {"facts": [predicted]})


def relation_kinds(gold, predicted):
    return kinds({"relationships": [gold]}, {"relationships": [predicted]})


def test_one_name_variant_costs_once_not_three_times():
    gold = {
        "entities": [entity("Acme Corporation", "organization"), entity("Anna Kovács")],
        "facts": [fact("Acme Corporation", "hired", "Anna Kovács")],
        "relationships": [relation("Anna Kovács", "works_at", "Acme Corporation")],
    }
    predicted = {
        "entities": [entity("ACME", "organization"), entity("A. Kovács")],
        "facts": [fact("ACME", "hired", "A. Kovács")],
        "relationships": [relation("A. Kovács", "works_at", "ACME")],
    }
    score = score_extraction(gold, predicted)
    assert [difference.kind for difference in score.differences] == ["name_variant", "name_variant"]
    assert score.facts.strict == score.relationships.strict == 1


def test_carrying_only_adds_to_what_the_surfaces_say():
    gold = {
        "entities": [entity("Globex", "organization", aliases=["The Works"])],
        "facts": [fact("The Works", "is", "x")],
    }
    predicted = {"entities": [entity("Globex", "organization")], "facts": [fact("Globex", "is", "x")]}
    score = score_extraction(gold, predicted)
    assert (score.facts.tp, score.facts.raw_tp) == (1, 0)


def test_an_ambiguous_surface_resolves_to_nobody():
    twins = [entity("Ann Lee", aliases=["AL"]), entity("Al Long", aliases=["AL"])]
    predicted = [entity("Ann Lee", aliases=["Queen"]), entity("Al Long")]
    score = score_extraction(
        {"entities": twins, "facts": [fact("AL", "left", "x")]},
        {"entities": predicted, "facts": [fact("Queen", "left", "x")]},
    )
    assert score.facts.tp == 0


def test_a_variant_is_not_taken_from_the_person_it_belongs_to():
    gold = {"entities": [entity("Anna Kovács"), entity("Ádám Kovács")]}
    predicted = {"entities": [entity("A. Kovács"), entity("Anna Kovács")]}
    score = score_extraction(gold, predicted)
    assert score.entities.strict == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ("2026-03-01", "2026-08-01", "date_mismatch"),
        ("1,000 EUR", "10,000 EUR", "number_mismatch"),
        ("Project Atlas 1", "Project Atlas 2", "number_mismatch"),
        ("approved", "not approved", "negation_mismatch"),
    ],
)
def test_a_guard_names_what_differs_in_an_otherwise_matching_fact_and_forbids_agreement(ours, theirs, kind):
    gold, predicted = {"facts": [fact("Acme", "said", ours)]}, {"facts": [fact("Acme", "said", theirs)]}
    score = score_extraction(gold, predicted)
    assert [difference.kind for difference in score.differences] == [kind]
    assert score.differences[0].critical
    assert not score.agrees


@pytest.mark.parametrize(("ours", "theirs"), [("1,000 EUR", "EUR 1000"), ("1 March 2026", "2026-03-01")])
def test_a_guard_knows_the_harmless_forms(ours, theirs):
    assert fact_kinds(fact("Acme", "pays", ours), fact("Acme", "pays", theirs)) == ["name_variant"]


def test_a_negated_statement_is_found_though_the_components_are_the_same():
    gold = fact("Acme", "ship", "Friday", statement="Acme will ship on Friday")
    assert fact_kinds(gold, {**gold, "statement": "Acme will not ship on Friday"}) == ["negation_mismatch"]


def test_swapped_roles_are_not_credited():
    assert fact_kinds(fact("Anna", "manages", "Bob"), fact("Bob", "manages", "Anna")) == ["wrong_direction"]
    assert relation_kinds(relation("Anna", "manages", "Bob"), relation("Bob", "manages", "Anna")) == ["wrong_direction"]


def test_direction_does_not_count_for_a_symmetric_type():
    assert relation_kinds(relation("Anna", "knows", "Bob"), relation("Bob", "knows", "Anna")) == []


@pytest.mark.parametrize(("one", "other"), [("employs", "works_at"), ("reports_to", "manages"), ("owned_by", "owns")])
def test_an_inverse_type_says_the_same_with_the_ends_swapped(one, other):
    assert relation_kinds(relation("Acme", one, "Bob"), relation("Bob", other, "Acme")) == []
    assert relation_kinds(relation("Acme", one, "Bob"), relation("Acme", other, "Bob")) == ["wrong_direction"]


def test_a_wrong_end_is_named_as_gold_wrote_the_relationship():
    gold = relation("Bob", "reports_to", "Anna")
    assert relation_kinds(gold, relation("Bob", "reports_to", "Zoltán")) == ["wrong_object"]
    assert relation_kinds(gold, relation("Zoltán", "reports_to", "Anna")) == ["wrong_subject"]
    assert relation_kinds(gold, relation("Bob", "knows", "Anna")) == ["wrong_predicate"]


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        (fact("Globex", "hired", "Bob"), "wrong_subject"),
        (fact("Acme", "dismissed", "Bob"), "wrong_predicate"),
        (fact("Acme", "hired", "Zoltán"), "wrong_object"),
        (fact("Acme", "hired", "Bob", "risk"), "wrong_category"),
    ],
)
def test_the_one_component_that_differs_gives_the_kind(theirs, kind):
    assert fact_kinds(fact("Acme", "hired", "Bob"), theirs) == [kind]


def test_facts_that_share_one_component_only_have_nothing_to_do_with_each_other():
    found = fact_kinds(fact("Acme", "hired", "Bob"), fact("Acme", "sells", "tea"))
    assert sorted(found) == ["missing", "spurious"]


def test_right_name_and_wrong_type_is_accepted_at_half_credit():
    score = score_extraction({"entities": [entity("Acme", "person")]}, {"entities": [entity("Acme", "organization")]})
    assert (score.entities.tp, score.entities.strict, score.entities.soft) == (1, 0, 0.5)
    assert [difference.kind for difference in score.differences] == ["wrong_type"]


def test_surplus_copies_are_duplicates_on_either_side():
    once, twice = {"entities": [entity("Acme")]}, {"entities": [entity("Acme"), entity("Acme")]}
    assert kinds(once, twice) == kinds(twice, once) == ["duplicate"]
    assert score_extraction(once, twice).entities.tp == 1


def test_a_shared_email_identifies_only_where_it_belongs_to_one_on_each_side():
    gold = {"entities": [entity("Bob Ross", email="bob@x.test")]}
    assert score_extraction(gold, {"entities": [entity("The painter", email="bob@x.test")]}).entities.tp == 1
    info = {"entities": [entity("Bob Ross", email="info@x.test"), entity("Ann Lee", email="info@x.test")]}
    assert score_extraction(info, {"entities": [entity("The painter", email="info@x.test")]}).entities.tp == 0


def test_a_shared_email_does_not_identify_things_of_different_types():
    gold = {"entities": [entity("Bob Ross", email="bob@x.test")]}
    predicted = {"entities": [entity("Paint Ltd", "organization", email="bob@x.test")]}
    assert score_extraction(gold, predicted).entities.tp == 0


def test_a_rejected_pair_never_takes_an_item_from_an_accepted_one():
    gold = {"entities": [entity(name, "project") for name in ("Project Atlas 1", "Project Atlas 3")]}
    predicted = {"entities": [entity(name, "project") for name in ("Project Atlas I", "Project Atlas 2")]}
    score = score_extraction(gold, predicted)
    assert score.entities.tp == 1
    assert sorted(difference.kind for difference in score.differences) == ["name_variant", "number_mismatch"]


def test_copies_that_differ_in_something_are_paired_alike_in_whatever_order_they_stand():
    gold = [entity("Bob", email="a@x.test"), entity("Bob")]
    predicted = [entity("Bob"), entity("Bob", email="b@x.test")]
    for theirs in (predicted, predicted[::-1]):
        assert score_extraction({"entities": gold}, {"entities": theirs}).entities.strict == 2


def test_a_surface_that_means_different_things_on_the_two_sides_is_still_matched_as_it_stands():
    gold = {
        "entities": [entity("Acme", "organization")],
        "facts": [fact("Acme", "is", "x"), fact("Acme Inc", "is", "x")],
    }
    predicted = {
        "entities": [entity("Acme Inc", "organization")],
        "facts": [fact("Acme Inc", "is", "x"), fact("Acme", "is", "x")],
    }
    assert score_extraction(gold, predicted).facts.strict == 2


def test_a_symmetric_relation_matches_the_other_way_round_in_another_spelling_too():
    gold, predicted = relation("Anna Kovács", "knows", "Bob Ross"), relation("Bob Ross", "knows", "A. Kovács")
    assert relation_kinds(gold, predicted) == ["name_variant"]


def test_an_email_found_nowhere_is_hallucinated_and_another_one_is_wrong():
    gold = {"entities": [entity("Bob", email="bob@x.test")]}
    predicted = {"entities": [entity("Bob", email="rob@x.test")]}
    assert kinds(gold, predicted, known_emails={"bob@x.test"}) == ["hallucinated_email"]
    assert kinds(gold, predicted, known_emails={"bob@x.test", "rob@x.test"}) == ["wrong_email"]
    assert kinds(gold, predicted) == ["wrong_email"]
    assert not score_extraction(gold, predicted).agrees


def test_an_unmatched_fact_of_high_value_forbids_agreement_whatever_else_is_right():
    items = [entity(f"Name{letter}") for letter in "abcdefghij"]
    facts = [fact("Acme", f"verb{letter}", "x") for letter in "abcdefghij"]
    gold = {"entities": items, "facts": [*facts, fact("Acme", "promises", "tea", "commitment")]}
    score = score_extraction(gold, {"entities": items, "facts": facts})
    assert score.agreement > 0.9
    assert not score.agrees


def test_a_category_matters_only_across_the_border_of_high_value():
    gold, status, risk = (fact("Acme", "promises", "tea", category) for category in ("commitment", "status", "risk"))
    assert not score_extraction({"facts": [gold]}, {"facts": [status]}).agrees
    assert score_extraction({"facts": [status]}, {"facts": [risk]}).agrees
    assert score_extraction({"facts": [gold]}, {"facts": [{**gold, "category": "decision"}]}).agrees


def test_statements_are_compared_where_components_are_missing():
    score = score_extraction({"facts": ["Acme will ship on Friday"]}, {"facts": ["Acme will ship by Friday"]})
    assert (score.facts.tp, score.facts.strict) == (1, 0)


def test_facts_whose_components_are_only_punctuation_are_compared_by_their_statements():
    gold = {"subject": " ", "predicate": "-", "category": "decision", "statement": "Acme pays"}
    assert sorted(fact_kinds(gold, {**gold, "statement": "Bob likes tea"})) == ["missing", "spurious"]


def test_equal_statements_are_not_strictly_equal_facts_where_components_differ():
    gold = fact("Anna", "manages", "Bob", statement="Anna manages Bob")
    predicted = {"subject": "Bob", "predicate": "manages", "category": "status", "statement": "Anna manages Bob"}
    assert fact_kinds(gold, predicted) == ["name_variant"]


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ("Acme delivers within two weeks", "Acme delivers within two months", "number_mismatch"),
        ("Anna did not sign and Bob did not pay", "Anna did not sign and Bob did pay", "negation_mismatch"),
        ("Acme ships 5 boxes on 3 May", "Acme ships 3 boxes on 5 May", "date_mismatch"),
    ],
)
def test_statements_that_contradict_are_found_whatever_their_words_have_in_common(ours, theirs, kind):
    gold = fact("Acme", "delivers", "goods", "commitment", statement=ours)
    assert fact_kinds(gold, {**gold, "statement": theirs}) == [kind]


@pytest.mark.parametrize(
    ("ours", "theirs"), [("Friday", "Monday"), ("next Friday", "next Tuesday"), ("March", "August")]
)
def test_another_day_is_a_date_mismatch_however_its_name_is_spelled(ours, theirs):
    assert fact_kinds(fact("Acme", "will ship", ours), fact("Acme", "will ship", theirs)) == ["date_mismatch"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Pay the invoice by 1 March 2026", "Pay the invoice by 2026-03-01"),
        ("Budget is 1,000 EUR", "The budget is EUR 1000"),
    ],
)
def test_a_statement_may_write_the_same_date_or_amount_otherwise(ours, theirs):
    assert fact_kinds(ours, theirs) == ["name_variant"]


@pytest.mark.parametrize("alias", [{"aliases": ["info@x.test"]}, {"email": "info@x.test"}])
def test_an_address_that_several_share_identifies_nobody_wherever_it_stands(alias):
    gold = {"entities": [entity("Anna Kovacs", **alias), entity("Bob Miller", **alias)]}
    assert score_extraction(gold, {"entities": [entity("Carl Zeiss", **alias)]}).entities.tp == 0
    assert (
        score_extraction({"entities": gold["entities"][:1]}, {"entities": [entity("Acme", "x", **alias)]}).entities.tp
        == 0
    )
    written = {"entities": [entity("Anna Kovacs <info@x.test>"), entity("Bob Miller <info@x.test>")]}
    assert score_extraction(written, {"entities": [entity("Carl Zeiss <info@x.test>")]}).entities.tp == 0


def test_an_alias_is_carried_even_where_both_sides_know_it():
    falcon = entity("Project Falcon", "project", aliases=["the rewrite"])
    gold = {"entities": [falcon], "facts": [fact("Project Falcon", "owned by", "Anna")]}
    predicted = {"entities": [falcon], "facts": [fact("the rewrite", "owned by", "Anna")]}
    assert score_extraction(gold, predicted).facts.strict == 1


def test_lists_of_words_in_the_configuration_may_be_written_in_any_case():
    config = ScoringConfig(high_value_categories=frozenset({"Decision"}), symmetric_relations=frozenset({"Partner_Of"}))
    (difference,) = score_extraction({"facts": [fact("a", "b", "c", "DECISION")]}, {}, config).differences
    assert difference.critical
    both = {"relationships": [relation("A", "partner of", "B")]}, {"relationships": [relation("B", "partner_of", "A")]}
    assert score_extraction(*both, config).relationships.strict == 1


def test_an_unreadable_answer_to_an_empty_reference_is_no_agreement_of_two_empty_sides():
    assert score_extraction({}, None).both_empty is False


def test_the_strict_preset_accepts_equal_items_only():
    gold = {"entities": [entity("Acme Inc", "organization")]}
    predicted = {"entities": [entity("Acme", "organization")]}
    assert score_extraction(gold, predicted).entities.tp == 1
    assert score_extraction(gold, predicted, PRESETS["strict"]).entities.tp == 0
    assert (
        score_extraction(gold, {"entities": [entity("ACME  INC", "organization")]}, PRESETS["strict"]).entities.strict
        == 1
    )


def test_above_the_bound_only_equal_items_are_matched():
    gold = {"entities": [entity("Acme Inc"), entity("Bob")]}
    predicted = {"entities": [entity("Acme"), entity("Bob")]}
    assert score_extraction(gold, predicted, ScoringConfig(max_fuzzy_pairs=0)).entities.tp == 1


def named(items: int, names: int, letters: int, suffix: str) -> dict[str, object]:
    aliases = [f"{'b' * letters}{number}" for number in range(names - 1)]
    spelled = [f"{'a' * letters}{place}{suffix}" for place in range(items)]
    return {"entities": [entity(name, "organization", aliases=aliases) for name in spelled]}


@pytest.mark.parametrize(
    ("items", "names", "letters", "compared"),
    [(120, 1, 10, True), (120, 1, 1_000, False), (30, 20, 10, True), (40, 20, 10, False)],
)
def test_entities_of_long_or_many_names_reach_the_bound_sooner(items: int, names: int, letters: int, compared: bool):
    found = score_extraction(named(items, names, letters, " Inc"), named(items, names, letters, ""))
    assert found.entities.tp == (items if compared else 0)


def test_names_of_many_words_reach_the_bound_sooner():
    def side(words: int, suffix: str) -> dict[str, object]:
        letters = "abcdefghijklmnop"
        return {"entities": [entity(f"{' '.join(letters[:words])} {first}x{suffix}", "thing") for first in letters]}

    assert score_extraction(side(2, "yz"), side(2, "yzs")).entities.tp > 0
    many = [{"entities": side(16, suffix)["entities"] * 4} for suffix in ("yz", "yzs")]
    assert score_extraction(*many).entities.tp == 0


@pytest.mark.parametrize(("letters", "compared"), [(400, True), (6_000, False)])
def test_long_facts_and_relationships_reach_the_bound_sooner(letters: int, compared: bool):
    words = ["moreover " * (letters // 9) + f"n{place}" for place in range(20)]
    facts = [{"facts": [f"{word} {end}" for word in words]} for end in ("done", "done too")]
    assert (score_extraction(*facts).facts.tp > 0) == compared
    ends = [{"relationships": [relation(f"{word} {end}", "knows", "B") for word in words]} for end in ("x", "xx")]
    assert (score_extraction(*ends).relationships.tp > 0) == compared


def test_items_that_are_equal_do_not_count_for_the_bound():
    same = [entity(f"{'a' * 900}{place}", "organization") for place in range(120)]
    gold = {"entities": [*same, entity("Acme Inc", "organization")]}
    predicted = {"entities": [*same, entity("Acme", "organization")]}
    assert score_extraction(gold, predicted).entities.tp == 121


def test_a_long_text_is_read_once_however_many_items_it_is_compared_with(monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    plain = guards._read

    def counted(text: str) -> guards.Marks:
        read.append(text)
        return plain(text)

    monkeypatch.setattr(guards, "_read", counted)
    long = [f"{'on 3 May not 5 EUR ' * 40}{place}" for place in range(5)]
    score_extraction({"facts": [f"Ann pays Bob {place} EUR" for place in range(30)]}, {"facts": long})
    assert sorted(text for text in read if len(text) > CACHED_CHARS) == long


def test_many_marks_agree_only_where_they_are_the_same():
    gold, same, fewer, other = (
        {"facts": [f"Ann pays {' and '.join(f'{place} EUR' for place in numbers)}"]}
        for numbers in ([*range(40), 200], [200, *range(40)], range(40), [*range(40), 300])
    )
    assert score_extraction(gold, same).facts.tp == 1
    assert score_extraction(gold, fewer).facts.tp == 1
    assert score_extraction(gold, other).facts.tp == 0
    assert veto(read_marks(gold["facts"][0]), read_marks(fewer["facts"][0]), one_sided=True) == "number"


@pytest.mark.parametrize(("words", "looked_for"), [(30, True), (50, False)])
def test_mentions_are_looked_for_as_far_as_text_and_surfaces_together_are_bounded(words: int, looked_for: bool):
    carry = Carry({f"zq{number}x": number for number in range(490)}, {"ann": 1})
    text = "zq1x" + " word" * words
    gold, predicted = carry.mentions(text, "dear ann")
    assert (gold != text) == looked_for
    assert predicted == f"dear {gold[0]}" if looked_for else predicted != "dear ann"


def test_ends_and_types_are_read_in_every_accepted_spelling():
    gold = {"relationships": [relation("Ann", "works_at", "Acme")]}
    for spelled in (
        {"from": "Ann", "relation": "works at", "to": "Acme"},
        {"head": "Ann", "label": "worksAt", "tail": "Acme"},
        {"subject": "Ann", "predicate": "WORKS_AT", "object": "Acme"},
    ):
        assert kinds(gold, {"relationships": [spelled]}) == []
    assert kinds({"entities": ["Ann"], "facts": ["x is y"]}, {"entities": [{"name": "ann"}], "facts": ["X is Y"]}) == []


@pytest.mark.parametrize(
    ("text", "emails"),
    [
        ("Ann <Ann.Lee+x@Mail.Acme.test>, bob@acme.test.", {"ann.lee+x@mail.acme.test", "bob@acme.test"}),
        ("a@b@c.de", {"b@c.de"}),
        ("a@b.c@d.e", {"a@b.c"}),
        ("no@dot and @nobody.test", set()),
        ("Ünïcode@bücher.test", {"ünïcode@bücher.test"}),
    ],
)
def test_emails_are_found_as_the_pattern_of_the_contract_finds_them(text, emails):
    assert find_emails(text) == emails


@given(st.text(alphabet="ab.@-+_ é\n", max_size=40))
def test_emails_are_those_of_the_plain_quadratic_pattern(text):
    assert find_emails(text) == {match.lower() for match in re.findall(r"[\w.+-]+@[\w.-]+\.\w+", text)}


TELLING = words_of(
    "two not 5 3 May weeks months Bob can't Friday EUR a not, (never) no. NO J. S.A. not.never III III. v. 2.0 "
    "né n'est mayn’t Péter не никогда δεν márciusban 不要 3名 １２ % € 3pm p.m. a@b.co forty-four no\u00adt"
)
telling = st.sampled_from(TELLING)


@st.composite
def nearly_equal(draw):
    """Two texts that differ in one word, which is what the quick look makes short work of."""
    words, place = draw(st.lists(telling, min_size=1, max_size=7)), draw(st.integers(0, 6))
    place = min(place, len(words) - 1)
    new = draw(st.lists(telling, max_size=2))
    return " ".join(words), " ".join([*words[:place], *new, *words[place + 1 :]])


@settings(max_examples=400)
@given(nearly_equal())
def test_the_quick_look_at_marks_never_overlooks_a_veto(texts):
    one, other = texts
    assert veto(read_marks(one), read_marks(other), one_sided=False) is None or marks_may_differ(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bob needs 3 kg of it today", "Bob needs 3 mg of it today"),
        ("5 weeks and then some more", "5 months and then some more"),
        ("it costs EUR 5 a piece today", "it costs USD 5 a piece today"),
        ("Jean né avant midi", "Jean vu avant midi"),
        ("в марте не будет места", "в марте он будет места"),
        ("δεν πάει σήμερα", "θα πάει σήμερα"),
    ],
)
def test_the_quick_look_sees_units_beside_a_number_and_words_with_accents(one, other):
    assert veto(read_marks(one), read_marks(other), one_sided=False)
    assert marks_may_differ(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("J. Smith will send it by 5 March", "John Smith will send it by 5 March"),
        ("Péter Kaló approved the plan", "P. Kaló approved the plan"),
        ("Acme Inc. will pay them 300 EUR on Friday", "Acme will pay them 300 EUR on Friday"),
    ],
)
def test_another_spelling_of_a_subject_needs_no_closer_look(one, other):
    assert not marks_may_differ(one, other)
