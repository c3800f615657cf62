"""Commands run in the test's own process, as a person would say them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascade_cli import app
from cascade_cli.config import SETTINGS

Answer = tuple[int, Any, str]
"""Exit status, ``data`` of the document, standard error."""
SENTINEL = "hunter22"
"""A password, which nothing may show."""


class Saying:
    """Runs commands in an environment without any setting of ours but those that were given, then or before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name in (setting.env for setting in SETTINGS if setting.env):
            monkeypatch.delenv(name, raising=False)

    def __call__(self, *arguments: str, **environment: str) -> Answer:
        """Run a command with ``--json``."""
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        status = app.run([*arguments, "--json"])
        shown = self._capsys.readouterr()
        assert SENTINEL not in shown.out + shown.err
        return status, json.loads(shown.out)["data"], shown.err

    def table(self, *arguments: str) -> str:
        """Run a command and return what a person sees."""
        app.run(arguments)
        return self._capsys.readouterr().out
