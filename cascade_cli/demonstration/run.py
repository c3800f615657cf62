"""``cascade demo`` from end to end."""

from __future__ import annotations

from pathlib import Path

from cascade_cli.console import Console, Result
from cascade_cli.demonstration.account import Account
from cascade_cli.demonstration.live import go_live
from cascade_cli.demonstration.past import replay_past
from cascade_cli.demonstration.shipped import read_examples
from cascade_cli.demonstration.stage import Stage, stage
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
    except (Interrupted, Terminated) as ended:
        # What the interrupted command advises, to go on where it stopped, no longer holds.
        raise type(ended)("The demo did not come to its end; all that it started and made is gone.") from ended
    account.step(_farewell(opened))
    return _result(account, workspace)


def _farewell(opened: Stage) -> str:
    told = "stopped all of it and removed its files"
    user = opened.remaining_user
    return f"{told}\n(as root the server needs a system user, {user}, which stays)" if user else told


def _result(account: Account, workspace: Path) -> Result:
    event_id = account.data["explained"]["explanations"][0]["event_id"]
    data = {"workspace": str(workspace), **account.data}
    return Result(data, (*account.blocks, _next_commands(workspace, event_id)))


def _next_commands(workspace: Path, event_id: str) -> str:
    commands = {
        f"cascade score --workspace {workspace} --by arena --worst 10": "other groups, the worst events",
        f"cascade score --workspace {workspace} --explain {event_id}": "the diff above again",
        f"cascade simulate --workspace {workspace} --sample-rate 0:0.2:0.05": "the policy at other rates",
        f"cascade monitor --workspace {workspace} --sample-rate 1": "the alarm, by every label",
        "cascade score YOUR_PAIRS.jsonl --by-prompt-hash": "your own recorded pairs",
        "cascade init && cascade doctor && cascade pull --since 7d": "your own PostgreSQL",
        "cascade shadow --since 7d --dry-run": "what asking your own student would take",
    }
    return "What you can do next\n" + "\n".join(f"  {line}\n      {why}" for line, why in commands.items())
