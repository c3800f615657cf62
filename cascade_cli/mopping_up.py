"""What ``cascade mop-up`` and ``cascade undo`` do: order events for the teacher, and take a superseding back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from cascade_cli.database_in_force import columns_in_force, database_url, graph_in_force
from cascade_cli.errors import UsageError, why_unread
from cascade_cli.extraction import parse_extraction
from cascade_cli.policy import GATES, Policy, Verifier, decide

if TYPE_CHECKING:
    from cascade_cli.config import Settings
    from cascade_cli.postgres.connection import Connection
    from cascade_cli.postgres.superseding import Candidate, MopUp, Selection, Undone

T = TypeVar("T")

_JUDGED_AT_ONCE: Final = 100
_ORDERED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be mopped up.

    Attributes:
        selection: by hash, time and list.
        gate: only events for which this gate would fire today; None for all.
        limit: no more than so many, the oldest first.
        because: a reason for people.
        who: who orders.
    """

    selection: Selection
    gate: str | None
    limit: int
    because: str
    who: str


@dataclass(frozen=True, slots=True)
class Mopped:
    """What was chosen.

    Attributes:
        chosen: the oldest first.
        ordered: how many of them were ordered; None where nothing was to be.
        more: whether there are more than the limit let through.
    """

    chosen: tuple[Candidate, ...]
    ordered: int | None
    more: bool = False


def mop_up(settings: Settings, wish: Wish, policy: Policy, *, dry_run: bool) -> Mopped:
    """Choose events that the student wrote, and order that the teacher distils them again.

    Args:
        settings: say where the database is and what its tables are called.
        wish: what to choose.
        policy: whose gates are asked where the wish names one.
        dry_run: choose, and order nothing.

    Raises:
        UsageError: no database is configured, or there is no such gate.
        DependencyError: the database cannot be reached or refuses.
    """
    from cascade_cli.postgres.connection import connect, explained
    from cascade_cli.postgres.superseding import MopUp

    dsn = database_url(settings)
    mopping = MopUp(columns_in_force(settings))
    with connect(dsn) as connection, explained(dsn):
        found = mopping.candidates(connection, wish.selection)
        if wish.gate is not None:
            found = _judged(connection, mopping, found, wish.gate, policy)
        chosen = tuple(islice(found, wish.limit))
        more = next(found, None) is not None
        return Mopped(chosen, None if dry_run else _order(connection, mopping, chosen, wish), more)


def undo(settings: Settings, receipt_id: int) -> Undone:
    """Bring back what a superseding replaced.

    Raises:
        RefusedError: the receipt is unknown or used, or rows have changed since.
        UsageError: no database is configured, or tables are called otherwise.
        DependencyError: the database cannot be reached or refuses.
    """
    from cascade_cli.postgres.connection import connect, explained
    from cascade_cli.postgres.graph import Graph
    from cascade_cli.postgres.superseding import Undoing

    dsn = database_url(settings)
    undoing = Undoing(Graph(graph_in_force(settings)))
    with connect(dsn) as connection, explained(dsn), connection.transaction():
        return undoing.undo(connection, receipt_id)


def read_event_ids(path: Path) -> tuple[str, ...]:
    """Event ids from a file: one a line, or JSON lines with an ``event_id``, as commands write them.

    Raises:
        UsageError: the file cannot be read, or a line has no id.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            found = [_event_id(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {why_unread(error)}.") from error
    return tuple(dict.fromkeys(found))


def told(done: Mopped) -> Iterator[str]:
    """What was done, a sentence each."""
    if not done.chosen:
        return
    if done.more:
        yield f"There are more: these are the {len(done.chosen):,} oldest (--limit)."
    if done.ordered is None:
        yield f"{_events(len(done.chosen))} would be ordered."
        return
    yield f"Ordered: {_events(done.ordered)} for the teacher; cascade run distils them."
    if done.ordered < len(done.chosen):
        left = len(done.chosen) - done.ordered
        yield f"{left:,} were not ordered: they are not in the queue as done, or changed meanwhile."


def _events(number: int) -> str:
    return f"{number:,} {'event' if number == 1 else 'events'}"


def choose_gate(gate: str | None, policy: Policy, *, by_score: bool) -> str | None:
    """The gate by which events are chosen; None chooses by none.

    Args:
        gate: as asked for.
        policy: whose gates are asked.
        by_score: a threshold for a verifier's score was given: the gate is the verifier.

    Raises:
        UsageError: there is no such gate, another one than the verifier was asked for beside a score, or the verifier
            without a threshold.
    """
    if gate is not None and gate not in GATES:
        raise UsageError(f"There is no gate {gate!r}.", hint=f"Known: {', '.join(GATES)}.")
    if by_score and gate not in (None, Verifier.reason):
        raise UsageError(f"--verifier-threshold and --reason {gate} contradict each other.", hint="Give one of them.")
    chosen = Verifier.reason if by_score else gate
    if chosen == Verifier.reason and policy.verifier_threshold is None:
        raise UsageError(
            "No threshold is set above which a verifier escalates.",
            hint="Give --verifier-threshold a number from 0 to 1.",
        )
    return chosen


def _event_id(line: str, path: Path, number: int) -> str:
    if not line.startswith("{"):
        return line.strip()
    try:
        event_id = json.loads(line).get("event_id")
    except (ValueError, RecursionError):
        event_id = None
    if not isinstance(event_id, str):
        raise UsageError(f"{path}, line {number}: no event_id.", hint="Give ids, one a line, or JSON lines.")
    return event_id


def _judged(
    connection: Connection, mopping: MopUp, candidates: Iterator[Candidate], gate: str, policy: Policy
) -> Iterator[Candidate]:
    """The candidates for which a gate would fire today; without an answer on record nothing can be said."""
    for some in _chunks(candidates, _JUDGED_AT_ONCE):
        said = mopping.said(connection, [each.event_id for each in some])
        for candidate in some:
            answer = said.get(candidate.event_id)
            if answer is None or answer.event is None:
                continue
            decision = decide(answer.event, parse_extraction(answer.response or ""), policy, answer.signals)
            if gate in decision.fired:
                yield candidate


def _order(connection: Connection, mopping: MopUp, chosen: tuple[Candidate, ...], wish: Wish) -> int:
    ordered = 0
    for some in _chunks(iter(chosen), _ORDERED_AT_ONCE):
        event_ids = [each.event_id for each in some]
        ordered += len(mopping.order(connection, event_ids, reason=wish.because, ordered_by=wish.who))
    return ordered


def _chunks(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while some := list(islice(items, size)):
        yield some
