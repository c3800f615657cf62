"""Events arrive: in shadow, past the gate, with the student writing, killed, replaced by the teacher, watched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cascade_cli.console import Result
from cascade_cli.demonstration.account import Account, Figures
from cascade_cli.demonstration.mopping import replace_one_write
from cascade_cli.demonstration.stage import Stage
from cascade_cli.demonstration.working import work_off
from cascade_cli.errors import GateFailed
from cascade_cli.live.kill_run import KillOptions, run_kill
from cascade_cli.live.status_run import run_status
from cascade_cli.monitor import Watch, run_monitor
from cascade_cli.postgres.looking import written_rows
from cascade_cli.prompt_in_force import prompt_in_force
from cascade_cli.pull_sources import pull_database
from cascade_cli.records import Row
from cascade_cli.scoring import Conditions, FlipGateWanted, Inquiry, PairSource, run_score

WATCHED: Final = 200
"""Events in shadow, of which the gate judges."""
KILLED: Final = 20
"""Events that come while the student is killed."""
FLOOR: Final = 0.8
"""The agreement that the gate asks for, and below which the monitor alarms; 200 events cannot show more than this."""
_BECAUSE: Final = "to show it"


def go_live(stage: Stage, account: Account, to_come: Sequence[Row]) -> None:
    """Everything that is done while a student works live.

    Args:
        stage: with the tables made, and the past in the workspace.
        account: keeps ``run_shadow``, ``gate``, ``run_flip``, ``status``, ``kill``, ``run_killed``, ``revive``,
            ``mop_up``, ``undo`` and ``monitor``.
        to_come: events with the answers that the stand-ins will give.

    Raises:
        CascadeError: a step failed, or was interrupted.
    """
    flipped = to_come[WATCHED:-KILLED]
    _watch(stage, account, to_come[:WATCHED])
    _pass_gate(stage, account)
    _flip(stage, account, flipped)
    _kill(stage, account, to_come[-KILLED:])
    replace_one_write(stage, account, flipped)
    _monitor(stage, account)


def _watch(stage: Stage, account: Account, rows: Sequence[Row]) -> None:
    ends = account.keep("run_shadow", _run(stage), work_off(stage, rows))["ends"]
    account.step(
        f"{len(rows)} events arrive, in shadow: {ends['written_by_teacher']} written by the teacher, the student is\n"
        f"watched; {ends.get('failed', 0)} got no usable answer of the teacher in three tries"
    )


def _pass_gate(stage: Stage, account: Account) -> None:
    pull_database(stage.settings, None)
    wanted = FlipGateWanted(stage.policy.fingerprint)
    inquiry = Inquiry(conditions=Conditions(fail_under=FLOOR), for_flip=wanted)
    scored = run_score(inquiry, stage.settings, stage.silent)
    assert isinstance(scored.data, dict)  # noqa: S101 - a score returns nothing else
    judged = Result(scored.data["flip"], scored.blocks[-1:], failure=scored.failure)
    (check,) = account.keep("gate", f"score --fail-under {FLOOR} --gate-for-flip", judged)["checks"]
    account.step(f"gate for the flip: agrees by {check['value']:.1%} at least (n = {check['n']}), {FLOOR:.0%} wanted")


def _flip(stage: Stage, account: Account, rows: Sequence[Row]) -> None:
    ends = account.keep("run_flip", f"{_run(stage)} --flip", work_off(stage, rows, flip=True))["ends"]
    account.step(
        f"{len(rows)} more, flipped: {ends['written_by_student']} written by the student,"
        f" {ends['written_by_teacher']} by the teacher"
    )
    account.keep("status", "status", run_status(stage.settings, stage.policy.fingerprint))


def _kill(stage: Stage, account: Account, rows: Sequence[Row]) -> None:
    took_ms = _throw(stage, account, "kill", "on")["took_ms"]
    figures = account.keep("run_killed", _run(stage), work_off(stage, rows, flip=False))
    written = written_rows(stage.dsn, figures["event_ids"])
    figures["written"] = {name: len(found) for name, found in written.items()}
    _throw(stage, account, "revive", "off")
    account.step(
        f"killed in {took_ms:.0f} ms: the teacher writes the next {figures['ends']['written_by_teacher']} alone, with"
        f" {figures['written']['ledger']} rows\nin the ledger; then switched on again"
    )


def _run(stage: Stage) -> str:
    return f"run --once --sample-rate {stage.policy.sample_rate}"


def _throw(stage: Stage, account: Account, name: str, turn: str) -> Figures:
    thrown = run_kill(KillOptions(turn, _BECAUSE), stage.settings)
    return account.keep(name, f"kill {turn} --reason '{_BECAUSE}'", thrown)


def _monitor(stage: Stage, account: Account) -> None:
    pull_database(stage.settings, None)
    watched = run_monitor(Watch(PairSource(), stage.policy, floor=FLOOR), stage.settings, stage.silent)
    # The student was made to fall behind under the newest prompt of the past: that the alarm goes off ends nothing.
    command = f"monitor --floor {FLOOR} --sample-rate {stage.policy.sample_rate}"
    figures = account.keep("monitor", command, watched, borne=GateFailed)
    in_force = prompt_in_force(stage.settings)
    live: Figures = next(each for each in figures["hashes"] if in_force.is_that_of(each["system_prompt_hash"]))
    alarm = watched.failure.message if watched.failure else "No alarm."
    account.step(
        f"pulled ledger and answers: of {live['labels']} sampled standing events under the prompt\n"
        f"that is live {live['agreement']['rate']:.1%} agree. {alarm}"
    )
