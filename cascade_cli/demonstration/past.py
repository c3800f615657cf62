"""What was recorded before: load it, ask the student about it, score, explain, replay the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cascade_cli.demonstration.account import Account, Figures
from cascade_cli.demonstration.stage import Stage
from cascade_cli.policy_in_force import read_wanted
from cascade_cli.postgres import apply_migrations, load_rows
from cascade_cli.records import Row
from cascade_cli.scoring import Inquiry, PairSource, run_score
from cascade_cli.shadow_run import Shadow, run_shadow
from cascade_cli.simulate import Simulation, run_simulate

_MANY = 10_000
_SHORT = 6


def replay_past(stage: Stage, account: Account, past: Sequence[Row]) -> None:
    """Everything that is done before a student works live.

    Args:
        stage: with an empty database.
        account: keeps ``shadow``, ``score``, ``explained`` and ``simulation``.
        past: traces with their events.

    Raises:
        CascadeError: a step failed, or was interrupted.
    """
    apply_migrations(stage.dsn, with_team_tables=True)
    traces = load_rows(stage.dsn, past)
    account.step(f"made its tables and loaded {traces:,} made-up traces of a teacher")
    shadowed = replace(run_shadow(Shadow(), stage.settings, stage.console), blocks=())
    asked = account.keep("shadow", "shadow", shadowed)
    answers = f"{asked['answered']:,} answers in {asked['seconds']:.1f} s"
    account.step(f"pulled them and asked the student about each: {answers}")
    _score(stage, account)
    _simulate(stage, account)


def _score(stage: Stage, account: Account) -> None:
    by_hash = run_score(Inquiry(by=("system_prompt_hash",)), stage.settings, stage.console)
    figures = account.keep("score", "score --by-prompt-hash", by_hash)
    event_id = _telling(run_score(Inquiry(worst=_MANY), stage.settings, stage.console).data)
    explained = run_score(Inquiry(explain=(event_id,)), stage.settings, stage.console)
    account.keep("explained", f"score --explain {event_id}", explained)
    agree = f"{figures['total']['agreement']['rate']:.1%} of {figures['scored']:,}"
    account.step(f"scored them by prompt hash: {agree} agree; explained {event_id}")


def _simulate(stage: Stage, account: Account) -> None:
    simulation = Simulation(PairSource(), read_wanted(stage.settings))
    simulated = run_simulate(simulation, stage.settings, stage.console)
    figures = account.keep("simulation", f"simulate --sample-rate {stage.policy.sample_rate}", simulated)
    sample, escalated = f"{stage.policy.sample_rate:.0%}", f"{figures['escalation']['rate']:.1%}"
    account.step(f"replayed the policy: with a sample of {sample}, {escalated} would go to the teacher")


def _telling(scored: object) -> str:
    """The event to explain: of those that fit on a screen the one that shows most kinds of difference."""
    assert isinstance(scored, dict)  # noqa: S101 - a score returns nothing else
    worst: list[Figures] = scored["worst"]
    short = [event for event in worst if sum(event["kinds"].values()) <= _SHORT]
    return str(max(short or worst, key=lambda event: len(event["kinds"]))["event_id"])
