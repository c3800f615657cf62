"""What a worker needs beside its endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_cli.config import TEACHER_ENDPOINT
from cascade_cli.database_in_force import columns_in_force, database_url, graph_in_force
from cascade_cli.diagnosis.findings import Finding, failed
from cascade_cli.diagnosis.graph import graph_findings
from cascade_cli.diagnosis.storage import QUEUE_ADVICE, storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascade_cli.config import Settings
    from cascade_cli.postgres.inspection import LongLock, WorkState

_MIGRATE = "Run: cascade migrate"


def work(settings: Settings) -> Iterator[Finding]:
    """Queue, privileges, our tables and the graph's; who only reads is told what a worker would lack."""
    from cascade_cli.postgres.inspection import inspect_graph, inspect_work

    dsn, graph = database_url(settings), graph_in_force(settings)
    state = inspect_work(dsn, columns_in_force(settings), graph)
    needed = state.writes or settings[TEACHER_ENDPOINT] is not None
    yield from _queue(state, needed=needed)
    yield from _privileges(state, needed=needed)
    yield from _migrations(state, needed=needed)
    yield from _locks(state.long_locks)
    for table in inspect_graph(dsn, graph):
        yield from graph_findings(table, needed=needed)


def _queue(state: WorkState, *, needed: bool) -> Iterator[Finding]:
    if state.queue_problem is None:
        yield Finding("queue", "ok", f"{state.queue} is there, with its columns")
        yield storage("queue", state.queue, state.queue_parameters or {}, QUEUE_ADVICE)
    elif needed:
        yield failed("queue", state.queue_problem)
    else:
        yield Finding("queue", "ok", f"{state.queue_problem.message} Only a live worker needs it.")


def _privileges(state: WorkState, *, needed: bool) -> Iterator[Finding]:
    if not state.missing_privileges:
        yield Finding("privileges", "ok", f"{state.user} may do what a worker does")
    elif not needed:
        cure = "For a worker: cascade migrate --grants"
        yield Finding("privileges", "ok", f"{state.user} may not do what a worker does", cure)
    else:
        for each in state.missing_privileges:
            detail = f"{state.user} may not do with it what a worker does"
            yield Finding(f"privileges on {each.table}", "fail", detail, each.grant, dependency=True)


def _migrations(state: WorkState, *, needed: bool) -> Iterator[Finding]:
    if state.not_applied is None:
        yield Finding("migrations", "warn", f"{state.user} may not see which were applied", "cascade migrate --grants")
    elif state.not_applied:
        detail = f"not applied: {', '.join(state.not_applied)}"
        yield Finding("migrations", "fail" if needed else "ok", detail, _MIGRATE if needed else "")
    else:
        yield Finding("migrations", "ok", "all are applied")
    if state.missing_indexes:
        detail = f"missing or half made: {', '.join(state.missing_indexes)}"
        yield Finding("indexes", "warn" if needed else "ok", detail, _MIGRATE if needed else "")
    elif state.not_applied == () and state.queue_problem is None:
        yield Finding("indexes", "ok", "those of the queue and of our tables are there")


def _locks(long_locks: tuple[LongLock, ...]) -> Iterator[Finding]:
    for each in long_locks:
        detail = f"process {each.pid} has held {', '.join(each.tables)} in one transaction for {each.age_s:,.0f} s"
        cure = f"End it, or: SELECT pg_terminate_backend({each.pid});"
        yield Finding(f"lock of process {each.pid}", "warn", detail, cure)
    if not long_locks:
        yield Finding("locks", "ok", "no transaction that we may see holds these tables for long")
