"""What the gates and the sampler decide about an event."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.policy import (
    EVERY_CATEGORY,
    GATES,
    REASONS,
    UNITS,
    Policy,
    decide,
    exact_rate,
    rate_at,
    sample_unit,
    stages_of,
    units_below,
)
from cascade_cli.records import Event

# Units at salt "cascade": evt-50 is far above every rate used here, evt-20 just below 0.05.
NEVER, ALWAYS = Policy(sample_rate=Decimal(0)), Policy(sample_rate=Decimal(1))
MAIL = {
    "id": "e1",
    "arena": "sales",
    "content": "From Ann <Ann@Acme.test>",
    "attributes": {"to_emails": ["bob@acme.test"]},
}
PLAIN = {"entities": ["Ann"], "facts": [], "relationships": []}
VIP = Policy(sample_rate=0, vip_arenas=frozenset({"sales"}))


@pytest.mark.parametrize(
    ("salt", "domain", "event_id", "unit"),
    [
        ("cascade", "sample", "evt-1", 366098193456956),
        ("cascade", "sample", "evt-2", 287333143344447),
        ("cascade", "sample", "", 4425495816231051),
        ("cascade", "sample", "Ünïcode/事件", 1854582105397816),
        ("other", "sample", "evt-1", 1286205348080357),
        ("cascade", "teacher_twice", "evt-1", 4493478330032564),
    ],
)
def test_units_are_those_of_the_contract(salt: str, domain: str, event_id: str, unit: int) -> None:
    assert sample_unit(event_id, salt, domain) == unit


def test_of_a_hundred_thousand_events_5062_are_sampled_at_five_per_cent() -> None:
    assert sum(decide({"id": f"evt-{number}"}, PLAIN, Policy()).sampled for number in range(100_000)) == 5062


@given(st.text(), st.decimals(0, 1, places=6), st.decimals(0, 1, places=6))
def test_a_higher_rate_only_adds_events(event_id: str, rate: Decimal, other: Decimal) -> None:
    low, high = sorted((rate, other))
    policies = Policy(sample_rate=low), Policy(sample_rate=high)
    sampled = [decide({"id": event_id}, PLAIN, policy).sampled for policy in policies]
    assert sampled in ([False, False], [False, True], [True, True])


@pytest.mark.parametrize(("rate", "units"), [("0", 0), ("1", UNITS), ("0.5", UNITS // 2), ("0.05", 225179981368524)])
def test_a_rate_takes_the_floor_of_its_share_of_units(rate: str, units: int) -> None:
    assert units_below(Decimal(rate)) == units


@pytest.mark.parametrize("rate", [0.05, "0.05", "5e-2", Decimal("0.050")])
def test_a_rate_is_the_decimal_that_was_written(rate: object) -> None:
    assert Policy(sample_rate=rate).sample_rate == Decimal("0.05")
    assert Policy(sample_rate=rate).fingerprint == Policy().fingerprint


@pytest.mark.parametrize("rate", [-0.01, 1.01, "many", "nan", "inf", True, None])
def test_what_is_no_rate_is_refused(rate: object) -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        exact_rate(rate)


def test_an_unknown_reason_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match="did you mean student_empty"):
        Policy(gates=frozenset({"studentempty"}))


@pytest.mark.parametrize(
    ("student", "fired"),
    [
        (PLAIN, ()),
        (None, ("student_parse_fail",)),
        ({"entities": "Ann"}, ("student_parse_fail",)),
        ({"facts": [3]}, ("student_parse_fail",)),
        ({"facts": None}, ("student_parse_fail",)),
        ({}, ("student_empty",)),
        ({"x": 1}, ("student_empty",)),
        ({"entities": [], "facts": []}, ("student_empty",)),
        ({"entities": [{"name": "Ann", "email": "ANN@acme.TEST"}]}, ()),
        ({"entities": [{"name": "Bob <bob@acme.test>"}]}, ()),
        ({"entities": [{"name": "Ann", "aliases": ["x@acme.test"]}]}, ("grounding_violation",)),
        ({"entities": ["y@acme.test"]}, ("grounding_violation",)),
        ({"facts": [{"statement": "write to x@acme.test"}]}, ("grounding_violation",)),
        ({"relationships": [{"source": "x@acme.test", "target": "Ann"}]}, ("grounding_violation",)),
        ({"entities": [{"name": "Ann", "more": {"deep": [["x@acme.test"]]}}]}, ("grounding_violation",)),
        ({"entities": ["Ann"], "note": "x@acme.test"}, ()),
        ({"facts": [{"category": "Decision", "statement": "go"}]}, ("high_value_class",)),
        (
            {"facts": [{"category": "commitment", "object": "x@acme.test"}]},
            ("grounding_violation", "high_value_class"),
        ),
    ],
)
def test_gates_fire_for_what_the_student_said(student: object, fired: tuple[str, ...]) -> None:
    found = decide(MAIL, student, NEVER)
    assert (found.fired, found.reason, found.escalate) == (fired, fired[0] if fired else None, bool(fired))
    sampled = decide(MAIL, student, ALWAYS)
    assert sampled.fired == (*fired, "random_sample")
    assert sampled.reason == (fired[0] if fired else "random_sample")


def test_a_category_known_beforehand_fires_although_the_student_failed() -> None:
    event = {"id": "e", "attributes": {"category": " COMMITMENT"}}
    assert decide(event, None, NEVER).fired == ("student_parse_fail", "high_value_class")


def test_without_content_every_address_counts_as_made_up() -> None:
    assert decide({"id": "e"}, {"entities": ["a@b.test"]}, NEVER).fired == ("grounding_violation",)


def test_an_unsampled_event_of_a_vip_arena_is_never_shown_to_the_student() -> None:
    found = decide(MAIL, None, VIP)
    assert found.fired == ("vip_arena",)
    assert found == decide(MAIL, {"facts": [{"category": "decision"}]}, VIP)
    shown = decide(MAIL, {"facts": [{"category": "decision"}]}, VIP, rate=1)
    assert shown.fired == ("vip_arena", "high_value_class", "random_sample")


@pytest.mark.parametrize(
    ("score", "fired", "missing"),
    [(0.6, ("verifier",), ()), (0.5, (), ()), (None, (), ("verifier",)), (float("nan"), (), ("verifier",))],
)
def test_the_verifier_fires_above_its_threshold_and_is_silent_without_a_score(
    score: float | None, fired: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    policy = Policy(sample_rate=0, verifier_threshold=0.5)
    found = decide(MAIL, PLAIN, policy, None if score is None else {"verifier": score})
    assert (found.fired, found.missing) == (fired, missing)
    assert decide(MAIL, PLAIN, NEVER, {"verifier": 1.0}).fired == ()


def test_the_inclusion_probability_is_one_for_gates_and_the_rate_for_the_rest() -> None:
    policy = Policy(sample_rate="0.25", vip_arenas=frozenset({"board"}))
    assert decide(MAIL, None, policy).inclusion_probability == 1
    assert decide(MAIL, PLAIN, policy).inclusion_probability == 0.25
    assert decide({"id": "e", "arena": "board"}, None, policy).inclusion_probability == 0.25
    assert decide(MAIL, PLAIN, policy, rate="0.5").inclusion_probability == 0.5


def test_a_gate_that_is_not_in_force_never_fires() -> None:
    for count in range(len(GATES) + 1):
        for gates in combinations(GATES, count):
            found = decide(MAIL, None, Policy(sample_rate=0, vip_arenas=frozenset({"sales"}), gates=frozenset(gates)))
            assert set(found.fired) == set(gates) & ({"vip_arena"} if "vip_arena" in gates else {"student_parse_fail"})


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.sampled_from(["a@b.test", "decision"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
extractions = st.fixed_dictionaries(
    {},
    optional={
        "entities": json_values | st.lists(json_values, max_size=3),
        "facts": st.lists(st.fixed_dictionaries({"category": json_values, "statement": json_values}), max_size=3),
        "relationships": json_values,
    },
)
events = st.fixed_dictionaries(
    {"id": st.text(max_size=8) | st.integers()},
    optional={"arena": json_values, "content": json_values, "attributes": json_values},
)


@given(events, st.none() | extractions | json_values, st.sampled_from(["0", "0.5", "1"]))
def test_no_event_and_no_answer_raises_and_what_fires_stands_in_order(event: dict, student: object, rate: str) -> None:
    policy = Policy(sample_rate=rate, vip_arenas=frozenset({"decision"}), verifier_threshold=0.5)
    found = decide(event, student, policy)
    assert list(found.fired) == sorted(found.fired, key=REASONS.index)
    assert ("random_sample" in found.fired) == found.sampled == (found.unit < units_below(found.rate))
    assert found.reason == (found.fired[0] if found.fired else None)
    assert found.escalate == bool(found.fired)


def test_an_answer_nested_deeper_than_the_interpreter_may_call_is_decided() -> None:
    deep: object = "x@acme.test"
    for _ in range(100_000):
        deep = [deep]
    assert decide(MAIL, {"entities": [{"name": "Ann", "more": deep}]}, NEVER).fired == ("grounding_violation",)


def test_a_record_and_its_mapping_are_decided_alike() -> None:
    record = Event("e1", "sales", "From Ann <Ann@Acme.test>", {"to_emails": ["bob@acme.test"]})
    for student in (PLAIN, None, {"entities": ["x@acme.test"]}):
        assert decide(record, student, VIP, rate="0.5") == decide(MAIL, student, VIP, rate="0.5")


def test_burn_in_samples_all_of_a_new_hash_and_then_ever_fewer() -> None:
    rates = [rate_at(age, Decimal("0.05"), 300) for age in range(7000)]
    assert set(rates[:300]) == {Decimal(1)}
    assert rates[300] < 1
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == Decimal("0.05")
    assert rate_at(0, Decimal("0.05"), 0) == Decimal("0.05")


def test_fingerprints_tell_policies_apart_and_not_the_order_in_which_they_are_written() -> None:
    one = Policy(high_value_categories=frozenset({"a", "B"}))
    assert one.fingerprint == Policy(high_value_categories=frozenset({"b", "A"})).fingerprint
    others = [Policy(), one, VIP, Policy(salt="x"), Policy(verifier_threshold=0.5), Policy(gates=frozenset())]
    assert len({policy.fingerprint for policy in others}) == len(others)


@pytest.mark.parametrize(
    ("category", "fires"), [("decision", True), ("Anything at all", True), (" ", False), (None, False), (7, False)]
)
def test_every_category_is_on_the_list_by_one_sign_and_what_is_none_is_not(category: object, *, fires: bool) -> None:
    student = {"facts": [{"statement": "go", "category": category}]}
    policy = Policy(sample_rate=0, high_value_categories=frozenset({EVERY_CATEGORY}))
    assert decide({"id": "e"}, student, policy).escalate is fires


def test_a_rollout_has_stages_that_each_tell_of_themselves_and_end_with_the_policy() -> None:
    stages = stages_of(Policy())
    assert [str(stage.sample_rate) for stage in stages] == ["0.5", "0.25", "0.25", "0.1", "0.05"]
    assert [EVERY_CATEGORY in stage.high_value_categories for stage in stages] == [True, True, False, False, False]
    assert stages[-1] == Policy()
    assert len({stage.fingerprint for stage in stages}) == 5
    assert [str(stage.sample_rate) for stage in stages_of(Policy(sample_rate="0.3"))] == ["0.5", "0.3"]
    assert stages_of(ALWAYS) == (ALWAYS,)


@given(st.text(max_size=5), st.sampled_from([None, "", "decision", "note"]), st.decimals(0, 1, places=3))
def test_a_later_stage_escalates_nothing_that_an_earlier_one_did_not(
    event_id: str, category: str | None, rate: Decimal
) -> None:
    student = {"facts": [{"statement": "go", "category": category}]}
    escalated = [decide({"id": event_id}, student, stage).escalate for stage in stages_of(Policy(sample_rate=rate))]
    assert escalated == sorted(escalated, reverse=True)
