"""What the demo needs around it, started here and gone at the end, whatever happens in between."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from cascade_cli.config import (
    LIVE_BATCH,
    LIVE_ENABLED,
    LIVE_KILL_FILE,
    POLICY_SAMPLE_RATE,
    POSTGRES_URL,
    STUDENT_ENDPOINT,
    TEACHER_ENDPOINT,
    TEACHER_MODEL,
    TEACHER_SYSTEM_PROMPT_FILE,
    WORKSPACE_PATH,
    Settings,
)
from cascade_cli.console import Console
from cascade_cli.demonstration.shipped import fixture
from cascade_cli.errors import CascadeError, UsageError
from cascade_cli.policy import Policy
from cascade_cli.policy_in_force import policy_in_force
from cascade_cli.postgres import embedded_postgres
from cascade_cli.workspace import Workspace

SAMPLE_RATE: Final = Decimal("0.2")
"""As one begins: the first weeks of a student are watched closely."""
_TEACHER: Final = "qwen-27b"
_PROMPT: Final = (
    "Distil each event into entities, facts and relationships. (The stand-in teacher does not read this.)\n"
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A database, two endpoints, and whom to tell.

    Attributes:
        dsn: of the embedded PostgreSQL.
        settings: the defaults, pointed at the stand-ins, whatever is configured elsewhere.
        console: told of each step.
        started_s: how long starting took.
    """

    dsn: str
    settings: Settings
    console: Console
    started_s: float

    @property
    def policy(self) -> Policy:
        """By which events are decided, simulated and live alike."""
        return policy_in_force(self.settings)

    @property
    def silent(self) -> Console:
        """For what would tell more than a step's line."""
        return Console(replace(self.console.output, quiet=True), self.console.stdout, self.console.stderr)


@contextmanager
def stage(workspace: Path, console: Console) -> Iterator[Stage]:
    """Start all of it for as long as the body runs; the workspace stays where the body came to its end.

    Args:
        workspace: replaced if a demo made it, refused if somebody else did.
        console: for the stage.

    Raises:
        UsageError: the workspace is somebody else's, or the extra ``demo`` is not installed.
        DependencyError: the embedded server does not start.
        CascadeError: the stand-ins do not.
    """
    began = time.monotonic()
    with ExitStack() as opened:
        opened.enter_context(_workspace(workspace))
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="cascade-demo-")))
        server = opened.enter_context(embedded_postgres())
        endpoint = opened.enter_context(stand_in())
        settings = _settings(workspace, folder, server.dsn, endpoint)
        yield Stage(server.dsn, settings, console, time.monotonic() - began)


@contextmanager
def stand_in(*options: str) -> Iterator[str]:
    """The stand-in endpoints in a process of their own, for as long as the body runs; yields their address.

    Args:
        options: of the script, as ``--latency-ms`` and ``50``.

    Raises:
        CascadeError: they do not start.
    """
    command = [sys.executable, str(fixture("stand_in.py")), "--exit-with-parent", *options]
    # In a group of its own, for Ctrl-C reaches a whole group: else its end might be told instead of the interruption.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                raise CascadeError("The stand-in endpoints did not start.", hint="Install cascade-cli again.")
            yield str(json.loads(said)["url"])
        finally:
            process.terminate()


@contextmanager
def _workspace(folder: Path) -> Iterator[None]:
    mark = folder / "demo"
    if folder.exists() and not mark.exists():
        raise UsageError(f"{folder} exists and no demo made it.", hint="Name another folder with --workspace.")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with Workspace.open(folder, "write"):
            mark.touch()
        yield
    except BaseException:
        # Half a demo is nothing to look at.
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _settings(workspace: Path, folder: Path, dsn: str, endpoint: str) -> Settings:
    prompt = folder / "prompt.txt"
    prompt.write_text(_PROMPT, encoding="utf-8")
    return Settings.defaults().with_values(
        {
            WORKSPACE_PATH: workspace,
            POSTGRES_URL: dsn,
            STUDENT_ENDPOINT: endpoint,
            TEACHER_ENDPOINT: endpoint,
            TEACHER_MODEL: _TEACHER,
            TEACHER_SYSTEM_PROMPT_FILE: prompt,
            LIVE_ENABLED: True,
            LIVE_KILL_FILE: folder / "kill",
            # A teacher that answers at once is ahead of any student: in shadow all of them wait for it.
            LIVE_BATCH: 500,
            POLICY_SAMPLE_RATE: SAMPLE_RATE,
        },
        "demo",
    )
