"""The shipped corpus is what its generator writes, and every error that it claims was planted is really there."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
SECTIONS = ("entities", "facts", "relationships")
EMAIL = re.compile(r"[\w.+-]+@[\w.-]+\.\w+")
ENDS = {"from": "source", "head": "source", "to": "target", "tail": "target", "relation": "type"}

Row = dict[str, Any]
Case = tuple[Row, Row, Row | None, Row | None]  # the pair, its planted line, the teacher's and the student's answer


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def answer(text: object) -> Row | None:
    """What stands between the first and the last brace, where that is an extraction."""
    if not isinstance(text, str):
        return None
    try:
        found = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except json.JSONDecodeError:
        return None
    return found if isinstance(found.get("entities", []), list) else None


def canonical(item: object) -> str:
    """The item as text, whatever the order of its fields and the spelling of its ends."""
    fields = item if isinstance(item, dict) else {}
    return json.dumps({ENDS.get(name, name): value for name, value in fields.items()}, sort_keys=True)


def items(extraction: Row, section: str) -> Counter[str]:
    found = extraction.get(section, [])
    return Counter(canonical(item) for item in found) if isinstance(found, list) else Counter()


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    pairs, planted = lines(FIXTURES / "pairs.jsonl.gz"), lines(FIXTURES / "planted.jsonl.gz")
    assert [row["event_id"] for row in pairs] == [row["event_id"] for row in planted]
    return [
        (pair, errors, answer(pair["raw_response"]), answer(pair["student_response"]))
        for pair, errors in zip(pairs, planted, strict=True)
    ]


@pytest.fixture(scope="module")
def both(cases: list[Case]) -> list[tuple[Row, list[Row], Row, Row]]:
    """The events that both models answered in readable form, with their planted errors."""
    return [(pair, line["errors"], gold, said) for pair, line, gold, said in cases if gold and said is not None]


def legacy_f1(gold: Row, said: Row) -> float | None:
    """F1 of exact, lower-cased entity names; None where neither side has one."""
    names = [{str(entity["name"]).lower().strip() for entity in side.get("entities", [])} for side in (gold, said)]
    total = len(names[0]) + len(names[1])
    return 2 * len(names[0] & names[1]) / total if total else None


def legacy_by_hash(both: list[tuple[Row, list[Row], Row, Row]], prompt: str) -> list[float]:
    scores = [legacy_f1(gold, said) for pair, _, gold, said in both if pair["system_prompt_hash"] == prompt]
    return [score for score in scores if score is not None]


# --- the files ---


def run_check(*arguments: str, folder: Path | None = None) -> int:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments, "--check"]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True).returncode


def test_the_committed_files_are_what_the_generator_writes() -> None:
    assert run_check(str(FIXTURES / "generate.py")) == 0


def test_check_notices_one_changed_character(tmp_path: Path) -> None:
    for name in ("pairs.jsonl.gz", "planted.jsonl.gz"):
        shutil.copy(FIXTURES / name, tmp_path)
    changed = gzip.decompress((tmp_path / "planted.jsonl.gz").read_bytes()).replace(b"missing", b"misting", 1)
    (tmp_path / "planted.jsonl.gz").write_bytes(gzip.compress(changed))
    assert run_check(str(FIXTURES / "generate.py"), "--out", str(tmp_path)) == 1


def test_the_generator_runs_from_inside_a_package_too(tmp_path: Path) -> None:
    package = tmp_path / "somewhere"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copytree(FIXTURES, package / "_fixtures", ignore=shutil.ignore_patterns("__pycache__"))
    assert run_check("-m", "somewhere._fixtures.generate", folder=tmp_path) == 0


def test_the_files_carry_no_time_and_stay_under_one_and_a_half_megabytes() -> None:
    packed = [(FIXTURES / name).read_bytes() for name in ("pairs.jsonl.gz", "planted.jsonl.gz")]
    assert all(data[3:8] == bytes(5) for data in packed)  # no file name, no modification time
    assert sum(map(len, packed)) < 1_500_000


# --- the events ---


def test_there_are_2400_events_under_three_prompts_one_after_the_other(cases: list[Case]) -> None:
    prompts = [str(pair["system_prompt_hash"]) for pair, *_ in cases]
    assert prompts == ["bbdaba"] * 900 + ["f1e0ff"] * 1100 + ["c40d9e"] * 400
    stamps = [str(pair["created_at"]) for pair, *_ in cases]
    assert stamps == sorted(stamps)
    assert stamps[0] >= "2026-05-01"
    assert stamps[-1] < "2026-07-16"


def test_events_come_from_mails_minutes_records_and_chats_in_eleven_languages(cases: list[Case]) -> None:
    events = [pair["event"] for pair, *_ in cases]
    assert min(Counter(event["source_kind"] for event in events).values()) >= 200
    text = "\n".join(event["content"] for event in events)
    assert all(re.search(script, text) for script in ("[а-я]", "[α-ω]", "[ا-ي]", "[ぁ-ん]", "[一-龥]", "ő", "ß", "ł"))


def test_threads_and_documents_hold_two_to_six_events(cases: list[Case]) -> None:
    envelopes = [pair["event"]["attributes"] for pair, *_ in cases]
    sizes = Counter(envelope.get("thread_id") or envelope.get("document_id") for envelope in envelopes)
    del sizes[None]
    assert len(sizes) > 300
    assert all(2 <= size <= 6 for size in sizes.values())


def test_every_email_of_the_teacher_stands_in_content_or_envelope(cases: list[Case]) -> None:
    for pair, _, gold, _ in cases:
        assert emails(gold) <= emails(pair["event"]) & emails(pair["user_prompt"])


def emails(value: object) -> set[str]:
    return {match.lower() for match in EMAIL.findall(json.dumps(value, ensure_ascii=False).replace("\\n", " "))}


# --- the planted errors ---


def test_every_planted_record_is_true(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    """Its gold item is in the teacher's answer, its predicted item in the student's, and never neither."""
    for pair, errors, gold, said in both:
        for error in errors:
            section = str(error["section"])
            assert error["gold"] or error["predicted"], pair["event_id"]
            assert error["gold"] is None or error["gold"] in gold[section], pair["event_id"]
            assert error["predicted"] is None or error["predicted"] in said[section], pair["event_id"]


def test_without_the_planted_errors_both_sides_are_equal(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    """Nothing differs that is not recorded: both sides less their recorded items are the same."""
    for pair, errors, gold, said in both:
        for section in SECTIONS:
            mine = [error for error in errors if error["section"] == section]
            left = items(gold, section) - Counter(canonical(error["gold"]) for error in mine if error["gold"])
            right = items(said, section) - Counter(
                canonical(error["predicted"]) for error in mine if error["predicted"]
            )
            assert left == right, (pair["event_id"], section)


def test_the_numbers_of_items_add_up(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    for pair, errors, gold, said in both:
        for section in SECTIONS:
            kinds = Counter(error["kind"] for error in errors if error["section"] == section)
            expected = items(gold, section).total() - kinds["missing"] + kinds["spurious"] + kinds["duplicate"]
            assert items(said, section).total() == expected, (pair["event_id"], section)


def test_no_item_carries_two_errors(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    for pair, errors, *_ in both:
        golds = Counter((error["section"], canonical(error["gold"])) for error in errors if error["gold"])
        assert set(golds.values()) <= {1}, pair["event_id"]


def test_only_name_variants_are_harmless_and_each_kind_occurs(cases: list[Case]) -> None:
    errors = [error for _, line, *_ in cases for error in line["errors"]]
    assert all(error["harmless"] == (error["kind"] == "name_variant") for error in errors)
    assert all(error["harmless"] for error in errors if error.get("carried"))
    kinds = Counter(error["kind"] for error in errors)
    assert len(kinds) == 16
    assert min(kinds.values()) >= 10


CHANGED = {
    ("entities", "wrong_type"): {"type"},
    ("entities", "wrong_email"): {"email"},
    ("entities", "hallucinated_email"): {"email"},
    ("entities", "number_mismatch"): {"name"},
    ("facts", "wrong_object"): {"statement", "object"},
    ("facts", "number_mismatch"): {"statement", "object"},
    ("facts", "date_mismatch"): {"statement", "object"},
    ("facts", "wrong_subject"): {"statement", "subject"},
    ("facts", "wrong_predicate"): {"statement", "predicate"},
    ("facts", "negation_mismatch"): {"statement", "predicate"},
    ("relationships", "wrong_direction"): {"source", "target"},
    ("relationships", "wrong_predicate"): {"type"},
    ("relationships", "wrong_subject"): {"source"},
    ("relationships", "wrong_object"): {"target"},
}
"""The fields in which gold and predicted item differ, and no other, by section and kind."""


def test_each_kind_changes_the_fields_that_it_names_and_no_other(cases: list[Case]) -> None:
    errors = [error for _, line, *_ in cases for error in line["errors"] if error["gold"] and error["predicted"]]
    for error in errors:
        gold, predicted = json.loads(canonical(error["gold"])), json.loads(canonical(error["predicted"]))
        changed = {name for name in gold | predicted if gold.get(name) != predicted.get(name)}
        if error["kind"] == "wrong_category":
            assert "category" in changed
        elif not error["harmless"]:
            assert changed == CHANGED[error["section"], error["kind"]], error


def test_a_wrong_direction_is_the_same_relationship_with_its_ends_swapped(cases: list[Case]) -> None:
    errors = [error for _, line, *_ in cases for error in line["errors"] if error["kind"] == "wrong_direction"]
    for error in errors:
        gold, predicted = json.loads(canonical(error["gold"])), json.loads(canonical(error["predicted"]))
        assert (gold["source"], gold["target"]) == (predicted["target"], predicted["source"])


def test_a_wrong_number_or_date_is_more_than_punctuation_and_a_wrong_email_is_another_persons(
    cases: list[Case],
) -> None:
    for pair, line, *_ in cases:
        for error in line["errors"]:
            if error["kind"] in {"number_mismatch", "date_mismatch"}:
                field = "name" if error["section"] == "entities" else "object"
                assert words(error["gold"][field]) != words(error["predicted"][field])
            if error["kind"] == "wrong_email":
                assert error["predicted"]["email"] in emails(pair["event"])


def words(text: str) -> list[str]:
    """The numbers and words of a text: a change of punctuation alone would be no other number or date."""
    return re.findall(r"\w+", text)


def test_exactly_the_planted_hallucinations_stand_nowhere_in_the_event(
    both: list[tuple[Row, list[Row], Row, Row]],
) -> None:
    for pair, errors, _, said in both:
        planted = any(error["kind"] == "hallucinated_email" for error in errors)
        assert planted == bool(emails(said) - emails(pair["event"])), pair["event_id"]


def test_answers_that_cannot_be_read_are_few_and_recorded(cases: list[Case]) -> None:
    assert sum(gold is None for _, _, gold, _ in cases) == 4
    assert sum(pair["student_response"] is None for pair, *_ in cases) == 10
    unread = [line for pair, line, gold, said in cases if gold and said is None]
    assert len(unread) == 16
    assert all([error["kind"] for error in line["errors"]] == ["invalid_json"] for line in unread)


# --- the known facts of the pair of models ---


@pytest.mark.parametrize("prompt", ["bbdaba", "f1e0ff"])
def test_under_the_learnt_prompts_the_median_f1_is_about_91_percent(
    both: list[tuple[Row, list[Row], Row, Row]], prompt: str
) -> None:
    scores = legacy_by_hash(both, prompt)
    assert median(scores) == pytest.approx(0.909, abs=0.012)
    assert 1 - mean(scores) == pytest.approx(0.12, abs=0.012)


def test_there_is_no_drift_between_the_learnt_prompts(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    assert mean(legacy_by_hash(both, "bbdaba")) == pytest.approx(mean(legacy_by_hash(both, "f1e0ff")), abs=0.01)


def test_under_the_newest_prompt_agreement_really_drops(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    scores = legacy_by_hash(both, "c40d9e")
    assert 0.72 <= median(scores) <= 0.78
    assert 0.25 <= 1 - mean(scores) <= 0.30
    harm = {prompt: harmed_facts(both, prompt) for prompt in ("f1e0ff", "c40d9e")}
    assert harm["c40d9e"] > 4 * harm["f1e0ff"]


def harmed_facts(both: list[tuple[Row, list[Row], Row, Row]], prompt: str) -> float:
    """Mean number of harmful differences in the facts of an event."""
    chosen = [errors for pair, errors, *_ in both if pair["system_prompt_hash"] == prompt]
    return float(mean(sum(e["section"] == "facts" and not e["harmless"] for e in errors) for errors in chosen))


def test_about_one_event_in_a_hundred_has_a_hallucinated_email(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    hits = [any(error["kind"] == "hallucinated_email" for error in errors) for _, errors, *_ in both]
    assert 0.007 <= mean(hits) <= 0.013


def test_facts_and_relationships_have_errors_of_their_own(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    harmful = Counter(error["section"] for _, errors, *_ in both for error in errors if not error["harmless"])
    assert harmful["facts"] > harmful.total() / 5
    assert harmful["relationships"] > harmful.total() / 10


# --- the door plate ---


def test_the_figures_of_the_readme_are_those_of_the_files(both: list[tuple[Row, list[Row], Row, Row]]) -> None:
    text = (FIXTURES / "README.md").read_text(encoding="utf-8")
    for prompt in ("bbdaba", "f1e0ff", "c40d9e"):
        scores = legacy_by_hash(both, prompt)
        assert f"| `{prompt}` | {len(scores):,} | {median(scores):.3f} | {1 - mean(scores):.3f} |" in text
    counts = Counter((error["kind"], error["section"]) for _, errors, *_ in both for error in errors)
    for kind in {kind for kind, _ in counts} - {"name_variant"}:
        numbers = " | ".join(f"{counts[kind, section]:,}" for section in SECTIONS)
        assert f"| {kind} | {numbers} |" in text
