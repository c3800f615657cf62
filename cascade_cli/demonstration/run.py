"""``cascade demo`` from end to end."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from cascade_cli.console import Console, Result
from cascade_cli.demonstration.account import Account
from cascade_cli.demonstration.live import go_live
from cascade_cli.demonstration.past import replay_past
from cascade_cli.demonstration.reporting import PAGE, leave_report
from cascade_cli.demonstration.shipped import read_examples
from cascade_cli.demonstration.stage import stage
from cascade_cli.errors import Interrupted, Terminated


def run_demo(console: Console, workspace: Path) -> Result:
    """Play the shipped examples through everything there is; stop all that was started, remove all but the workspace.

    Nothing that is configured counts: the settings are the defaults, pointed at stand-ins.

    Args:
        console: told of every step.
        workspace: replaced if a demo made it, refused if somebody else did; gone where the demo comes to no end.

    Raises:
        CascadeError: a step failed, or was interrupted.
    """
    account, examples = Account(console), read_examples()
    try:
        with stage(workspace, console) as opened:
            account.step(
                f"started an embedded PostgreSQL ({opened.started_s:.1f} s), and endpoints that answer for\n"
                "student and teacher: stand-ins for yours, with made-up recorded answers"
            )
            replay_past(opened, account, examples.past)
            go_live(opened, account, examples.to_come)
            leave_report(opened, account, workspace)
    except (Interrupted, Terminated) as ended:
        # What the interrupted command advises, to go on where it stopped, no longer holds.
        raise type(ended)("The demo did not come to its end; all that it started and made is gone.") from ended
    account.step("stopped all of it and removed its files")
    return _result(account, workspace)


def _result(account: Account, workspace: Path) -> Result:
    data = {"workspace": str(workspace), **account.data}
    return Result(data, (*account.blocks, next_commands(workspace)))


def next_commands(workspace: Path) -> str:
    """What to type next: over what the demo left, and with data of one's own."""
    here = {
        str(workspace / PAGE): "the report, for a browser",
        **_activation(),
        f"cascade dashboard --workspace {workspace}": "the same, live: browse, filter, turn the policy",
    }
    yours = {
        "cascade report YOUR_PAIRS.jsonl": "recorded pairs, one line of JSON each",
        "cascade init && cascade doctor && cascade pull --since 7d": "your PostgreSQL",
        "cascade shadow --since 7d --dry-run": "what asking your student would take",
    }
    return f"Look around in what the demo left\n{_lines(here)}\nThen with your own data\n{_lines(yours)}"


def _activation() -> dict[str, str]:
    """What a shell is to be told first that does not find the command: it was called by its path."""
    script = Path(sys.prefix, "bin", "activate")
    if shutil.which("cascade") or not script.is_file():
        return {}
    near = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return {f". {near}": "once, for your shell to find cascade"}


def _lines(commands: Mapping[str, str]) -> str:
    return "\n".join(f"  {line}\n      {why}" for line, why in commands.items())
