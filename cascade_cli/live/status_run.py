"""``cascade status`` from end to end: every figure by itself, so that one that cannot be read leaves the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

from cascade_cli.config import (
    LIVE_MAX_ATTEMPTS,
    POSTGRES_URL,
)
from cascade_cli.console import Column, Result, Table, moment, shown
from cascade_cli.database_in_force import columns_in_force
from cascade_cli.errors import CascadeError, DependencyError
from cascade_cli.live.standing import read_standing, switch_tables

if TYPE_CHECKING:
    from cascade_cli.config import Settings
    from cascade_cli.postgres import ColumnMapping
    from cascade_cli.postgres.pool import Pool
    from cascade_cli.postgres.queue import Queue, QueueSettings

T = TypeVar("T")

_LATEST: Final = 5
_WORKERS_ALONE: Final = (
    "These are a live worker's tables. Pulling, scoring, simulating and monitoring need none of them."
)
Figures = dict[str, object]
"""Figures in the shape of ``--json``."""


def run_status(settings: Settings, policy_fingerprint: str) -> Result:
    """Look at switches, lanes, ledger and whatever else the worker keeps.

    Args:
        settings: say where the database is and what its tables are called.
        policy_fingerprint: of the policy of these settings.

    Raises:
        UsageError: the column mapping makes no sense.
    """
    from cascade_cli.postgres.pool import Pool

    dsn = settings[POSTGRES_URL]
    if dsn is None:
        standing = read_standing(settings, None, policy_fingerprint, _LATEST)
        return Result({"switch": standing.data}, switch_tables(standing), hints=("Set DATABASE_URL to see the rest.",))
    mapping = columns_in_force(settings)
    with Pool(dsn) as pool:
        standing = read_standing(settings, pool, policy_fingerprint, _LATEST)
        look = _Look(away=standing.problem if isinstance(standing.problem, DependencyError) else None)
        figures = _figures(look, pool, mapping, settings)
    data = {"switch": standing.data, **figures, "unknown": look.unknown}
    nothing = look.away is None and len(look.unknown) == len(figures)
    problems = tuple(dict.fromkeys(filter(None, (standing.problem, *look.problems))))
    return Result(
        data,
        (*switch_tables(standing), *_blocks(figures)),
        warnings=tuple(dict.fromkeys(error.message for error in problems if error is not look.away)),
        hints=(
            *((_WORKERS_ALONE,) if nothing else ()),
            *dict.fromkeys(error.hint for error in problems if error.hint and error is not look.away),
        ),
        failure=look.away,
    )


@dataclass(slots=True)
class _Look:
    """Reads what can be read.

    Attributes:
        away: why the server cannot be reached; then nothing more is asked of it.
        unknown: names of the figures that could not be read.
        problems: why not.
    """

    away: CascadeError | None = None
    unknown: list[str] = field(default_factory=list)
    problems: list[CascadeError] = field(default_factory=list)

    def at(self, name: str, read: Callable[[], T]) -> T | None:
        """One figure; None where it cannot be read."""
        if self.away is None:
            try:
                return read()
            except CascadeError as error:
                self.problems.append(error)
        self.unknown.append(name)
        return None


def _figures(look: _Look, pool: Pool, mapping: ColumnMapping, settings: Settings) -> Figures:
    from cascade_cli.postgres.overview import Overview
    from cascade_cli.postgres.queue import QueueSettings

    overview, rules = Overview(pool, mapping), QueueSettings(settings[LIVE_MAX_ATTEMPTS])
    read: Mapping[str, Callable[[], object]] = {
        "lanes": lambda: _lanes(_queue(pool, mapping, rules)),
        "ledger": lambda: [asdict(each) for each in overview.ledger()],
        "backlog": lambda: [asdict(each) for each in overview.backlog()],
        "quarantined": lambda: overview.quarantined(rules.quarantine_at),
        "mop_up_orders": lambda: asdict(overview.orders()),
        "receipts": lambda: asdict(overview.receipts()),
        "workers": lambda: [asdict(each) for each in overview.workers()],
    }
    return {name: look.at(name, figure) for name, figure in read.items()}


def _queue(pool: Pool, mapping: ColumnMapping, rules: QueueSettings) -> Queue:
    from cascade_cli.postgres.queue import Queue

    # It claims nothing, so neither its name nor its chance is ever used.
    return Queue.open(pool, mapping, rules, "status", random=Random(0))  # noqa: S311 - as above


def _lanes(queue: Queue) -> Figures:
    return {lane.value: {"depth": state.depth, **asdict(state)} for lane, state in queue.lanes().items()}


def _blocks(figures: Figures) -> list[Table | str]:
    lanes = figures["lanes"]
    named = [{"lane": lane, **state} for lane, state in lanes.items()] if isinstance(lanes, dict) else []
    tables = [
        Table(_LANES, named, "Lanes"),
        Table(_LEDGER, _records(figures["ledger"]), "Written, by the ledger"),
        Table(_BACKLOG, _records(figures["backlog"]), "Waiting for the teacher"),
        Table(_WORKERS, _records(figures["workers"]), "Workers that hold claims"),
        Table(_RECEIPTS, _latest_receipts(figures["receipts"]), "Latest receipts; cascade undo takes one back"),
    ]
    return [*(table for table in tables if table.records), *_counts(figures)]


def _records(found: object) -> list[Figures]:
    return found if isinstance(found, list) else []


def _latest_receipts(found: object) -> list[Figures]:
    return list(found["latest"]) if isinstance(found, dict) else []


def _counts(figures: Figures) -> list[str]:
    """What is a number or two, in one line; nothing of what is unknown."""
    parts = []
    if figures["quarantined"] is not None:
        parts.append(f"{figures['quarantined']:,} events in quarantine")
    if isinstance(orders := figures["mop_up_orders"], dict):
        parts.append(f"{orders['open']:,} mop-up orders open, {orders['given_up']:,} given up")
    if isinstance(receipts := figures["receipts"], dict):
        parts.append(f"{receipts['kept']:,} receipts, {receipts['undone']:,} undone")
    return [" · ".join(parts)] if parts else []


def _age(value: object) -> str:
    """Seconds as people say them."""
    if not isinstance(value, float):
        return shown(None)
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if value >= seconds:
            return f"{value / seconds:,.1f} {unit}"
    return f"{max(0.0, value):.0f} s"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else shown(value)


_LANES: Final = (
    Column("lane", "lane"),
    *(Column(name, name, _count, "right") for name in ("depth", "waiting", "delayed", "claimed")),
    Column("oldest_age_s", "oldest", _age, "right"),
    Column("next_try_in_s", "next try in", _age, "right"),
)
_LEDGER: Final = (
    Column("producer", "by"),
    Column("escalated", "escalated"),
    Column("reason", "reason"),
    Column("last_hour", "last hour", _count, "right"),
    Column("last_day", "last day", _count, "right"),
)
_BACKLOG: Final = (
    Column("reason", "reason"),
    Column("events", "events", _count, "right"),
    Column("oldest_age_s", "oldest", _age, "right"),
)
_RECEIPTS: Final = (
    Column("receipt_id", "receipt", align="right"),
    Column("event_id", "event"),
    Column("superseded_at", "replaced", show=moment),
    Column("undone", "undone"),
)
_WORKERS: Final = (
    Column("worker", "worker"),
    Column("held", "held", _count, "right"),
    Column("expired", "expired", _count, "right"),
    Column("last_claim_age_s", "last claim", _age, "right"),
)
