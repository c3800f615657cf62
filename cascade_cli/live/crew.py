"""Several workers, each a process of its own: one core each, and what kills one leaves the others alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import TYPE_CHECKING

from cascade_cli.console import Console
from cascade_cli.errors import CascadeError
from cascade_cli.live.plan import Worked
from cascade_cli.live.run import Live, plan_of, work_alone

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from cascade_cli.config import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class _Member:
    process: SpawnProcess
    reports: Connection


def work_together(live: Live, settings: Settings, console: Console) -> Sequence[Worked]:
    """Start the workers, pass on every signal, and wait for them all; none is started again.

    Returns:
        What each did; of one that died how it died.
    """
    # A process of its own from the beginning: nothing of this one's threads and sockets is inherited.
    context = multiprocessing.get_context("spawn")
    members: list[_Member] = []
    # A signal that comes while they start waits, here and in each of them, until somebody can heed it: in them by the
    # mask that they inherit, here by a handler as well, for a library's thread may take what this one does not.
    early: list[int] = []
    before = {each: signal.signal(each, lambda got, _frame: early.append(got)) for each in _SIGNALS}
    # What starts with the first process of all would let signals through again.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        for number in range(live.workers):
            receiver, sender = context.Pipe(duplex=False)
            arguments = (replace(live, ask=None), settings, console.output, number, os.getpid(), sender)
            process = context.Process(target=_work_as_member, args=arguments)
            process.start()
            sender.close()
            members.append(_Member(process, receiver))
        _pass_signals_on(members, early)
        return [_outcome(member) for member in members]
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _work_as_member(live: Live, settings: Settings, output: object, number: int, parent: int, to: Connection) -> None:
    """The body of a process; a group of its own, for Ctrl-C would else reach it twice."""
    os.setpgrp()
    console = Console(output)  # type: ignore[arg-type]
    try:
        to.send(work_alone(plan_of(live, settings, number=number, parent=parent), live, console))
    except CascadeError as error:
        to.send(Worked(0, {}, None, error))
    except Exception as error:  # noqa: BLE001 - its message may quote an event, and nobody would know whose traceback it is
        to.send(Worked(0, {}, None, CascadeError(f"Internal error in worker {number}: {type(error).__name__}.")))


def _pass_signals_on(members: Sequence[_Member], early: Sequence[int]) -> None:
    """From now on, and those of before."""

    def on(number: int, _frame: FrameType | None) -> None:
        for member in members:
            if member.process.pid is not None and member.process.is_alive():
                os.kill(member.process.pid, number)

    for each in _SIGNALS:
        signal.signal(each, on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for number in tuple(early):
        on(number, None)


def _outcome(member: _Member) -> Worked:
    wait([member.reports, member.process.sentinel])
    try:
        worked: Worked = member.reports.recv()
    except EOFError:
        member.process.join()
        code = member.process.exitcode
        return Worked(0, {}, None, CascadeError(f"A worker died with status {code}; what it held comes back."))
    member.process.join()
    return worked
