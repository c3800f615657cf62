"""One event that the student got wrong: the teacher's write in its place, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from cascade_cli.console import Column, Result, Table
from cascade_cli.demonstration.account import Account
from cascade_cli.demonstration.stage import Stage
from cascade_cli.demonstration.working import work_off
from cascade_cli.extraction import parse_extraction
from cascade_cli.live.killing import who_switches
from cascade_cli.live.status_run import run_status
from cascade_cli.mopping_up import Wish, mop_up, undo
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.postgres.looking import WrittenRows, written_rows
from cascade_cli.postgres.superseding import Candidate, Selection
from cascade_cli.records import Row
from scorers import score_extraction

_ALL: Final = 1_000_000
_SHORT: Final = 3
_HARMLESS: Final = "name_variant"
_BECAUSE: Final = "a reader says that it is wrong"


def replace_one_write(stage: Stage, account: Account, rows: Sequence[Row]) -> None:
    """Mop up one event of those that were worked off with the student writing, look, and undo it.

    Args:
        stage: after the flip.
        account: keeps ``mop_up`` and ``undo``.
        rows: with the answers that the stand-ins gave.

    Raises:
        CascadeError: a step failed, or was interrupted.
    """
    event_id = _wrong(rows, _order(stage, Selection(), dry_run=True))
    looks = {"before": written_rows(stage.dsn, [event_id])}
    _order(stage, Selection(event_ids=(event_id,)))
    worked = work_off(stage, ())
    receipt_id = _latest_receipt(stage)
    looks["after"] = written_rows(stage.dsn, [event_id])
    account.step(f"mopped up {event_id}: the teacher's write replaces the student's, receipt {receipt_id}")
    undone = undo(stage.settings, receipt_id)
    looks["undone"] = written_rows(stage.dsn, [event_id])
    same = looks["undone"] == looks["before"]
    account.step(f"undid it: {'row for row' if same else 'NOT'} as it was before")
    data = {"event_id": event_id, "run": worked.data, "receipt_id": receipt_id, "rows": looks}
    commands = f"mop-up --event {event_id} && cascade run --once && cascade undo {receipt_id}"
    account.keep("mop_up", commands, Result(data, (_table(looks),)))
    account.keep("undo", "undo", Result({**asdict(undone), "as_before": same}))


def _order(stage: Stage, selection: Selection, *, dry_run: bool = False) -> tuple[Candidate, ...]:
    wish = Wish(selection, None, _ALL, _BECAUSE, who_switches())
    return mop_up(stage.settings, wish, stage.policy, dry_run=dry_run).chosen


def _wrong(rows: Sequence[Row], written: Sequence[Candidate]) -> str:
    """Of the events in which the student wrote few things wrong the one that shows most kinds of error."""
    by_student = {candidate.event_id for candidate in written}
    found = {row.trace.event_id: _differences(row) for row in rows if row.trace.event_id in by_student}
    short = {event_id: kinds for event_id, kinds in found.items() if 0 < len(kinds) <= _SHORT}
    return max(short, key=lambda event_id: len({*short[event_id]} - {_HARMLESS}))


def _differences(row: Row) -> list[str]:
    """How the recorded student answer differs, item by item; nothing where it agrees with the teacher's."""
    gold = parse_extraction(row.trace.raw_response)
    scored = score_extraction(gold or {}, parse_extraction((row.answer and row.answer.response) or ""))
    return [] if scored.agrees else [each.kind for each in scored.differences]


def _latest_receipt(stage: Stage) -> int:
    status = run_status(stage.settings, stage.policy.fingerprint)
    assert isinstance(status.data, dict)  # noqa: S101 - a status is nothing else
    return int(status.data["receipts"]["latest"][0]["receipt_id"])


def _table(looks: Mapping[str, WrittenRows]) -> Table:
    """Which rows carry the event, before, after and in the end; those that always do are left out."""
    held = {name: _keys(written) for name, written in looks.items()}
    changed = sorted(frozenset().union(*held.values()).difference(frozenset.intersection(*held.values())))
    records = [
        {"section": section, "row": " · ".join(key), **{name: (section, *key) in held[name] for name in held}}
        for section, *key in changed
    ]
    return Table(_COLUMNS, records, "Rows of the graph that carry the event, where that changed")


def _keys(written: WrittenRows) -> frozenset[tuple[str, ...]]:
    """Section and natural key of each row, the arena left out: it is the event's."""
    return frozenset(
        (table.section, *(str(row[name]) for name in table.key if name != "arena"))
        for table in GraphMapping().tables
        for row in written[table.section]
    )


def _mark(value: object) -> str:
    return "✓" if value else ""


_COLUMNS: Final = (
    Column("section", "table"),
    Column("row", "row"),
    Column("before", "student", _mark),
    Column("after", "teacher", _mark),
    Column("undone", "undone", _mark),
)
