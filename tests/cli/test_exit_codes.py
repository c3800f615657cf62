"""Errors end as one message, one exit status and, where asked for, one JSON document."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from cascade_cli import app
from cascade_cli.commands.declare import command
from cascade_cli.console import Column, Result, Table
from cascade_cli.errors import CascadeError, DependencyError, GateFailed, NothingEvaluated, UsageError

COMMAND = [sys.executable, "-m", "cascade_cli"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
PRIVATE = "the patient said something private"
ENVELOPE = {"schema_version", "command", "run_id", "status", "partial", "data", "warnings", "gate"}


@pytest.fixture
def run_body(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a command with this body in the test's own process and return the exit status."""

    def run(body: Callable[[], Result], *flags: str) -> int:
        @command
        def runs(ctx: typer.Context) -> Result:
            """Stand in for a command."""
            del ctx
            return body()

        monkeypatch.setattr(app, "_load", lambda _name: runs)
        return app.run(["runs", *flags])

    return run


def raising(error: BaseException) -> Callable[[], Result]:
    def body() -> Result:
        raise error

    return body


def test_init_makes_the_folder_and_leaves_what_is_there_as_it_was(cascade: Run, tmp_path: Path) -> None:
    file = tmp_path / "deploy/eu/cascade.toml"
    assert (cascade("init", "deploy/eu").returncode, file.exists()) == (0, True)
    file.write_text("mine")
    assert (cascade("init", "deploy/eu").returncode, file.read_text()) == (2, "mine")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["scroe"], "No such command 'scroe'. Did you mean 'score'?", "cascade --help"),
        (["config", "shwo"], "Did you mean 'show'?", "cascade config --help"),
        (["config"], "Missing command", "cascade config --help"),
        (["pull", "--since"], "'--since' requires an argument", "cascade pull --help"),
        (["runs", "--limt", "3"], "--limit", "cascade runs --help"),
        (["runs", "--limit", "many"], "'many' is not a valid int", "cascade runs --help"),
        (["runs", "--limit", "0"], "0 is not in the range", "cascade runs --help"),
        (["runs", "-o", "runs.xlsx"], "Cannot tell the format of runs.xlsx", ".jsonl"),
        (["runs"], "There is no workspace at .cascade", "cascade pull"),
        (["pull"], "There is nothing to pull from", "DATABASE_URL"),
        (["pull", "absent.jsonl"], "absent.jsonl", ""),
        (["mop-up", "--events", "absent.txt"], "absent.txt cannot be read: no such file", ""),
    ],
)
def test_a_mistake_of_the_user_is_exit_2_with_cause_and_cure(
    cascade: Run, arguments: list[str], message: str, hint: str
) -> None:
    done = cascade(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert hint in done.stderr
    assert 1 <= len(done.stderr.splitlines()) <= 4


def test_pulling_from_nowhere_leaves_no_workspace_behind(cascade: Run, tmp_path: Path) -> None:
    cascade("pull")
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_database_is_exit_4(cascade: Run) -> None:
    done = cascade("pull", env={"DATABASE_URL": "postgresql://reader:hunter22@127.0.0.1:1/mail"})
    assert done.returncode == 4
    assert "hunter22" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (UsageError("A."), 2, "error"),
        (GateFailed("A."), 3, "gate_failed"),
        (DependencyError("A."), 4, "error"),
        (NothingEvaluated("A."), 5, "nothing_evaluated"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (app._TerminateSignal(), 143, "interrupted"),
        (ValueError(PRIVATE), 1, "error"),
    ],
)
def test_every_error_has_its_status_and_one_document(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str], error: BaseException, status: int, word: str
) -> None:
    assert run_body(raising(error), "--json") == status
    document = json.loads(capsys.readouterr().out)
    assert set(document) == ENVELOPE
    assert (document["command"], document["status"]) == ("runs", word)
    assert document["data"]["error"]["exit_code"] == status


def test_an_unexpected_error_tells_type_and_place_but_not_its_message(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_body(raising(ValueError(PRIVATE)), "-v") == 1
    said = capsys.readouterr().err
    assert "Internal error: ValueError at " in said
    assert "-vv" in said
    assert PRIVATE not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("flags", [["-vv"], ["-v", "-v"], ["--verbose", "-v"]])
def test_a_traceback_is_shown_only_when_asked_for_and_without_local_variables(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    def body() -> Result:
        private = PRIVATE.upper()
        raise KeyError(len(private))

    assert run_body(body, *flags) == 1
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert PRIVATE.upper() not in said


def test_a_failed_gate_still_shows_the_result_as_the_only_document(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = GateFailed("Agreement 0.71 is under 0.85.")
    gate = {"passed": False}
    assert run_body(lambda: Result({"rate": 0.71}, gate=gate, failure=failed), "--json") == 3
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert (document["status"], document["data"], document["gate"]) == ("gate_failed", {"rate": 0.71}, gate)
    assert "Agreement 0.71 is under 0.85." in shown.err


def test_warnings_are_in_the_document_and_on_standard_error(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_body(lambda: Result({}, warnings=("line 3 is cut off",)), "--json", "--quiet") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["warnings"] == ["line 3 is cut off"]
    assert shown.err == "warning: line 3 is cut off\n"


def test_hints_are_for_people_and_silent_with_quiet(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_body(lambda: Result({}, hints=("Next: cascade score",)))
    assert capsys.readouterr() == ("", "Next: cascade score\n")
    run_body(lambda: Result({}, hints=("Next: cascade score",)), "--quiet")
    assert capsys.readouterr() == ("", "")


def test_a_number_that_is_not_finite_is_a_defect_and_never_printed(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_body(lambda: Result({"rate": float("nan")}), "--json") == 1
    shown = capsys.readouterr().out
    assert "NaN" not in shown
    json.loads(shown)


def test_hostile_text_in_an_error_cannot_steer_the_terminal(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_body(raising(CascadeError("file \x1b]0;gotcha\x07 \u202egnp.exe is bad")))
    assert capsys.readouterr().err == "error: file \\x1b]0;gotcha\\x07 \\u202egnp.exe is bad\n"


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [
        (["score", "--json"], True),
        (["score", "--format", "json"], True),
        (["score", "--format=json"], True),
        (["score", "--format", "csv"], False),
        (["score", "--", "--json"], False),
    ],
)
def test_a_json_error_is_written_only_where_json_was_asked_for(arguments: list[str], *, asks: bool) -> None:
    assert app._asks_for_json(arguments) is asks


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_running_command_with_its_own_status(
    tmp_path: Path, environment: dict[str, str], sent: signal.Signals, status: int
) -> None:
    with subprocess.Popen(
        [*COMMAND, "pull", "-"],
        cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        # It waits for standard input once it has recorded its run in the workspace.
        deadline = time.monotonic() + 60
        while not (tmp_path / ".cascade").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(sent)
        stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == status
    assert stdout == ""
    assert "Traceback" not in stderr
    assert "Internal error" not in stderr


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(tmp_path: Path, environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "config", "show", "--json"],
        cwd=tmp_path, env=environment, stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_verdict_survives_a_reader_that_has_seen_enough(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "secret.toml").write_text("")
    reading, writing = os.pipe()
    os.close(reading)
    unreachable = {**environment, "DATABASE_URL": "postgresql://127.0.0.1:1/mail"}
    done = subprocess.run(
        [*COMMAND, "doctor"], cwd=tmp_path, env=unreachable, stdout=writing, stderr=subprocess.DEVNULL, check=False
    )
    os.close(writing)
    assert done.returncode == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_behind_standard_output_is_exit_4(tmp_path: Path, environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "config", "show", "--json"],
            cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 4
    assert done.stderr == "error: Cannot write to standard output: No space left on device.\n"


def test_two_forms_at_once_are_refused_in_the_one_that_a_program_reads(cascade: Run) -> None:
    done = cascade("runs", "--json", "--format", "csv")
    assert done.returncode == 2
    assert json.loads(done.stdout)["data"]["error"]["message"] == "--json contradicts --format csv."


def test_csv_of_a_result_without_a_table_is_refused(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_body(lambda: Result({}), "--format", "csv") == 2
    assert "no table" in capsys.readouterr().err


def test_output_goes_whole_to_a_file_and_leaves_standard_output_empty(
    run_body: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = Table((Column("rate", "rate"),), [{"rate": 1 / 3}])
    for name in ("a.json", "a.jsonl", "a.csv", "a.md", "a.txt"):
        assert run_body(lambda: Result({"rate": 1 / 3}, blocks=(table,)), "-o", str(tmp_path / name)) == 0
        assert capsys.readouterr().out == ""
        assert repr(1 / 3) in (tmp_path / name).read_text()
    assert run_body(lambda: Result({"rate": 1 / 3}, blocks=(table,)), "-o", "-", "--format", "csv") == 0
    assert capsys.readouterr().out == f"rate\n{1 / 3!r}\n"


@pytest.mark.parametrize(
    ("arguments", "status"), [(["score", "no-such-file", "--json"], 2), (["--help"], 0), (["--wrong"], 2)]
)
@pytest.mark.parametrize("deaf", ["stdout", "stderr"])
def test_a_reader_that_has_gone_changes_neither_status_nor_words(
    arguments: list[str], status: int, deaf: str, environment: dict[str, str], tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, deaf: writer}
    ended = subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, env=environment, encoding="utf-8", timeout=60, check=False, **streams
    )
    os.close(writer)
    assert ended.returncode == status
    assert "Traceback" not in (ended.stdout or "") + (ended.stderr or "")
