"""From rows to figures by group: what is counted where, what is cached, what is judged."""

import itertools
import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from cascade_cli.config import load_settings
from cascade_cli.console import Console
from cascade_cli.demonstration import fixture
from cascade_cli.errors import GateFailed, NothingEvaluated, TooManyItemErrors, UsageError
from cascade_cli.extraction import parse_extraction
from cascade_cli.policy import RULES_VERSION, Policy, decide, usable_extraction
from cascade_cli.policy.gates import Case, Empty, Grounding, ParseFail, categories_of
from cascade_cli.records import BadRow, Event, Row, StudentAnswer, Trace
from cascade_cli.scoring import Conditions, Inquiry, run_compare, run_score, shown_event
from cascade_cli.scoring.cached import score_workspace
from cascade_cli.scoring.columns import resolve_columns
from cascade_cli.scoring.comparing import compare_figures
from cascade_cli.scoring.configuring import scoring_config
from cascade_cli.scoring.frames import Intake, Request, score_stream
from cascade_cli.scoring.gates import judge
from cascade_cli.scoring.summary import summarize
from cascade_cli.simulate import OBSERVER, events_of, fired_masks
from cascade_cli.simulate.cells import reasons_of
from cascade_cli.sources import read_rows
from cascade_cli.storable import storable
from cascade_cli.workspace import PairFilter, Workspace
from scorers import PRESETS, ScoringConfig

PAIRS = str(fixture("pairs.jsonl.gz"))
ACME = {"entities": [{"name": "Acme", "type": "organization"}, {"name": "Ann", "type": "person"}]}
HALF = {"entities": [{"name": "Acme", "type": "organization"}, {"name": "Bob", "type": "person"}]}


def row(number, gold=ACME, predicted=ACME, *, prompt="p1", asked=True, thread=None, **event):
    event_id = f"e{number}"
    said = predicted if predicted is None or isinstance(predicted, str) else json.dumps(predicted)
    trace = Trace(
        event_id,
        gold if isinstance(gold, str) else json.dumps(gold),
        f"t{number}-{prompt}",
        system_prompt_hash=prompt,
        created_at=datetime(2026, 6, 1, tzinfo=UTC),
        event=Event(event_id, content="text", attributes={"thread_id": thread} if thread else {}, **event),
    )
    return Row(trace, StudentAnswer(event_id, said, "student") if asked else None)


def figures(rows, **request):
    wanted = Request(ScoringConfig(), **request)
    return summarize(score_stream(Intake(rows), wanted), wanted)


def finite(value):
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def test_every_row_is_counted_once_as_what_it_is():
    data = figures(
        [
            row(1), row(2, predicted=HALF), row(3, predicted=None), row(4, predicted="no JSON"), row(5, gold="no JSON"),
            row(6, asked=False), row(7, predicted={}), BadRow("file:8", "not an object"),
        ]
    )  # fmt: skip
    assert (data["pairs"], data["scored"], data["unscorable"]) == (6, 5, 1)
    assert (data["missing_output"], data["not_asked"], data["bad_rows"]) == (1, 1, 1)
    total = data["total"]
    assert (total["invalid_json"], total["empty"]) == (1, 1)
    assert total["agreement"]["n"] == 5
    assert total["agreement"]["rate"] == pytest.approx(1 / 5)
    assert total["kinds"]["invalid_json"] == 2


def test_no_rows_at_all_give_undefined_figures_and_never_nan():
    data = figures([])
    assert data["total"]["agreement"] == {"rate": None, "low": None, "high": None, "n": 0}
    assert data["total"]["entities"]["micro"]["f1"] is None
    assert data["total"]["email_hallucination_rate"] is None
    assert finite(data)


def test_groups_share_a_value_and_add_up_to_the_total():
    rows = [row(number, prompt=f"p{number % 3}", predicted=HALF if number % 2 else ACME) for number in range(30)]
    data = figures(rows, by=("system_prompt_hash",))
    assert [group["key"] for group in data["groups"]] == [{"system_prompt_hash": f"p{number}"} for number in range(3)]
    for name in ("tp", "fp", "fn"):
        counted = sum(group["entities"]["micro"][name] for group in data["groups"])
        assert counted == data["total"]["entities"]["micro"][name]
    assert finite(data)


def test_an_absent_value_is_a_group_of_its_own():
    data = figures([row(1, arena="sales"), row(2)], by=("arena",))
    assert [group["key"]["arena"] for group in data["groups"]] == ["sales", None]


def test_items_can_be_counted_by_their_type_with_a_wrong_type_on_both_accounts():
    wrong = {"entities": [{"name": "Acme", "type": "person"}, {"name": "Ann", "type": "person"}]}
    data = figures([row(1, predicted=wrong)], by=("entity_type",))
    counts = {
        group["key"]["entity_type"]: [group["entities"]["micro"][name] for name in ("tp", "fp", "fn")]
        for group in data["groups"]
    }
    assert counts == {"person": [1, 1, 0], "organization": [0, 0, 1]}


def test_of_a_repeated_pair_the_last_counts():
    data = figures([row(1, predicted=HALF), row(2), row(1)])
    assert (data["pairs"], data["repeated"]) == (2, 1)
    assert data["total"]["agreement"]["rate"] == 1.0


def test_events_of_one_thread_widen_the_interval():
    def rows(threads):
        return [
            row(n, predicted=HALF if (n // 10) % 2 else ACME, thread=f"t{n // 10}" if threads else None)
            for n in range(100)
        ]

    alone, together = (figures(rows(threads))["total"] for threads in (False, True))
    assert alone["agreement"]["rate"] == together["agreement"]["rate"]
    assert together["agreement"]["low"] < alone["agreement"]["low"]
    assert together["entities"]["micro"]["low"] < alone["entities"]["micro"]["low"]


def test_two_processes_give_what_one_gives():
    rows = [row(number, predicted=HALF if number % 2 else ACME) for number in range(1200)]
    request = Request(ScoringConfig(), by=("entity_type",))
    one, two = (score_stream(Intake(rows), request, processes=processes) for processes in (1, 2))
    assert one.figures.equals(two.figures)
    assert one.tally.equals(two.tally)


def test_the_exact_preset_adds_the_official_figures_as_a_mean_of_groups():
    triple = {"facts": [{"subject": "Acme", "predicate": "hires", "object": "Ann"}]}
    rows = [row(1, triple, triple, prompt="a"), row(2, triple, {}, prompt="b"), row(3, triple, {}, prompt="b")]
    request = Request(PRESETS["exact"], by=("system_prompt_hash",))
    data = summarize(score_stream(Intake(rows), request), request)
    assert data["exact"]["f1"] == 0.5
    assert data["total"]["exact"]["f1"] == pytest.approx(1 / 3)


@pytest.fixture
def workspace(tmp_path):
    path = tmp_path / "ws"
    with Workspace.open(path, "write") as opened:
        opened.add_rows([row(number, predicted=HALF if number % 3 else ACME) for number in range(40)])
    return path


def test_scores_of_a_workspace_are_worked_out_once_and_then_read(workspace):
    request = Request(ScoringConfig())
    first = score_workspace(workspace, PairFilter(), request)
    again = score_workspace(workspace, PairFilter(), request)
    assert (first.cached, again.cached) == (0, 40)
    assert summarize(first, request)["total"] == summarize(again, request)["total"]


def test_what_came_later_is_scored_beside_what_is_cached(workspace):
    request = Request(ScoringConfig())
    score_workspace(workspace, PairFilter(), request)
    with Workspace.open(workspace, "write") as opened:
        opened.add_rows([row(number, predicted=HALF) for number in range(40, 50)])
    mixed = score_workspace(workspace, PairFilter(), request)
    with Workspace.open(workspace) as opened:
        fresh = score_stream(Intake(list(opened.pairs())), request)
    assert (mixed.cached, len(mixed.figures)) == (40, 50)
    assert summarize(mixed, request)["total"] == summarize(fresh, request)["total"]


def test_another_configuration_is_another_score(workspace):
    score_workspace(workspace, PairFilter(), Request(ScoringConfig()))
    assert score_workspace(workspace, PairFilter(), Request(PRESETS["strict"])).cached == 0


def judged(rows, **conditions):
    return judge(figures(rows, by=("system_prompt_hash",)), Conditions(**conditions))


def test_a_gate_is_judged_on_the_lower_bound_unless_told_otherwise():
    rows = [row(number) for number in range(20)]
    gate, failure = judged(rows, fail_under=0.9)
    assert not gate["passed"]
    assert isinstance(failure, GateFailed)
    assert judged(rows, fail_under=0.9, on_rate=True) == (
        gate | {**judged(rows, fail_under=0.9, on_rate=True)[0]},
        None,
    )


def test_each_hash_must_pass_where_that_was_asked_for():
    rows = [row(n, prompt="good") for n in range(90)] + [row(n + 90, predicted=HALF, prompt="bad") for n in range(10)]
    assert judged(rows, fail_under=0.8)[1] is None
    gate, failure = judged(rows, fail_under=0.8, each_group=True)
    assert [check["passed"] for check in gate["checks"]] == [False, True]
    assert "bad" in str(failure)


def test_nothing_evaluated_and_too_many_errors_come_before_any_gate():
    assert isinstance(judged([row(1, asked=False)], fail_under=0.0)[1], NothingEvaluated)
    assert judged([], allow_empty=True)[1] is None
    assert isinstance(judged([row(1), row(2, gold="x")], max_error_rate=0.1)[1], TooManyItemErrors)


def test_unknown_columns_and_presets_are_refused_with_a_suggestion():
    with pytest.raises(UsageError) as refused:
        resolve_columns(["arean"])
    assert "Did you mean arena?" in str(refused.value.hint)
    with pytest.raises(UsageError) as refused:
        scoring_config("defualt", {}, ())
    assert "Did you mean default?" in str(refused.value.hint)
    with pytest.raises(UsageError):
        resolve_columns(["arena", "entity_type"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("weights", [0.4, "x", 0.2]),
        ("fuzzy", 1),
        ("critical", "wrong_email"),
        ("entity_threshold", "high"),
        ("weights", [1]),
    ],
)
def test_a_wrong_value_in_the_score_section_is_named(key, value):
    with pytest.raises(UsageError, match="score"):
        scoring_config("default", {key: value}, ())


def test_a_right_value_in_the_score_section_is_used():
    config = scoring_config("default", {"weights": [1, 0, 0], "critical": []}, ("decision",))
    assert (config.weights, config.critical, config.high_value_categories) == (
        (1.0, 0.0, 0.0),
        frozenset(),
        {"decision"},
    )


def test_a_comparison_is_paired_on_common_events_and_lists_what_changed():
    request = Request(ScoringConfig())
    first = score_stream(Intake([row(n, predicted=HALF if n < 5 else ACME) for n in range(20)]), request).figures
    second = score_stream(Intake([row(n, predicted=HALF if n == 7 else ACME) for n in range(10)]), request).figures
    data = compare_figures(first, second, listed=10)
    assert (data["events"], data["only_a"], data["only_b"]) == (10, 10, 0)
    assert (data["mcnemar"]["a_only"], data["mcnemar"]["b_only"]) == (1, 5)
    assert data["agreement"]["difference"] == pytest.approx(0.4)
    assert [each["event_id"] for each in data["regressions"]] == ["e7"]
    assert len(data["improvements"]) == 5
    assert finite(data)


def test_comparing_with_a_stranger_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="neither a file"):
        run_compare(("a", "b"), load_settings(), Console())


def test_an_event_without_a_pair_cannot_be_explained(workspace, monkeypatch):
    monkeypatch.setenv("CASCADE_WORKSPACE", str(workspace))
    found = run_score(Inquiry(explain=("e1", "nobody")), load_settings(), Console())
    assert [each["event_id"] for each in found.data["explanations"]] == ["e1"]
    assert found.warnings == ("No recorded pair of event nobody.",)
    with pytest.raises(NothingEvaluated):
        run_score(Inquiry(explain=("nobody",)), load_settings(), Console())


HOSTILE_ANSWERS = (
    None,
    "",
    "no JSON",
    "{",
    "[1]",
    "{}",
    '{"entities": null}',
    '{"facts": {"category": "decision"}}',
    '{"facts": [{"category": "\\ud800 Half"}, {"category": "a\\u0000b"}, {"category": " Decision "}, {"category": 7}]}',
    '{"facts": ["<script>", {"category": "' + "x" * 10_000 + '", "statement": "to \\u0040 or ann@acme.com"}]}',
    '{"facts": [{"category": "a,b"}, {"category": "a"}, {"category": "[\\"b\\"]"}, {"category": ""}]}',
    '{"entities": [{"name": "x", "more": ' + '{"a":' * 90 + '"evil@made.up"' + "}" * 90 + "}]}",
    'Here: ```json\n{"entities": [{"name": "Ann", "email": "ANN@acme.com"}]}\n``` done',
    '{"entities": [{"name": "Ann", "email": "bob@acme.com"}]}',
)
EVENTS = (
    Event("e", content="write to ann@acme.com", attributes={"category": "Commitment"}),
    Event("e", content=None, attributes={"to_emails": ["bob@acme.com"], "category": ["no", "text"]}),
    None,
)


def hostile_rows():
    for number, (answer, event) in enumerate(itertools.product(HOSTILE_ANSWERS, EVENTS)):
        event_id = f"hostile-{number}"
        trace = Trace(
            event_id,
            json.dumps(ACME),
            f"t-{event_id}",
            user_prompt="prompt of Ann@acme.com",
            event=None if event is None else replace(event, id=event_id),
        )
        yield Row(trace, StudentAnswer(event_id, answer, "qwen"))


def test_what_is_kept_for_the_gates_is_what_a_plain_loop_reads_from_the_texts(tmp_path):
    path, policy = tmp_path / "ws", Policy(high_value_categories=frozenset({"decision", "a"}))
    shipped = [replace(each, answer=replace(each.answer, student_model="qwen")) for each in read_rows(PAIRS)]
    with Workspace.open(path, "write") as opened:
        opened.add_rows([*shipped, *hostile_rows()])
        rows = list(opened.pairs())
    request = Request(ScoringConfig(), observer=OBSERVER)
    first = score_workspace(path, PairFilter(), request)
    again = score_workspace(path, PairFilter(), request)
    assert (first.cached, again.cached) == (0, len(rows))
    assert again.figures.equals(first.figures)

    found = {line["event_id"]: line for line in again.figures.iter_rows(named=True)}
    events = events_of(again)
    fired = dict(zip(events.ids, map(reasons_of, fired_masks(events, policy).tolist()), strict=True))
    assert len(found) == len(rows)
    for row in rows:
        text, event = row.answer.response, shown_event(row.trace)
        parsed = None if text is None else parse_extraction(text)
        case, line = Case(event, usable_extraction(parsed)), found[event.id]
        noted = (line["missing_output"] or line["invalid_json"], line["empty"], line["ungrounded"])
        assert noted == (ParseFail().fires(case), Empty().fires(case), Grounding().fires(case)), text
        assert line["categories"] == sorted(map(storable, categories_of(case))), text
        assert fired[event.id] == decide(event, parsed, policy).fired, text


def test_items_are_counted_by_whatever_a_model_calls_them():
    data = figures(hostile_rows(), by=("fact_category",))
    assert {group["key"]["fact_category"] for group in data["groups"]} >= {"\ufffd half", "a,b", "x" * 10_000}


def test_whoever_changes_what_the_gates_find_in_these_texts_is_told_to_raise_the_version():
    found = sha256()
    for row in [*read_rows(PAIRS), *hostile_rows()]:
        event, text = shown_event(row.trace), row.answer.response
        parsed = None if text is None else parse_extraction(text)
        fired = decide(event, parsed, Policy(sample_rate=0)).fired
        found.update(repr((fired, sorted(categories_of(Case(event, usable_extraction(parsed)))))).encode())
    assert (RULES_VERSION, found.hexdigest()[:16]) == (1, "13766c41965228a5")


def test_what_was_noted_under_other_rules_is_not_read(workspace, monkeypatch):
    score_workspace(workspace, PairFilter(), Request(ScoringConfig()))
    monkeypatch.setattr("cascade_cli.scoring.cached.RULES_VERSION", 0)
    assert score_workspace(workspace, PairFilter(), Request(ScoringConfig())).cached == 0


def test_an_event_that_comes_after_its_score_is_looked_at_again(tmp_path):
    path, request = tmp_path / "ws", Request(ScoringConfig())
    said = {"entities": [{"name": "Ann", "email": "ann@acme.com"}]}
    whole = row(1, predicted=said)
    event = replace(whole.trace.event, content="from ann@acme.com", attributes={"category": "risk"})
    alone, later = (replace(whole, trace=replace(whole.trace, event=each)) for each in (None, event))
    noted = []
    for each in (alone, later):
        with Workspace.open(path, "write") as opened:
            opened.add_rows([each])
        noted.append(score_workspace(path, PairFilter(), request).figures.row(0, named=True))
    assert [(line["ungrounded"], line["categories"]) for line in noted] == [(True, []), (False, ["risk"])]


def test_what_is_kept_of_an_event_goes_with_it(workspace):
    request = Request(ScoringConfig())
    score_workspace(workspace, PairFilter(), request)
    with Workspace.open(workspace, "write") as opened:
        opened.purge_event("e1")
        assert opened.counts().scores == 39
