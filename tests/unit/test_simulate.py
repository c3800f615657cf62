"""The simulator decides as ``decide`` does, and its figures are sums over those decisions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_cli.config import load_settings
from cascade_cli.console import Console, Format, Output
from cascade_cli.errors import NothingEvaluated, UsageError
from cascade_cli.policy import EVERY_CATEGORY, GATES, REASONS, Policy, decide
from cascade_cli.policy_in_force import read_gates, read_shares, read_wanted
from cascade_cli.scoring import PairSource
from cascade_cli.simulate import Simulation, run_simulate
from cascade_cli.simulate.bootstrap import bootstrap_figures
from cascade_cli.simulate.cells import BIT, fired_masks, reasons_of, tally_policies
from cascade_cli.simulate.events import AGREES, COSTS, DISAGREES, NO_LABEL, Events, events_from
from cascade_cli.simulate.figures import figures_of
from cascade_cli.simulate.logs import replay_log
from cascade_cli.simulate.names import check_names
from cascade_cli.simulate.prices import Prices
from cascade_cli.simulate.rollout import plan_rollout
from cascade_cli.simulate.simulate_run import simulate
from cascade_cli.simulate.targets import cheapest_within
from cascade_cli.stats import wilson

Line = tuple[str | None, str, tuple[str, ...], int]
"""Arena, what is wrong with the answer, categories, label."""
ANSWERS: dict[str, object] = {
    "fine": {"entities": ["Ann"]},
    "none": None,
    "broken": {"entities": 1},
    "empty": {},
    "made up": {"entities": ["x@y.test"]},
}
lines = st.tuples(
    st.sampled_from([None, "a", "b", "c"]),
    st.sampled_from(list(ANSWERS)),
    st.sets(st.sampled_from(["", "x", "y", "z"]), max_size=2).map(lambda names: tuple(sorted(names))),
    st.sampled_from([NO_LABEL, DISAGREES, AGREES]),
)
policies = st.builds(
    Policy,
    sample_rate=st.sampled_from(["0", "0.1", "0.5", "0.9", "1"]),
    high_value_categories=st.frozensets(st.sampled_from(["x", "y", "unseen", EVERY_CATEGORY])),
    vip_arenas=st.frozensets(st.sampled_from(["a", "b", "unseen"])),
    verifier_threshold=st.sampled_from([None, 0.0, 0.3, 0.5, 1.0]),
    salt=st.sampled_from(["cascade", "other"]),
    gates=st.frozensets(st.sampled_from(GATES)) | st.just(frozenset(GATES)),
)


def student_of(line: Line) -> object:
    _, what, categories, _ = line
    answer = ANSWERS[what]
    if what in {"fine", "made up"} and categories:
        return {**answer, "facts": [{"category": name.upper(), "statement": "s"} for name in categories]}
    return answer


def events_of_lines(found: Sequence[Line], scores: Sequence[float] | None = None) -> Events:
    seen = [what in {"fine", "made up"} for _, what, _, _ in found]
    frame = pl.DataFrame(
        {
            "event_id": [f"e{number}" for number in range(len(found))],
            "system_prompt_hash": ["h"] * len(found),
            "cluster": [None] * len(found),
            "created_at": [None] * len(found),
            "arena": [arena for arena, *_ in found],
            "invalid_json": [what in {"none", "broken"} for _, what, _, _ in found],
            "empty": [what == "empty" for _, what, _, _ in found],
            "ungrounded": [what == "made up" for _, what, _, _ in found],
            "categories": [list(line[2]) if one else [] for line, one in zip(found, seen, strict=True)],
            "agrees": [None if label == NO_LABEL else label == AGREES for *_, label in found],
            "missing_output": [False] * len(found),
            "verifier": scores or [None] * len(found),
            "decided": [False] * len(found),
            **{name: [float(number) for number in range(len(found))] for name in COSTS},
        },
        schema_overrides={
            "arena": pl.String, "cluster": pl.String, "categories": pl.List(pl.String), "agrees": pl.Boolean,
            "created_at": pl.Datetime("us", "UTC"), "verifier": pl.Float64,
            **dict.fromkeys(("invalid_json", "empty", "ungrounded", "missing_output"), pl.Boolean),
        },
    )  # fmt: skip
    return events_from(frame)


def decisions_of(found: Sequence[Line], policy: Policy, scores: Sequence[float]) -> list[tuple[str, ...]]:
    """What a plain loop over ``decide`` says: the slow, obvious reference."""
    return [
        decide(
            {"id": f"e{number}", "arena": line[0], "content": ""}, student_of(line), policy, {"verifier": score}
        ).fired
        for number, (line, score) in enumerate(zip(found, scores, strict=True))
    ]


def figures_by_hand(found: Sequence[Line], fired: list[tuple[str, ...]]) -> dict[str, object]:
    pairs = list(zip(found, fired, strict=True))
    standing = [line for line, reasons in pairs if set(reasons) <= {"random_sample"}]
    known = [line for line in standing if line[3] != NO_LABEL]
    agreeing = sum(line[3] == AGREES for line in known)
    left = sum(not reasons for reasons in fired)
    return {
        "escalated": sum(map(bool, fired)),
        "first": [sum(reasons[:1] == (reason,) for reasons in fired) for reason in REASONS],
        "any": [sum(reason in reasons for reasons in fired) for reason in REASONS],
        "alone": [sum(reasons == (reason,) for reasons in fired) for reason in REASONS],
        "standing_agreement": Fraction(agreeing, len(known)) if known else None,
        "residual": (
            0 if not left else None if not known else
            Fraction(left, len(found)) * (1 - Fraction(agreeing, len(known)))
        ),
        "teacher_ms": sum(number for number, reasons in enumerate(fired) if reasons),
        "student_calls": sum(reasons != ("vip_arena",) for reasons in fired),
    }  # fmt: skip


@settings(max_examples=150)
@given(st.data(), st.lists(lines, min_size=1, max_size=30), st.lists(policies, min_size=1, max_size=4))
def test_tallies_are_those_of_a_plain_loop_over_decide(
    data: st.DataObject, found: list[Line], wanted: list[Policy]
) -> None:
    some_scores = st.sampled_from([0.0, 0.3, 0.31, 0.5, 1.0, math.nan])
    scores = data.draw(st.lists(some_scores, min_size=len(found), max_size=len(found)))
    events = events_of_lines(found, scores)
    for policy, tally in zip(wanted, tally_policies(events, wanted), strict=True):
        fired = decisions_of(found, policy, scores)
        assert [reasons_of(mask) for mask in fired_masks(events, policy).tolist()] == fired
        expected, figures = figures_by_hand(found, fired), figures_of(policy, tally, Prices())
        assert figures["escalation"]["rate"] == pytest.approx(expected["escalated"] / len(found))
        for how in ("first", "any", "alone"):
            assert [figures["escalation"]["by_reason"][reason][how] for reason in REASONS] == expected[how]
        assert figures["standing_agreement"]["rate"] == pytest.approx(expected["standing_agreement"])
        assert figures["residual_disagreement"]["rate"] == pytest.approx(expected["residual"])
        assert figures["cost"]["student_calls"] == expected["student_calls"]
        if expected["escalated"]:
            assert figures["cost"]["teacher_s"] == pytest.approx(expected["teacher_ms"] / 1000)
        assert _numbers(figures) >= 0


def _numbers(value: object) -> int:
    """How many numbers there are, none of them NaN or infinite."""
    if isinstance(value, dict):
        return sum(map(_numbers, value.values()))
    if isinstance(value, list):
        return sum(map(_numbers, value))
    if isinstance(value, float):
        assert math.isfinite(value)
    return isinstance(value, int | float)


@given(st.lists(lines, min_size=1, max_size=20), st.lists(policies, min_size=2, max_size=4))
@settings(max_examples=40)
def test_a_sweep_equals_single_runs(found: list[Line], wanted: list[Policy]) -> None:
    events = events_of_lines(found)
    together = simulate(events, wanted, Prices())["sweep"]
    assert together == [simulate(events, [policy], Prices())["sweep"][0] for policy in wanted]


@pytest.mark.parametrize("label", [AGREES, DISAGREES, NO_LABEL])
@pytest.mark.parametrize("rate", ["0", "0.5", "1"])
def test_where_all_agree_or_none_does_every_figure_is_a_number_or_undefined(label: int, rate: str) -> None:
    figures = simulate(events_of_lines([("a", "fine", (), label)] * 40), [Policy(sample_rate=rate)], Prices())
    _numbers(figures)
    standing, residual = figures["standing_agreement"], figures["residual_disagreement"]
    if label == NO_LABEL:
        assert standing == {"rate": None, "low": None, "high": None, "n": 0}
        assert residual["rate"] == (0.0 if rate == "1" else None)
    else:
        assert standing["rate"] == (label == AGREES)
        assert residual["low"] <= residual["rate"] <= residual["high"]


def test_a_residual_is_the_share_left_standing_times_its_disagreement() -> None:
    found = [("a", "fine", (), DISAGREES)] * 10 + [("a", "fine", (), AGREES)] * 70 + [("a", "none", (), DISAGREES)] * 20
    figures = simulate(events_of_lines(found), [Policy(sample_rate=0)], Prices())
    assert figures["residual_disagreement"]["rate"] == pytest.approx(0.1)
    assert figures["standing_agreement"] == pytest.approx(
        {"rate": 0.875, "low": 0.7850, "high": 0.9307, "n": 80}, abs=1e-4
    )
    assert figures["overall_agreement"]["rate"] == pytest.approx(0.7)
    assert figures["escalation"]["by_reason"]["student_parse_fail"] == {"first": 20, "any": 20, "alone": 20}


def test_a_price_makes_dollars_and_none_makes_none() -> None:
    events = events_of_lines([("a", "fine", (), AGREES), ("a", "none", (), DISAGREES)])
    assert simulate(events, [Policy(sample_rate=0)], Prices())["cost"]["usd"] is None
    prices = Prices(1e6, 2e6, 0.0, 1e6, teacher_overhead_tokens=3.0)
    cost = simulate(events, [Policy(sample_rate=0)], prices)["cost"]
    # Event 1 escalates: a quarter token read, a quarter written, three of overhead; the student writes a quarter.
    assert cost["usd"] == pytest.approx(0.25 + 2 * 0.25 + 3.0 + 0.25)
    assert cost["usd_teacher_for_all"] == pytest.approx(0.25 + 2 * 0.25 + 2 * 3.0)


@pytest.mark.parametrize(
    ("texts", "rates"),
    [
        ([], []),
        (["0.1", "0.1", "0.2"], ["0.1", "0.2"]),
        (["0:0.2:0.1"], ["0", "0.1", "0.2"]),
        (["0:0.3:0.1", "1"], ["0", "0.1", "0.2", "0.3", "1"]),
    ],
)
def test_rates_and_sweeps_are_exact(texts: list[str], rates: list[str]) -> None:
    assert read_shares(texts, "sample rate") == tuple(map(Decimal, rates))


@pytest.mark.parametrize(
    "text", ["-0.1", "1.1", "x", "", "0:1", "0:1:0", "0.2:0.1:0.1", "0:1:-1", "0:1:0.00001", "nan"]
)
def test_what_is_no_rate_is_a_mistake_of_usage(text: str) -> None:
    with pytest.raises(UsageError):
        read_shares([text], "sample rate")


def test_an_unknown_gate_is_a_mistake_with_a_suggestion() -> None:
    with pytest.raises(UsageError) as raised:
        read_gates(["high_value"])
    assert "high_value_class" in str(raised.value.hint)


def test_a_name_that_nothing_bears_is_told_and_a_slip_on_the_command_line_refused() -> None:
    events = events_of_lines([("sales", "fine", ("decision",), AGREES)])
    quiet = read_wanted(load_settings(), [], [])
    assert check_names(quiet, events) == ("No event has the category 'commitment'.",)
    slip = replace(
        quiet, base=replace(quiet.base, vip_arenas=frozenset({"sale"})), named=frozenset({"policy.vip_arenas"})
    )
    with pytest.raises(UsageError, match="No event has the arena 'sale'"):
        check_names(slip, events)


def test_the_target_is_met_by_the_lowest_rate_down_to_which_all_rates_pass() -> None:
    def at(rate: float, high: float | None, labels: int = 30) -> dict[str, object]:
        residual = {"high": high, "n": labels}
        return {
            "sample_rate": rate,
            "policy": {"verifier_threshold": None},
            "residual_disagreement": residual,
            "escalation": {"rate": rate},
            "left_standing": 9,
        }

    sweep = [at(0.1, 0.01), at(0.5, 0.03), at(0.9, 0.01), at(1.0, 0.0)]
    found = cheapest_within(0.02, sweep)
    assert (found["sample_rate"], found["tested"]) == (0.9, 3)
    assert cheapest_within(0.02, [at(1.0, 0.5), at(0.0, 0.0)])["sample_rate"] is None
    assert cheapest_within(0.02, [at(1.0, None)])["sample_rate"] is None
    assert cheapest_within(0.02, [at(1.0, 0.0, labels=29)])["sample_rate"] is None


def _write(path: Path, rows: Iterator[dict[str, object]] | list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _row(number: int, **more: object) -> dict[str, object]:
    answer = {"entities": [f"Ann {number}"]}
    return {"event_id": f"e{number}", "raw_response": answer, "student_response": answer, **more}


def run(path: Path, *rates: str, **more: object) -> dict[str, object]:
    wanted = read_wanted(load_settings(), list(rates), [])
    return run_simulate(Simulation(PairSource(str(path)), wanted, **more), load_settings(), Console()).data


def test_an_event_that_comes_twice_is_decided_once_by_its_last_first_answer(tmp_path: Path) -> None:
    rows = [
        _row(1, student_response={}),
        _row(1),
        _row(1, student_response=None, sample_index=1),
        _row(2),
        {"event_id": "e3", "raw_response": "{}"},
    ]
    data = run(_write(tmp_path / "pairs.jsonl", rows), "0")
    assert (data["events"], data["repeated"], data["not_asked"]) == (2, 1, 1)
    assert data["escalation"]["rate"] == 0


def test_a_call_that_gave_nothing_has_no_label_and_broken_text_disagrees(tmp_path: Path) -> None:
    rows = [_row(1, student_response=None), _row(2, student_response="{"), _row(3, raw_response="{"), _row(4)]
    data = run(_write(tmp_path / "pairs.jsonl", rows), "0")
    assert (data["overall_agreement"]["n"], data["overall_agreement"]["rate"]) == (2, 0.5)
    assert data["escalation"]["by_reason"]["student_parse_fail"]["first"] == 2


def test_without_recorded_pairs_nothing_was_evaluated(tmp_path: Path) -> None:
    path = _write(tmp_path / "pairs.jsonl", [{"event_id": "e1", "raw_response": "{}"}])
    result = run_simulate(
        Simulation(PairSource(str(path)), read_wanted(load_settings(), [], [])), load_settings(), Console()
    )
    assert isinstance(result.failure, NothingEvaluated)
    assert result.data["escalation"]["rate"] is None
    _numbers(result.data)


def test_decisions_are_written_one_a_line_and_never_over_the_input(tmp_path: Path) -> None:
    path = _write(tmp_path / "pairs.jsonl", [_row(1), _row(2, student_response={})])
    run(path, "0", decisions=tmp_path / "decisions.jsonl")
    written = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert written == [
        {"event_id": "e1", "escalate": False, "reason": None, "fired": [], "sampled": False},
        {"event_id": "e2", "escalate": True, "reason": "student_empty", "fired": ["student_empty"], "sampled": False},
    ]
    with pytest.raises(UsageError, match="would be overwritten"):
        run(path, "0", decisions=path)


def test_the_fleet_serves_what_escalates_and_needs_moments_and_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        _row(number, created_at=f"2026-06-18T09:0{number}:00Z", llm_chunk_ms=30_000.0, student_response=answer)
        for number, answer in enumerate([{}, {"entities": ["Ann 1"]}, {}])
    ]
    (tmp_path / "cascade.toml").write_text("[fleet]\nusd_per_hour = 3600\n[cost]\nstudent_usd_per_hour = 36\n")
    monkeypatch.chdir(tmp_path)
    fleet = run(_write(tmp_path / "pairs.jsonl", rows), "0", fleet=True)["cost"]["fleet"]
    assert (fleet["policy"]["events"], fleet["policy"]["boots"], fleet["policy"]["billed_s"]) == (
        2,
        1,
        240.0 + 30 + 300,
    )
    assert fleet["teacher_for_all"]["events"] == 3
    assert fleet["usd"] == pytest.approx(570.0 + 120 * 0.01)
    assert fleet["mean_usd_per_escalated_event"] == pytest.approx(285.0)
    for lacking, what in (("created_at", "created_at"), ("llm_chunk_ms", "llm_chunk_ms")):
        path = _write(tmp_path / "less.jsonl", [{**row, lacking: None} for row in rows])
        with pytest.raises(UsageError, match=f"3 events 3 have no {what}"):
            run(path, "0", fleet=True)


def test_curves_lie_between_chance_and_the_oracle_and_name_the_share_for_a_target() -> None:
    found = (
        [("a", "none", (), DISAGREES)] * 10
        + [("a", "fine", (), DISAGREES)] * 10
        + [("a", "none", (), AGREES)] * 10
        + [("a", "fine", (), AGREES)] * 70
        + [("a", "fine", (), NO_LABEL)] * 5
    )
    curves = simulate(events_of_lines(found), [Policy(sample_rate=1)], Prices())["curves"]
    assert curves["labelled"] == 100
    assert curves["gates"] == [[0.0, 0.8], [0.2, 0.9], [1.0, 1.0]]
    assert curves["oracle"][1] == [0.2, 1.0]
    shares = curves["targets"][0]
    assert [shares[name] for name in ("agreement", "gates", "random", "oracle")] == pytest.approx([0.9, 0.2, 0.5, 0.1])
    assert 0 < curves["normalised_gain"] < 1
    assert curves["augrc"]["oracle"] < curves["augrc"]["gates"] < curves["augrc"]["random"] == pytest.approx(0.1)


def test_a_joint_bootstrap_says_about_what_the_formulas_say() -> None:
    rng = np.random.default_rng(3)
    found = [("a", "fine", (), AGREES if rng.random() < 0.9 else DISAGREES) for _ in range(900)]
    found += [("a", "none", (), DISAGREES)] * 100
    events, policy = events_of_lines(found), Policy(sample_rate="0.1")
    figures, drawn = simulate(events, [policy], Prices()), bootstrap_figures(events, policy, 2000)
    for name in ("escalation", "standing_agreement", "residual_disagreement", "overall_agreement"):
        assert drawn[name]["low"] == pytest.approx(figures[name]["low"], abs=0.006)
        assert drawn[name]["high"] == pytest.approx(figures[name]["high"], abs=0.006)
    together = replace(events, clusters=pl.Series([f"t{number // 10}" for number in range(1000)]))
    wide = bootstrap_figures(together, policy, 2000)["escalation"]
    assert wide["high"] - wide["low"] > 1.5 * (drawn["escalation"]["high"] - drawn["escalation"]["low"])
    unlabelled = events_of_lines([("a", "fine", (), NO_LABEL)] * 3)
    none = bootstrap_figures(unlabelled, NEVER_SAMPLED, 5)
    assert none["standing_agreement"] == {"low": None, "high": None}


NEVER_SAMPLED = Policy(sample_rate=0)


def test_a_rollout_falls_to_the_policy_and_asks_for_the_labels_that_bound_the_next_stage() -> None:
    found = (
        [("a", "fine", ("z",), AGREES)] * 300 + [("a", "fine", (), AGREES)] * 660 + [("a", "fine", (), DISAGREES)] * 40
    )
    events = events_of_lines(found)
    stages = plan_rollout(events, Policy(sample_rate="0.05"), Prices(), target=0.08)
    assert [stage["sample_rate"] for stage in stages] == [0.5, 0.25, 0.25, 0.1, 0.05]
    assert stages[0]["escalation"] > stages[-1]["escalation"]
    assert [stage["every_category"] for stage in stages] == [True, True, False, False, False]
    assert stages[-1]["labels_needed"] is None
    labels, left = stages[3]["labels_needed"], figures_left(events)
    assert wilson(0.04 * labels, labels).high <= 0.08 / left < wilson(0.04 * (labels - 1), labels - 1).high
    assert stages[3]["events_needed"] == pytest.approx(labels / 0.1)
    assert stages[3]["days_needed"] is None
    # In the second stage category z still escalates, so three in ten of what will stand are labelled for certain.
    assert stages[1]["events_needed"] == pytest.approx(stages[1]["labels_needed"] * (0.3 + 0.7 / 0.25))
    assert plan_rollout(events, Policy(sample_rate="0.05"), Prices(), target=0.01)[3]["labels_needed"] is None
    assert plan_rollout(events, Policy(sample_rate="0.05"), Prices(), target=1.0)[3]["labels_needed"] == 0


def figures_left(events: Events) -> float:
    figures = simulate(events, [Policy(sample_rate="0.05")], Prices())
    return figures["left_standing"] / figures["events"]


def test_a_rollout_without_a_target_is_a_mistake_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="towards a target"):
        run(_write(tmp_path / "pairs.jsonl", [_row(1)]), "0", rollout=True)


def test_two_students_are_never_mixed(tmp_path: Path) -> None:
    rows = [_row(1, student_model="a"), _row(2, student_model="b"), _row(3, student_model="b")]
    path = _write(tmp_path / "pairs.jsonl", rows)
    with pytest.raises(UsageError, match="answers of 2 students: a, b"):
        run(path, "0")
    simulation = Simulation(PairSource(str(path), student_model="b"), read_wanted(load_settings(), ["0"], []))
    assert run_simulate(simulation, load_settings(), Console()).data["events"] == 2


def test_intervals_of_a_sweep_and_a_target_know_of_clusters(tmp_path: Path) -> None:
    rows = [
        _row(number, event={"id": "x", "content": "Ann", "attributes": {"thread_id": number // 10}})
        for number in range(400)
    ]
    for row in rows[:40]:
        row["student_response"] = {"entities": ["Bob"]}
    data = run(_write(tmp_path / "pairs.jsonl", rows), "0.05", "0.5", target_residual=0.1)
    assert data["residual_disagreement"] == data["sweep"][0]["residual_disagreement"]
    alone = run(_write(tmp_path / "pairs.jsonl", [{**row, "event": None} for row in rows]), "0.05", "0.5")
    assert data["sweep"][1]["residual_disagreement"]["high"] > 1.3 * alone["sweep"][1]["residual_disagreement"]["high"]


def test_what_the_teacher_costs_does_not_hang_on_the_students_price() -> None:
    events = events_of_lines([("a", "fine", (), AGREES)] * 4)
    costs = [
        simulate(events, [Policy()], Prices(1.0, 3.0, student, student, teacher_overhead_tokens=50.0))["cost"]
        for student in (None, 0.0)
    ]
    assert costs[0]["usd"] is None
    assert costs[0]["usd_teacher_for_all"] == costs[1]["usd_teacher_for_all"]


@pytest.mark.parametrize("text", ["1e-9999999", "0:1:1e-99999999", "0." + "0" * 60 + "1"])
def test_a_rate_of_a_million_decimals_is_refused_at_once(text: str) -> None:
    with pytest.raises(UsageError):
        read_shares([text], "sample rate")


def test_one_rate_is_wanted_where_a_sweep_makes_no_sense() -> None:
    with pytest.raises(UsageError, match="One sample rate is wanted here, not 3"):
        read_wanted(load_settings(), ["0:1:0.5"], [], most_rates=1)


def test_decisions_are_not_written_to_standard_output(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes a file"):
        run(_write(tmp_path / "pairs.jsonl", [_row(1)]), "0", decisions=Path("-"))


def world(count: int, seed: int) -> list[Line]:
    """Events in three arenas and two categories, of which the categorised agree less."""
    rng = np.random.default_rng(seed)
    found: list[Line] = []
    for _ in range(count):
        weighty = rng.random() < 0.3
        what = "none" if rng.random() < 0.05 else "fine"
        agrees = rng.random() < (0.7 if weighty else 0.9)
        arena = str(rng.choice(["a", "b", "c"], p=[0.1, 0.4, 0.5]))
        found.append((arena, what, ("x",) if weighty else (), AGREES if agrees and what == "fine" else DISAGREES))
    return found


def test_a_log_replayed_with_weights_gives_what_the_full_record_gives() -> None:
    logged = Policy(sample_rate="0.2", high_value_categories=frozenset({"x"}), vip_arenas=frozenset({"a"}))
    asked = Policy(sample_rate="0.1", high_value_categories=frozenset())
    everything = world(20_000, seed=9)
    full = simulate(events_of_lines(everything), [asked], Prices())
    masks = fired_masks(events_of_lines(everything), logged)
    kept = (masks != 0) & (masks != BIT["vip_arena"])
    whole = events_of_lines(everything)
    log = events_from_places(whole, np.flatnonzero(kept))
    found = replay_log(log, logged, [asked])
    for name in ("standing_agreement", "residual_disagreement", "overall_agreement", "escalation"):
        assert found[name]["low"] - 0.01 <= full[name]["rate"] <= found[name]["high"] + 0.01
        assert found[name]["rate"] == pytest.approx(full[name]["rate"], abs=0.02)
        assert not found[name]["insufficient"]
    assert found["overall_agreement"]["effective_n"] < found["overall_agreement"]["n"]
    naive = simulate(log, [asked], Prices())["overall_agreement"]["rate"]
    assert abs(naive - full["overall_agreement"]["rate"]) > 3 * abs(
        found["overall_agreement"]["rate"] - full["overall_agreement"]["rate"]
    )


def events_from_places(events: Events, places: np.ndarray) -> Events:
    taken = {name: getattr(events, name).gather(places) for name in ("ids", "prompt_hashes", "clusters", "created_at")}
    taken |= {name: getattr(events, name).gather(places) for name in ("arenas", "categories")}
    columns = ("parse_fail", "empty", "ungrounded", "labels", "verifier", "decided")
    arrays = {name: getattr(events, name)[places] for name in columns}
    return replace(events, **taken, **arrays, costs={name: column[places] for name, column in events.costs.items()})


def test_a_full_record_is_no_log_and_a_rate_of_nought_identifies_nothing() -> None:
    events = events_of_lines([("a", "fine", (), AGREES)] * 50)
    with pytest.raises(UsageError, match=r"events would not have been labelled at a rate of 0\.05"):
        replay_log(events, Policy(), [Policy()])
    gated = events_of_lines([("a", "none", (), DISAGREES)] * 50)
    with pytest.raises(UsageError, match="Not identified"):
        replay_log(gated, Policy(sample_rate=0), [Policy()])
    found = replay_log(gated, Policy(), [Policy()])
    assert found["escalation"]["rate"] == 1.0
    undefined = dict.fromkeys(("rate", "low", "high", "effective_n", "largest_weight"))
    assert found["standing_agreement"] == {**undefined, "n": 0, "insufficient": True}


def test_decisions_and_figures_go_to_two_files(tmp_path: Path) -> None:
    path, both = _write(tmp_path / "pairs.jsonl", [_row(1)]), tmp_path / "out.json"
    simulation = Simulation(PairSource(str(path)), read_wanted(load_settings(), ["0"], []), decisions=both)
    with pytest.raises(UsageError, match="name the same file"):
        run_simulate(simulation, load_settings(), Console(Output(Format.JSON, both)))
