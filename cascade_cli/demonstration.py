"""The demo: the shipped examples through an embedded PostgreSQL and a stand-in student, by the code of production."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cascade_cli.config import POSTGRES_URL, STUDENT_API_KEY, STUDENT_ENDPOINT, STUDENT_MODEL, Setting, Settings
from cascade_cli.console import Console, Result
from cascade_cli.errors import CascadeError, UsageError
from cascade_cli.policy_in_force import read_wanted
from cascade_cli.postgres import apply_migrations, embedded_postgres, load_rows
from cascade_cli.records import BadRow, Row
from cascade_cli.scoring import Inquiry, PairSource, run_score
from cascade_cli.shadow_run import Shadow, run_shadow
from cascade_cli.simulate import Simulation, run_simulate
from cascade_cli.sources import read_rows
from cascade_cli.workspace import Workspace

_PAIRS = "pairs.jsonl.gz"
_STUDENT = "nuextract-2.0-4b-ft"
_MANY = 10_000
_SHORT = 6
_OURS = Path(__file__).parent


def fixture(name: str) -> Path:
    """A file of the shipped examples: in the wheel beside this module, in a checkout in its own folder."""
    for folder in (_OURS / "_fixtures", _OURS.parent / "fixtures"):
        if (folder / name).is_file():
            return folder / name
    raise CascadeError(f"The shipped example {name} is missing.", hint="Install cascade-cli again.")


def run_demo(settings: Settings, console: Console, workspace: Path) -> Result:
    """Load the examples into a database of their own, ask the student, score, explain; stop all that was started.

    Args:
        settings: as resolved; those of database and student are replaced by the stand-ins'.
        console: told of every step.
        workspace: replaced if a demo made it, refused if somebody else did.
    """
    _clear(workspace)
    started_s = time.monotonic()
    with embedded_postgres() as server, stand_in() as student:
        console.note(
            f"1. started an embedded PostgreSQL and a student's endpoint ({time.monotonic() - started_s:.1f} s),"
        )
        console.note("   stand-ins for yours")
        applied = apply_migrations(server.dsn, with_team_tables=True)
        traces = load_rows(server.dsn, (Row(row.trace) for row in _examples()))
        console.note(f"2. made its tables ({', '.join(applied)}); loaded {traces:,} made-up traces of a teacher")
        shadowed = run_shadow(Shadow(), settings.with_values(_stand_ins(server.dsn, student), "demo"), console)
        console.note(f"3. pulled them into {workspace} and asked the student about each: {_asked(shadowed)}")
        if server.remaining_user:
            console.note(f"   (as root the server needs a system user, {server.remaining_user}, which stays)")
    console.note("   stopped both and removed their files")
    console.note("4. scoring the student against the teacher, by prompt hash, and explaining one disagreement")
    scored = _scored(settings, console)
    console.note("5. replaying the policy: what would go to the teacher, and what would stay wrong")
    simulated = run_simulate(Simulation(PairSource(), read_wanted(settings, [], [])), settings, console)
    return _told(shadowed, scored, simulated, workspace)


def _clear(workspace: Path) -> None:
    mark = workspace / "demo"
    if workspace.exists() and not mark.exists():
        raise UsageError(f"{workspace} exists and no demo made it.", hint="Name another folder with --workspace.")
    shutil.rmtree(workspace, ignore_errors=True)
    with Workspace.open(workspace, "write"):
        mark.touch()


def _examples() -> Iterator[Row]:
    for row in read_rows(fixture(_PAIRS)):
        if isinstance(row, BadRow):
            raise CascadeError(f"{row.where}: {row.cause}", hint="Install cascade-cli again.")
        yield row


@contextmanager
def stand_in(*options: str) -> Iterator[str]:
    """The stand-in endpoints in a process of their own, for as long as the body runs; yields their address.

    Args:
        options: of the script, as ``--latency-ms`` and ``50``.

    Raises:
        CascadeError: they do not start.
    """
    command = [sys.executable, str(fixture("stand_in.py")), "--exit-with-parent", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                raise CascadeError("The stand-in endpoints did not start.", hint="Install cascade-cli again.")
            yield str(json.loads(said)["url"])
        finally:
            process.terminate()


def _stand_ins(dsn: str, student: str) -> dict[Setting[Any], object]:
    return {POSTGRES_URL: dsn, STUDENT_ENDPOINT: student, STUDENT_MODEL: _STUDENT, STUDENT_API_KEY: None}


def _asked(shadowed: Result) -> str:
    assert isinstance(shadowed.data, dict)  # noqa: S101 - a shadow run returns nothing else
    return f"{shadowed.data['answered']:,} answers in {shadowed.data['seconds']:.1f} s"


@dataclass(frozen=True, slots=True)
class _Scored:
    """What scoring showed: the figures, one event item by item, and which that is."""

    figures: Result
    explained: Result
    event_id: str


def _scored(settings: Settings, console: Console) -> _Scored:
    figures = run_score(Inquiry(by=("system_prompt_hash",), worst=5), settings, console)
    chosen = _telling(run_score(Inquiry(worst=_MANY), settings, console))
    return _Scored(figures, run_score(Inquiry(explain=(chosen,)), settings, console), chosen)


def _told(shadowed: Result, scored: _Scored, simulated: Result, workspace: Path) -> Result:
    data = {
        "workspace": str(workspace),
        "shadow": shadowed.data,
        "score": scored.figures.data,
        "explained": scored.explained.data,
        "simulation": simulated.data,
    }
    steps = (*scored.figures.blocks, *scored.explained.blocks, *simulated.blocks)
    return Result(data, (*steps, _next_commands(workspace, scored.event_id)), run_id=scored.figures.run_id)


def _telling(scored: Result) -> str:
    """The event to explain: of those that fit on a screen the one that shows most kinds of difference."""
    assert isinstance(scored.data, dict)  # noqa: S101 - summarize() returns nothing else
    short = [event for event in scored.data["worst"] if sum(event["kinds"].values()) <= _SHORT]
    return str(max(short or scored.data["worst"], key=lambda event: len(event["kinds"]))["event_id"])


def _next_commands(workspace: Path, event_id: str) -> str:
    commands = {
        f"cascade score --workspace {workspace} --by arena --worst 10": "other groups, the worst events",
        f"cascade score --workspace {workspace} --explain {event_id}": "the diff above again",
        f"cascade simulate --workspace {workspace} --sample-rate 0:0.2:0.05": "the policy at other sample rates",
        f"cascade monitor --workspace {workspace} --sample-rate 1": "the alarm after the third prompt",
        "cascade score YOUR_PAIRS.jsonl --by-prompt-hash": "your own recorded pairs",
        "cascade init && cascade doctor && cascade pull --since 7d": "your own PostgreSQL",
        "cascade shadow --since 7d --dry-run": "what asking your own student would take",
    }
    width = max(map(len, commands))
    return "What you can do next\n" + "\n".join(f"  {line:{width}}   {why}" for line, why in commands.items())
