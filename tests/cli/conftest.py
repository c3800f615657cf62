"""Running ``cascade`` as a user does: a process of its own, in an empty folder, with a clean environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cascade_cli
from cascade_cli.config import SETTINGS

# The very package that the tests import, installed or not.
PACKAGE_PARENT = str(Path(cascade_cli.__file__).parents[1])
COMMAND = [sys.executable, "-m", "cascade_cli"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment without any setting of ours, on a terminal of unknown width."""
    ours = {setting.env for setting in SETTINGS} | {"COLUMNS", "NO_COLOR", "PYTHONSAFEPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PYTHONPATH": PACKAGE_PARENT, "TERM": "xterm-256color"}


@pytest.fixture
def cascade(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run ``cascade`` with these arguments in ``tmp_path``; ``env`` adds variables, ``stdin`` is text."""

    def run(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={**environment, **(env or {})},
            timeout=60,
            check=False,
        )

    return run
