"""No student writes before its agreement was measured: the gate of ``cascade score`` and the guard of the flip."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from rig import Rig
from saying import Saying

from cascade_cli.config import STUDENT_MODEL, TEACHER_SYSTEM_PROMPT_FILE, WORKSPACE_PATH, Settings, load_settings
from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.live.flipping import FlipWish, may_flip, permit_flip
from cascade_cli.postgres.control import Control
from cascade_cli.postgres.pool import Pool
from cascade_cli.prompt_in_force import PromptInForce
from cascade_cli.workspace import FlipGate, Workspace

STUDENT = "student-4b"
PROMPT = "Extract what is said.\n"
HASH = sha256(PROMPT.encode()).hexdigest()
ASK = ("score", "--fail-under", "0.8", "--gate-for-flip")
NOW = datetime(2026, 6, 18, 9, 0, tzinfo=UTC)
PASSED = FlipGate("run-1", HASH, STUDENT, True, 0.85, 0.9, 400, "scorer", "policy", NOW - timedelta(days=2))


@pytest.fixture
def workspace(say: Saying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands of a test pull to and score; the student and the prompt are configured."""
    (tmp_path / "prompt.txt").write_text(PROMPT)
    monkeypatch.setenv("STUDENT_MODEL", STUDENT)
    monkeypatch.setenv("TEACHER_SYSTEM_PROMPT_FILE", "prompt.txt")
    del say
    return tmp_path / ".cascade"


def pull(say: Saying, *, agree: int, disagree: int = 0, prompt: str = HASH[:6], student: str = STUDENT) -> None:
    """Bring recorded pairs that agree and that do not, of one prompt and student, into the workspace."""
    lines = []
    for number in range(agree + disagree):
        name = "Acme" if number < agree else "Bob"
        line = {
            "event_id": f"{prompt}-{student}-{number}",
            "system_prompt_hash": prompt,
            "created_at": f"2026-06-18T09:{number % 60:02}:00Z",
            "raw_response": {"entities": [{"type": "person", "name": "Acme"}]},
            "student_model": student,
            "student_response": {"entities": [{"type": "person", "name": name}]},
        }
        lines.append(json.dumps(line))
    file = Path("pairs.jsonl")
    file.write_text("\n".join(lines) + "\n")
    assert say("pull", str(file))[0] == 0


def gates(workspace: Path) -> list[FlipGate]:
    with Workspace.open(workspace) as opened:
        return opened.flip_gates(datetime(2000, 1, 1, tzinfo=UTC))


def test_a_pass_is_kept_with_all_that_it_was_judged_by(say: Saying, workspace: Path) -> None:
    pull(say, agree=40)
    began = datetime.now(UTC)
    status, data, _ = say(*ASK)
    (gate,) = gates(workspace)
    assert (status, data["flip"]["passed"], data["flip"]["recorded"]) == (0, True, True)
    assert (gate.prompt_hash, gate.student_model, gate.passed, gate.threshold, gate.n) == (HASH, STUDENT, True, 0.8, 40)
    assert gate.low == data["total"]["agreement"]["low"]
    assert gate.scorer == data["scorer"]
    assert gate.policy_fingerprint is not None
    assert len(gate.policy_fingerprint) == 12
    assert began <= gate.judged_at <= datetime.now(UTC)
    with Workspace.open(workspace) as opened:
        assert opened.runs()[0].run_id == gate.run_id


def test_only_the_prompt_in_force_and_only_this_student_are_judged(say: Saying, workspace: Path) -> None:
    pull(say, agree=40)
    pull(say, agree=0, disagree=60, prompt="c40d9e")
    pull(say, agree=0, disagree=60, student="another")
    status, data, _ = say(*ASK)
    assert (status, data["flip"]["checks"][0]["n"], gates(workspace)[0].passed) == (0, 40, True)
    # With --each-hash the other prompt counts too.
    assert say(*ASK, "--each-hash")[0] == 3
    assert [gate.passed for gate in gates(workspace)] == [False, True]


def test_further_samples_of_a_question_are_no_further_evidence(say: Saying, workspace: Path) -> None:
    pull(say, agree=20)
    with Workspace.open(workspace, "write") as opened:
        answers = [row.answer for row in opened.pairs() if row.answer]
        opened.add_answers(replace(answer, sample_index=index) for answer in answers for index in (1, 2, 3))
    status, data, _ = say(*ASK)
    assert (status, data["total"]["agreement"]["n"], data["flip"]["checks"][0]["n"]) == (5, 20, 20)


@pytest.mark.parametrize(("agree", "disagree", "status", "kept"), [(29, 0, 5, []), (30, 10, 3, [False])])
def test_too_few_are_no_verdict_and_a_failure_is_kept_as_one(
    say: Saying, workspace: Path, agree: int, disagree: int, status: int, kept: list[bool]
) -> None:
    pull(say, agree=agree, disagree=disagree)
    found, data, _ = say(*ASK)
    assert found == status
    assert [gate.passed for gate in gates(workspace)] == kept
    assert data["flip"]["recorded"] == bool(kept)


def test_a_run_with_too_many_unreadable_rows_gives_no_verdict(say: Saying, workspace: Path) -> None:
    pull(say, agree=40)
    with Workspace.open(workspace, "write") as opened:
        rows = list(opened.pairs())[:10]
        bad = [replace(row, trace=replace(row.trace, trace_id=f"t{n}", raw_response="?")) for n, row in enumerate(rows)]
        opened.add_rows(bad)
    assert say(*ASK)[0] == 6
    assert gates(workspace) == []


def test_without_a_prompt_file_the_newest_trace_says_which_prompt_it_is(
    say: Saying, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEACHER_SYSTEM_PROMPT_FILE")
    pull(say, agree=40, prompt="bbdaba")
    assert say(*ASK)[0] == 0
    assert gates(workspace)[0].prompt_hash == "bbdaba"


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "--gate-for-flip"),
        (*ASK, "--on-rate"),
        (*ASK, "--preset", "strict"),
        ("score", "pairs.jsonl", *ASK[1:]),
        (*ASK, "--explain", "e1"),
    ],
)
def test_a_gate_that_would_not_say_what_it_promises_is_refused(
    say: Saying, workspace: Path, arguments: tuple[str, ...]
) -> None:
    pull(say, agree=40)
    assert say(*arguments)[0] == 2
    assert gates(workspace) == []


def test_a_prompt_of_which_there_are_no_pairs_is_told(say: Saying, workspace: Path) -> None:
    pull(say, agree=40, prompt="f1e0ff")
    status, _, said = say(*ASK)
    assert (status, gates(workspace)) == (5, [])
    assert HASH[:12] in said


# The guard


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A configured student and prompt, and an empty workspace."""
    (tmp_path / "prompt.txt").write_text(PROMPT)
    flags = {
        WORKSPACE_PATH: tmp_path / ".cascade",
        STUDENT_MODEL: STUDENT,
        TEACHER_SYSTEM_PROMPT_FILE: tmp_path / "prompt.txt",
    }
    return load_settings(flags, {}, tmp_path)


def keep(settings: Settings, *verdicts: FlipGate) -> None:
    with Workspace.open(settings[WORKSPACE_PATH], "write") as opened:
        for gate in verdicts:
            opened.add_flip_gate(gate)


@pytest.mark.parametrize(
    ("verdicts", "granted"),
    [
        ([PASSED], True),
        ([replace(PASSED, prompt_hash=HASH[:6])], True),
        ([], False),
        ([replace(PASSED, prompt_hash=HASH[:5])], False),
        ([replace(PASSED, prompt_hash="f1e0ff")], False),
        ([replace(PASSED, student_model="another")], False),
        ([replace(PASSED, passed=False)], False),
        ([replace(PASSED, judged_at=NOW - timedelta(days=7))], True),
        ([replace(PASSED, judged_at=NOW - timedelta(days=7, seconds=1))], False),
        ([replace(PASSED, judged_at=NOW + timedelta(days=400))], False),
        ([PASSED, replace(PASSED, passed=False, judged_at=NOW - timedelta(days=1))], False),
        ([replace(PASSED, passed=False, judged_at=NOW - timedelta(days=3)), PASSED], True),
        ([PASSED, replace(PASSED, student_model="another", passed=False, judged_at=NOW)], True),
    ],
)
def test_only_the_latest_verdict_of_seven_days_on_this_student_and_prompt_counts(
    settings: Settings, verdicts: list[FlipGate], *, granted: bool
) -> None:
    keep(settings, *verdicts)
    assert may_flip(settings, NOW).granted is granted


def test_another_prompt_in_the_same_file_needs_a_gate_of_its_own(settings: Settings, tmp_path: Path) -> None:
    keep(settings, PASSED)
    (tmp_path / "prompt.txt").write_text(f"{PROMPT} ")
    assert not may_flip(settings, NOW).granted


def test_what_cannot_be_read_grants_nothing(settings: Settings, tmp_path: Path) -> None:
    assert "no workspace" in may_flip(settings, NOW).why
    (tmp_path / "prompt.txt").unlink()
    assert "cannot be read" in may_flip(settings, NOW).why


def test_hashes_are_alike_only_where_enough_of_them_is() -> None:
    prompt = PromptInForce("f1e0ff", None)
    assert [prompt.is_that_of(stored) for stored in ("f1e0ff", "f1e0ff99", "f1e0f", "", None)] == [
        True, True, False, False, False,
    ]  # fmt: skip


def answering(answer: bool, asked: list[str]) -> FlipWish:
    def ask(question: str) -> bool:
        asked.append(question)
        return answer

    return FlipWish("ann@host", ask=ask)


def test_a_flip_is_confirmed_on_a_terminal_and_written_down(settings: Settings, rig: Rig) -> None:
    keep(settings, PASSED)
    asked: list[str] = []
    permission = permit_flip(settings, rig.control, answering(True, asked), NOW)
    assert permission.granted
    assert "90.0%" in asked[0]
    (switched,) = rig.control.switches(5)
    assert (switched.action, switched.who, switched.reason) == ("flip", "ann@host", permission.why)
    assert rig.control.read().reason is None


@pytest.mark.parametrize(
    ("wish", "told"),
    [(answering(False, []), "not confirmed"), (FlipWish("ann@host"), "no terminal"),
     (FlipWish("ann@host", force=" ", yes=True), "needs a reason")],
)  # fmt: skip
def test_a_flip_that_nobody_confirmed_is_refused_and_leaves_nothing(
    settings: Settings, rig: Rig, wish: FlipWish, told: str
) -> None:
    keep(settings, PASSED)
    with pytest.raises(UsageError, match=told):
        permit_flip(settings, rig.control, wish, NOW)
    assert rig.control.switches(5) == ()


def test_without_a_gate_only_force_flips_and_its_reason_is_kept(settings: Settings, rig: Rig) -> None:
    keep(settings)
    with pytest.raises(UsageError, match="no gate of the last 7 days"):
        permit_flip(settings, rig.control, FlipWish("ann@host", yes=True), NOW)
    permission = permit_flip(settings, rig.control, FlipWish("ann@host", force="first day", yes=True), NOW)
    (switched,) = rig.control.switches(5)
    assert (switched.action, switched.reason) == ("force_flip", permission.why)
    assert permission.why.startswith("forced: first day (no gate")


def test_a_flip_that_cannot_be_written_down_does_not_happen(settings: Settings) -> None:
    keep(settings, PASSED)
    with Pool("postgresql://ann@127.0.0.1:1/mail") as nowhere, pytest.raises(DependencyError):
        permit_flip(settings, Control(nowhere), FlipWish("ann@host", yes=True), NOW)


def test_the_guard_opens_no_switch(settings: Settings, rig: Rig) -> None:
    keep(settings, PASSED)
    rig.control.unflip(who="breaker", reason="parse failures")
    rig.control.kill(who="ann")
    permit_flip(settings, rig.control, FlipWish("ann@host", force="really", yes=True), NOW)
    switch = rig.control.read()
    assert (switch.killed, switch.flip_allowed) == (True, False)
