"""What is left for people to read: everything that was seen, on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cascade_cli.console import Console
from cascade_cli.demonstration.account import Account
from cascade_cli.demonstration.stage import Stage
from cascade_cli.policy_in_force import read_wanted
from cascade_cli.report import Report, rates_to_draw, run_report
from cascade_cli.scoring import PairSource

PAGE = "report.html"


def leave_report(stage: Stage, account: Account, folder: Path) -> None:
    """Write the report of the workspace beside it.

    Args:
        stage: with the workspace that holds all of it by now.
        account: keeps ``report``, without the figures that the other steps keep.
        folder: the page's.

    Raises:
        CascadeError: the report failed, or was interrupted.
    """
    page = folder / PAGE
    wanted = read_wanted(stage.settings, rates_to_draw((), stage.settings))
    console = Console(replace(stage.silent.output, path=page), stage.console.stdout, stage.console.stderr)
    made = run_report(Report(PairSource(), wanted), stage.settings, console)
    assert isinstance(made.data, dict)  # noqa: S101 - a report returns nothing else
    kept = {name: made.data[name] for name in ("path", "bytes", "verdict")}
    account.keep("report", f"report -o {page}", replace(made, data=kept, page=None))
    account.step(f"laid all of it out on one page: {page}\nIts verdict: {kept['verdict']['headline']}")
