"""What a simulation does on request: burn-in, verifier scores, one change at a time, the planner, marginal dollars."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_cli.config import COST_TEACHER_INPUT_USD, load_settings, read_assignments
from cascade_cli.console import Console
from cascade_cli.errors import NothingEvaluated, UsageError
from cascade_cli.policy import UNITS, Policy, decide, rate_at, units_below
from cascade_cli.policy_in_force import Wanted, read_wanted
from cascade_cli.scoring import PairSource
from cascade_cli.simulate import PLAN, Simulation, read_ways, run_simulate
from cascade_cli.simulate.cells import fired_masks, rates_in_force, reasons_of
from cascade_cli.simulate.events import Events, events_of
from cascade_cli.simulate.planning import detection_plan
from cascade_cli.simulate.sampled import is_a_log, verifier_figures, weighed_figures
from cascade_cli.simulate.variations import variations_of
from cascade_cli.stats.deferral import auc
from cascade_cli.stats.eprocess import change_point, detection, log_e_floor, minimum_detectable_drop

GOOD, BAD, EMPTY = {"entities": ["Ann"]}, {"entities": ["Bob"]}, {}
START = datetime(2026, 6, 1, tzinfo=UTC)


def row(
    number: int, student: object = GOOD, *, prompt_hash: str | None = "h", at_h: float | None = None, **more: object
):
    dated = {} if at_h is None else {"created_at": (START + timedelta(hours=at_h)).isoformat()}
    return {
        "event_id": f"e{number}",
        "system_prompt_hash": prompt_hash,
        "raw_response": GOOD,
        "student_response": student,
        **dated,
        **more,
    }


def run(tmp_path: Path, rows: list[dict[str, object]], wanted: object = None, **more: object) -> dict[str, object]:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    loaded = more.pop("settings", load_settings())
    simulation = Simulation(PairSource(str(path)), wanted or read_wanted(loaded), **more)
    return run_simulate(simulation, loaded, Console())


def events_from_rows(tmp_path: Path, rows: list[dict[str, object]]) -> Events:
    from cascade_cli.console import Console
    from cascade_cli.scoring import Request, score_pairs
    from cascade_cli.simulate import OBSERVER
    from scorers import ScoringConfig

    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    request = Request(ScoringConfig(), observer=OBSERVER)
    scored, _ = score_pairs(PairSource(str(path)), request, load_settings(), Console(), command="simulate")
    return events_of(scored)


lines = st.tuples(
    st.sampled_from(["a", "b", None]), st.sampled_from([GOOD, BAD, EMPTY, None]), st.sampled_from([None, 0.0, 1.0, 2.0])
)


@settings(max_examples=60)
@given(st.lists(lines, min_size=1, max_size=40), st.sampled_from(["0", "0.1", "0.5", "1"]), st.integers(1, 12))
def test_a_burn_in_decides_as_a_plain_loop_that_counts_standing_events_in_claim_order(
    tmp_path_factory: pytest.TempPathFactory, found: list, rate: str, burn_in: int
) -> None:
    rows = [
        row(number, student, prompt_hash=prompt_hash, at_h=at_h)
        for number, (prompt_hash, student, at_h) in enumerate(found)
    ]
    events = events_from_rows(tmp_path_factory.mktemp("burn-in"), rows)
    policy = Policy(sample_rate=rate, burn_in_events=burn_in)
    expected: dict[str, tuple[tuple[str, ...], Decimal]] = {}
    ages: Counter[str | None] = Counter()
    for number in sorted(range(len(found)), key=lambda number: -1.0 if found[number][2] is None else found[number][2]):
        prompt_hash, student, _ = found[number]
        in_force = rate_at(ages[prompt_hash], policy.sample_rate, burn_in)
        decision = decide({"id": f"e{number}", "content": ""}, student, policy, rate=in_force)
        expected[f"e{number}"] = (decision.fired, in_force)
        ages[prompt_hash] += set(decision.fired) <= {"random_sample"}
    assert [reasons_of(mask) for mask in fired_masks(events, policy).tolist()] == [
        expected[key][0] for key in events.ids
    ]
    rates = [units_below(expected[key][1]) / UNITS for key in events.ids]
    assert rates_in_force(events, policy).tolist() == rates


def test_a_burn_in_samples_every_standing_event_of_a_new_hash_and_is_shown_weighed(tmp_path: Path) -> None:
    rows = [row(number, BAD if number < 100 else GOOD, at_h=number) for number in range(2000)]
    events = events_from_rows(tmp_path, rows)
    policy = Policy(sample_rate="0.05", burn_in_events=100)
    sampled = fired_masks(events, policy) > 0
    assert sampled[:100].all()
    assert 0.05 < sampled[100:].mean() < 0.5
    plain = 1 - 100 / sampled.sum()
    weighed = weighed_figures(events, policy, fired_masks(events, policy))["sampled_view"]
    assert plain < 0.85
    assert weighed["low"] < 0.95 < weighed["high"]
    assert abs(weighed["rate"] - 0.95) < 0.02
    data = run(tmp_path, rows, Wanted(policy, (Decimal("0.05"),))).data
    assert data["sampled_view"] == weighed
    assert data["policy"]["burn_in_events"] == 100


def test_what_stays_wrong_under_a_burn_in_is_what_the_decisions_leave_wrong(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    old = [row(number, GOOD if rng.random() < 0.95 else BAD, prompt_hash="a", at_h=number) for number in range(3000)]
    new = [
        row(5000 + number, GOOD if rng.random() < 0.4 else BAD, prompt_hash="b", at_h=3000 + number)
        for number in range(300)
    ]
    policy = Policy(sample_rate="0.05", burn_in_events=300)
    events = events_from_rows(tmp_path, [*old, *new])
    left_wrong = ((fired_masks(events, policy) == 0) & (events.labels == 1)).sum() / len(events)
    wanted = Wanted(policy, (policy.sample_rate,))
    result = run(tmp_path, [*old, *new], wanted, bootstrap=300)
    residual, drawn = result.data["residual_disagreement"], result.data["bootstrap"]["residual_disagreement"]
    assert residual["rate"] == pytest.approx(left_wrong, abs=0.004)
    assert residual["low"] < left_wrong < residual["high"]
    assert drawn["low"] == pytest.approx(residual["low"], abs=0.003)
    assert drawn["high"] == pytest.approx(residual["high"], abs=0.003)


def test_what_a_log_says_is_weighed_everywhere_and_what_needs_a_full_record_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = [row(number, (GOOD if rng.random() < 0.85 else BAD) if number % 10 else EMPTY) for number in range(6000)]
    logged = Policy(sample_rate="0.1")
    seen = fired_masks(events_from_rows(tmp_path, rows), logged) > 0
    log = [each for each, kept in zip(rows, seen.tolist(), strict=True) if kept]
    wanted = read_wanted(load_settings(), ["0.1", "0.05"])
    result = run(tmp_path, log, wanted, logged=logged, target_residual=0.08)
    for figures in result.data["sweep"]:
        expected = 0.15 * 0.9 * (1 - figures["sample_rate"])
        assert figures["residual_disagreement"]["low"] < expected < figures["residual_disagreement"]["high"]
        assert figures["escalation"]["rate"] == pytest.approx(0.1 + 0.9 * figures["sample_rate"], abs=0.02)
    assert result.data["target"]["sample_rate"] is None
    assert "curves" not in result.data
    for flags in ({"rollout": True, "target_residual": 0.1}, {"vary": ("gates",)}, {"fleet": True}, {"bootstrap": 9}):
        with pytest.raises(UsageError, match="needs a full record"):
            run(tmp_path, log, wanted, logged=logged, **flags)
    with pytest.raises(UsageError, match="burn-in cannot be replayed"):
        run(tmp_path, log, Wanted(Policy(burn_in_events=3), (Decimal("0.05"),)), logged=logged)
    assert any("looks like a worker's log" in told for told in run(tmp_path, log, wanted).warnings)
    assert not any("looks like a worker's log" in told for told in run(tmp_path, rows, wanted).warnings)


def test_a_record_is_no_log_because_it_is_short() -> None:
    sampled = np.full(21, 64)
    assert not is_a_log(sampled, np.full(21, 0.1))
    assert is_a_log(np.full(23, 64), np.full(23, 0.1))
    assert not is_a_log(np.array([*[64] * 50, 0]), np.full(51, 0.1))


def test_a_student_may_invent_any_number_of_categories(tmp_path: Path) -> None:
    rows = [
        row(number, {"facts": [{"category": f"c{number}-{each}", "statement": "s"} for each in range(3)]})
        for number in range(1500)
    ]
    found = run(tmp_path, rows, read_wanted(load_settings(), ["0"]), rollout=True, target_residual=0.5)
    assert found.data["rollout"][0]["escalation"] == 1.0
    assert found.data["rollout"][-1]["escalation"] == 0.0
    assert len(json.dumps(found.data["rollout"])) < 10_000


def test_nothing_to_plan_for_is_nothing_evaluated(tmp_path: Path) -> None:
    result = run(tmp_path, [], rollout=True, target_residual=0.5)
    assert isinstance(result.failure, NothingEvaluated)
    assert result.data["rollout"][0]["labels_needed"] is None


def test_days_are_those_of_dated_events(tmp_path: Path) -> None:
    dated = [row(number, at_h=number / 6) for number in range(200)]
    undated = [row(1000 + number) for number in range(1800)]
    assert events_from_rows(tmp_path, dated + undated).per_day == pytest.approx(144, rel=0.01)


def test_scores_of_some_standing_events_give_no_prediction_powered_figure(tmp_path: Path) -> None:
    rows = [row(number, signals={"verifier": 0.5} if number % 2 else {}) for number in range(600)]
    assert verifier_figures(events_from_rows(tmp_path, rows), Policy(sample_rate="0.5"))["prediction_powered"] is None


def test_a_threshold_can_be_compared_with_none_and_not_be_left_out_too() -> None:
    wanted = read_wanted(load_settings(), ["0"], [], ["off", "0.5"])
    assert [policy.verifier_threshold for policy in wanted.policies] == [None, 0.5]
    with pytest.raises(UsageError, match="contradict"):
        read_wanted(load_settings(), ["0"], ["verifier"], ["0.5"])


def test_milliseconds_of_more_than_a_year_are_none(tmp_path: Path) -> None:
    rows = [row(number, llm_chunk_ms=1e308, student_ms=5) for number in range(5)]
    assert run(tmp_path, rows).data["cost"]["teacher_s_for_all"] is None


def test_scores_of_a_verifier_reach_the_gate_and_a_missing_one_warns_and_does_not_fire(tmp_path: Path) -> None:
    rows = [
        row(1, BAD, signals={"verifier": 0.9}),
        row(2, signals={"verifier": 0.5}),
        row(3, signals={"verifier": None}),
        row(4, signals='{"verifier": 0.1, "other": 1}'),
    ]
    result = run(tmp_path, rows, read_wanted(load_settings(), ["0"], [], ["0.5", "0.05"]))
    assert result.data["escalation"]["by_reason"]["verifier"] == {"first": 1, "any": 1, "alone": 1}
    assert [each["policy"]["verifier_threshold"] for each in result.data["sweep"]] == [0.5, 0.05]
    assert result.data["sweep"][1]["escalation"]["by_reason"]["verifier"]["any"] == 3
    assert any("1 of 4 events have no verifier score" in told for told in result.warnings)
    verifier = result.data["verifier"]
    assert (verifier["scored"], verifier["unscored"], verifier["auc"], verifier["n"]) == (3, 1, 1, 3)
    assert not any("verifier" in told for told in run(tmp_path, rows).warnings)


def test_the_gain_of_a_verifier_is_large_for_a_good_one_and_none_for_a_blind_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    wrong = rng.random(1500) < 0.3
    for scores, expected in ((wrong * 0.8 + 0.1, (2.0, 10.0)), (rng.random(1500), (0.9, 1.1))):
        rows = [
            row(number, BAD if bad else GOOD, signals={"verifier": float(score)})
            for number, (bad, score) in enumerate(zip(wrong, scores, strict=True))
        ]
        events = events_from_rows(tmp_path, rows)
        powered = verifier_figures(events, Policy(sample_rate="0.2"))["prediction_powered"]
        assert expected[0] < powered["gain"] < expected[1]
        assert powered["low"] < 1 - wrong.mean() < powered["high"]
    assert verifier_figures(events, Policy(sample_rate="0.2", burn_in_events=5))["prediction_powered"] is None
    assert verifier_figures(events_from_rows(tmp_path, [row(1)]), Policy()) is None


def test_auc_counts_pairs_and_is_undefined_without_both_sorts() -> None:
    assert auc([1, 0, 0], [0.5, 0.5, 0.1]) == 0.75
    assert auc([1, 1], [0.1, 0.2]) is None
    assert auc([], []) is None


def test_one_thing_changes_at_a_time(tmp_path: Path) -> None:
    said = {"entities": ["Ann"], "facts": [{"category": "Risk", "statement": "s"}]}
    rows = [row(number, said) for number in range(5)] + [row(9, EMPTY)]
    events = events_from_rows(tmp_path, rows)
    policy = Policy(sample_rate=0, high_value_categories={"decision"})
    found = {(each.kind, each.name): each for each in variations_of(policy, ("gates", "categories"), events)}
    assert set(found) == {
        ("gate", "student_parse_fail"), ("gate", "student_empty"), ("gate", "grounding_violation"),
        ("gate", "high_value_class"), ("category", "decision"), ("category", "risk"),
    }  # fmt: skip
    assert found["category", "risk"].policy.high_value_categories == {"decision", "risk"}
    assert not found["category", "decision"].policy.high_value_categories
    assert "student_empty" not in found["gate", "student_empty"].policy.gates
    data = run(tmp_path, rows, read_wanted(load_settings(), ["0"]), vary=("gates", "categories")).data
    by_name = {each["name"]: each for each in data["variations"]}
    assert by_name["risk"]["added"]
    assert by_name["risk"]["escalation"]["rate"] == 1
    assert by_name["student_empty"]["escalation"]["rate"] == 0
    alone = read_wanted(load_settings(), ["0"], ["student_empty"])
    single = run(tmp_path, rows, alone).data["sweep"][0]
    assert {key: by_name["student_empty"][key] for key in single} == single


def test_what_cannot_be_varied_is_a_mistake_with_a_suggestion() -> None:
    with pytest.raises(UsageError) as raised:
        read_ways(["gate"])
    assert raised.value.hint == "Did you mean gates?"
    assert read_ways(["gates", "gates"]) == ("gates",)


def test_prices_can_be_typed_and_a_slip_is_told() -> None:
    found = read_assignments(["teacher_input_usd=0.9", "fleet.boot_s = 10"], ("cost", "fleet"))
    assert load_settings(found)[COST_TEACHER_INPUT_USD] == 0.9
    assert len(found) == 2
    for text, told in (
        ("teacher_inptu_usd=1", "Did you mean teacher_input_usd?"),
        ("policy.salt=x", "There are: teacher_input_usd, "),
    ):
        with pytest.raises(UsageError) as raised:
            read_assignments([text], ("cost", "fleet"))
        assert str(raised.value.hint).startswith(told)
    with pytest.raises(UsageError, match="needs a value"):
        read_assignments(["teacher_input_usd"], ("cost",))


@pytest.mark.parametrize(
    ("days", "shown"),
    [(None, "—"), (193.42, "193.4 days"), (1.0, "1.0 days"), (0.5, "12.0 h"), (0.01, "14.4 min"), (1e-4, "8.6 s")],
)
def test_times_are_told_in_the_unit_that_can_be_remembered(days: float | None, shown: str) -> None:
    assert PLAN[-1].show(days) == shown


def test_the_plan_says_in_how_many_labels_and_days_a_fall_shows(tmp_path: Path) -> None:
    rows = [row(number, BAD if number % 10 == 0 else GOOD, at_h=number / 10) for number in range(2400)]
    plan = run(tmp_path, rows, read_wanted(load_settings(), ["0.5"])).data["plan"]
    assert plan["labels_per_day"] == pytest.approx(120, rel=0.05)
    assert plan["drops"] == detection_plan(plan["floor"], 0.05, plan["labels_per_day"])
    deep = plan["drops"][-1]
    assert deep["median_days"] == deep["median_labels"] / plan["labels_per_day"]
    assert run(tmp_path, rows[:20]).data["plan"] is None


def test_the_marginal_event_costs_what_it_adds_to_a_fleet_that_runs_anyway(tmp_path: Path) -> None:
    rows = [row(number, BAD, at_h=number / 3600, llm_chunk_ms=1000.0, student_ms=1.0) for number in range(3000)]
    prices = {"fleet.usd_per_hour": 3.6, "cost.student_usd_per_hour": 1.0, "fleet.cooldown_s": 100.0}
    settled = load_settings(read_assignments([f"{name}={value}" for name, value in prices.items()], ("cost", "fleet")))
    figures = run(tmp_path, rows, read_wanted(settled, ["0.5"]), settings=settled, fleet=True).data["cost"]["fleet"]
    assert figures["mean_usd_per_escalated_event"] > 0.001
    assert 0 <= figures["marginal_usd_per_escalated_event"] < figures["mean_usd_per_escalated_event"]
    everything = run(tmp_path, rows, read_wanted(settled, ["1"]), settings=settled, fleet=True).data["cost"]["fleet"]
    assert everything["marginal_usd_per_escalated_event"] is None


def test_the_boundary_of_an_alarm_is_where_its_evidence_crosses() -> None:
    found = detection(0.7, 0.85, 60)
    alive, alarmed = {0: 1.0}, 0.0
    for labels in range(1, 61):
        grown: Counter[int] = Counter()
        for agree, chance in alive.items():
            grown[agree] += chance * 0.3
            grown[agree + 1] += chance * 0.7
        over = {agree for agree in grown if float(log_e_floor(agree, labels - agree, 0.85)) >= np.log(20)}
        alarmed += sum(grown[agree] for agree in over)
        alive = {agree: chance for agree, chance in grown.items() if agree not in over}
    assert found.probability == pytest.approx(alarmed)


def test_the_least_fall_that_shows_is_the_least() -> None:
    depth = minimum_detectable_drop(0.85, 100)
    assert detection(0.85 - depth, 0.85, 100).probability >= 0.8
    assert detection(0.85 - depth + 0.001, 0.85, 100).probability < 0.8
    assert minimum_detectable_drop(0.85, 0) is None
    assert minimum_detectable_drop(0.85, 1) is None


def test_a_fall_began_where_the_run_that_speaks_for_it_begins() -> None:
    agrees = [True] * 50 + [False] * 10
    assert change_point(agrees, 0.9, (0.1, 0.5)) == 50
    assert change_point([False], 0.9, (0.1,)) == 0
