"""What reaches a terminal, a pipe and a log."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from cascade_cli.demonstration import fixture

COMMAND = [sys.executable, "-m", "cascade_cli"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
SENTINELS = {
    "DATABASE_URL": "postgresql://reader:SENTINEL-password-1@127.0.0.1:1/mail",
    "STUDENT_API_KEY": "SENTINEL-key-2",
    "LLM_API_KEY": "SENTINEL-key-3",
}


def on_a_terminal(arguments: list[str], environment: dict[str, str], folder: Path, columns: int) -> str:
    """Return what a terminal of this width is sent on both streams."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:
            pass  # Linux says "input/output error" where the other end is closed
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("arguments", [["config", "show", "--origin"], ["doctor"]])
def test_tables_fit_a_terminal_of_eighty_columns(
    arguments: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    shown = on_a_terminal(arguments, {**environment, "NO_COLOR": "1"}, tmp_path, columns=80)
    assert len(shown.splitlines()) > 5
    assert max(map(len, shown.splitlines())) <= 80


def test_a_table_that_hardly_fits_breaks_no_word_and_no_figure(environment: dict[str, str], tmp_path: Path) -> None:
    arguments = ["score", "--by", "entity_type", "-q", str(fixture("pairs.jsonl.gz"))]
    shown = on_a_terminal(arguments, {**environment, "NO_COLOR": "1"}, tmp_path, columns=80)
    assert max(map(len, shown.splitlines())) <= 80
    (line,) = [line.split() for line in shown.splitlines() if line.strip().startswith("organization")]
    assert [line[0], *line[-2:]] == ["organization", "0.927", "0.921–0.933"]


def test_what_is_to_be_copied_is_not_broken_at_the_edge_of_the_terminal(
    environment: dict[str, str], tmp_path: Path
) -> None:
    away = {**environment, "STUDENT_ENDPOINT": "http://127.0.0.1:1/v1"}
    shown = on_a_terminal(["doctor"], {**away, "NO_COLOR": "1"}, tmp_path, columns=60)
    cure = "student: Start the endpoint, or give its address: STUDENT_ENDPOINT=http://host:port/v1."
    assert cure in [line.strip() for line in shown.splitlines()]


def test_no_color_means_no_escape_codes_on_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    plain = on_a_terminal(["config", "show"], {**environment, "NO_COLOR": "1"}, tmp_path, columns=80)
    assert "\x1b" not in plain
    assert "\x1b" in on_a_terminal(["config", "show"], environment, tmp_path, columns=80)


def test_off_a_terminal_nothing_is_cut_and_no_escape_code_is_written(cascade: Run) -> None:
    shown = cascade("config", "show", "--origin", env={"STUDENT_MODEL": "m" * 300}).stdout
    assert "m" * 300 in shown
    assert "\x1b" not in shown


def test_text_of_the_environment_cannot_steer_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    hostile = {**environment, "NO_COLOR": "1", "STUDENT_MODEL": "\x1b[2J\x9b31mred\u202e"}
    for form in ("table", "json", "csv", "jsonl", "md"):
        shown = on_a_terminal(["config", "show", "--format", form], hostile, tmp_path, columns=200)
        assert not {"\x1b", "\x9b", "\u202e"} & set(shown), form
        assert "31mred" in shown


def test_json_keeps_every_character_for_a_parser(cascade: Run) -> None:
    model = "\x1b[2J ünï 事件 \u202e 🙂"
    settings = json.loads(cascade("config", "show", "--json", env={"STUDENT_MODEL": model}).stdout)["data"]["settings"]
    assert {"key": "student.model", "value": model, "origin": "environment STUDENT_MODEL"} in settings


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_letters_ends_no_report(cascade: Run, encoding: str) -> None:
    done = cascade("config", "show", env={"STUDENT_MODEL": "事件", "PYTHONIOENCODING": encoding})
    assert done.returncode == 0
    assert "\\u4e8b" in done.stdout


def test_a_closed_standard_output_is_no_crash(tmp_path: Path, environment: dict[str, str]) -> None:
    line = " ".join([*COMMAND, "config", "show", ">&-"])
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "show", "--origin"],
        ["config", "show", "--json"],
        ["doctor"],
        ["doctor", "--json", "-vv"],
        ["pull", "-vv"],
        ["pull", "--json"],
        ["pull", "-", "--json"],
        ["runs", "--json"],
        ["init"],
    ],
)
def test_no_secret_is_ever_printed_or_stored(cascade: Run, tmp_path: Path, arguments: list[str]) -> None:
    line = json.dumps({"event_id": "e1", "raw_response": "{}"})
    done = cascade(*arguments, env=SENTINELS, stdin=line)
    assert "SENTINEL" not in done.stdout + done.stderr
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"SENTINEL" not in file.read_bytes()


def test_a_secret_from_a_file_is_used_but_not_shown(cascade: Run, tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("postgresql://reader:SENTINEL@127.0.0.1:1/mail\n")
    (tmp_path / "cascade.toml").write_text('[postgres]\nurl_file = "dsn"\n')
    shown = cascade("config", "show", "--origin", "--json").stdout
    assert "***" in shown
    assert "SENTINEL" not in shown
    done = cascade("pull", "-vv")
    assert done.returncode == 4
    assert "SENTINEL" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["simulate", "--sample-rate", "0:0.1:0.05", "--fleet"], ["monitor", "--sample-rate", "1"]]
)
def test_figures_of_the_examples_keep_their_columns_on_eighty_columns(
    arguments: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    shown = on_a_terminal(
        [*arguments, "-q", str(fixture("pairs.jsonl.gz"))], {**environment, "NO_COLOR": "1"}, tmp_path, columns=80
    )
    assert max(map(len, shown.splitlines())) <= 80
    if arguments[0] == "monitor":
        (line,) = [line.split() for line in shown.splitlines() if line.split()[:1] == ["c40d9e"] and "label " in line]
        assert line[-4:] == ["label", "22", "label", "22"]
