"""The demo: the shipped examples through an embedded PostgreSQL, by the code that production runs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cascade_cli.config import Settings
from cascade_cli.console import Console, Result
from cascade_cli.errors import CascadeError, UsageError
from cascade_cli.postgres import ColumnMapping, PostgresSource, apply_migrations, embedded_postgres, load_rows
from cascade_cli.pulling import PullReport, pull_postgres
from cascade_cli.records import BadRow, Row
from cascade_cli.scoring import Inquiry, PairSource, run_score
from cascade_cli.simulate import Simulation, read_wanted, run_simulate
from cascade_cli.sources import read_rows
from cascade_cli.workspace import Workspace

_PAIRS = "pairs.jsonl.gz"
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
    """Load the examples into a database of their own, pull, score, explain; stop everything that was started.

    Args:
        settings: as resolved; the database settings are not used.
        console: told of every step.
        workspace: replaced if a demo made it, refused if somebody else did.
    """
    _clear(workspace)
    started_s = time.monotonic()
    with embedded_postgres() as server:
        console.note(f"1. started an embedded PostgreSQL ({time.monotonic() - started_s:.1f} s), a stand-in for yours")
        applied = apply_migrations(server.dsn, with_team_tables=True)
        traces = load_rows(server.dsn, _examples())
        console.note(f"2. made its tables ({', '.join(applied)}); loaded {traces:,} made-up traces and student answers")
        report = _pull(server.dsn, workspace)
        console.note(f"3. pulled {report.new_traces:,} traces and {report.new_answers:,} answers into {workspace}")
        if server.remaining_user:
            console.note(f"   (as root the server needs a system user, {server.remaining_user}, which stays)")
    console.note("   stopped the PostgreSQL and removed its folder")
    console.note("4. scoring the student against the teacher, by prompt hash, and explaining one disagreement")
    scored = _scored(settings, console)
    console.note("5. replaying the policy: what would go to the teacher, and what would stay wrong")
    simulated = run_simulate(Simulation(PairSource(), read_wanted(settings, [], [])), settings, console)
    return _told(scored, simulated, workspace)


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


def _pull(dsn: str, workspace: Path) -> PullReport:
    with PostgresSource.open(dsn, ColumnMapping()) as source:
        return pull_postgres(source, workspace)


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


def _told(scored: _Scored, simulated: Result, workspace: Path) -> Result:
    data = {
        "workspace": str(workspace),
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
    }
    width = max(map(len, commands))
    return "What you can do next\n" + "\n".join(f"  {line:{width}}   {why}" for line, why in commands.items())
