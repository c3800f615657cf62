"""What start-up may cost: which modules are imported before a command is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cascade_cli.app import COMMANDS

HEAVY = {
    "sklearn", "polars", "duckdb", "psycopg", "httpx", "numpy", "scipy", "rich", "pydantic", "rapidfuzz", "jinja2",
    "starlette", "uvicorn", "anyio",
}  # fmt: skip
WRITTEN = [*COMMANDS, "config show"]


def imported(arguments: list[str], environment: dict[str, str], folder: Path) -> set[str]:
    """Top-level names of all modules that a run imports, as Python's own log tells them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cascade_cli", *arguments],
        capture_output=True, text=True, cwd=folder, env=environment, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}
    assert {"typer", "cascade_cli"} <= names, done.stderr
    return names


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["nonsense"]])
def test_nothing_heavy_is_imported_before_a_command_is_known(
    arguments: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    assert imported(arguments, environment, tmp_path).isdisjoint(HEAVY)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_help_of_a_command_imports_nothing_heavy(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    assert imported([*name.split(), "--help"], environment, tmp_path).isdisjoint(HEAVY)


@pytest.mark.parametrize(("words", "expected"), [("cascade sc", "score"), ("cascade pull --si", "--since")])
def test_completion_answers_without_importing_anything_heavy(
    words: str, expected: str, environment: dict[str, str], tmp_path: Path
) -> None:
    asked = {"_CASCADE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    completing = {**environment, **asked}
    assert imported([], completing, tmp_path).isdisjoint(HEAVY)
    done = subprocess.run(
        [sys.executable, "-m", "cascade_cli"], capture_output=True, text=True, cwd=tmp_path, env=completing, check=False
    )
    assert expected in done.stdout.split()


def test_the_list_of_commands_imports_none_of_them(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cascade_cli", "--help"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert "cascade_cli.commands" not in done.stderr


def test_switching_off_does_not_wait_for_what_only_a_look_at_the_switches_needs(
    environment: dict[str, str], tmp_path: Path
) -> None:
    switch = tmp_path / "kill"
    loaded = imported(["kill", "on"], {**environment, "CASCADE_KILL_FILE": str(switch)}, tmp_path)
    assert switch.exists()
    assert loaded.isdisjoint({"scorers", "rapidfuzz", "numpy", "polars"})
