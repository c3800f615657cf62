"""One graph table: can it be written, by everybody, and for how much?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cascade_cli.diagnosis.findings import Finding
from cascade_cli.diagnosis.storage import GRAPH_ADVICE, storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascade_cli.postgres.inspection import GraphState

LONG_PROVENANCE: Final = 10_000
"""Event ids in one row; from here on each further event takes several times as long as usual."""


def graph_findings(state: GraphState, *, needed: bool) -> Iterator[Finding]:
    """What is to be said of one table.

    Args:
        state: as it was found.
        needed: whether somebody is to write it.
    """
    if not state.present and not needed:
        yield Finding(state.section, "ok", f"{state.table} is not there; only a live worker writes it")
        return
    for problem, cure in state.problems:
        yield Finding(state.section, "fail", problem, cure)
    if not state.present:
        return
    if not state.problems:
        detail = f"{state.table} has its columns and a valid unique index over those that conflict"
        yield Finding(state.section, "ok", detail)
    yield _row_security(state)
    yield _provenance(state)
    yield storage(state.section, state.table, state.parameters, GRAPH_ADVICE)


def _row_security(state: GraphState) -> Finding:
    subject = f"{state.section} row-level security"
    if not state.row_security:
        return Finding(subject, "ok", "off")
    whom = "and hides rows from this user" if state.hides_from_us else "though not for this user"
    # What ON CONFLICT meets and may not see is an error.
    cure = "A worker's role needs BYPASSRLS, or a policy by which it may see and change every row."
    return Finding(subject, "warn", f"on, {whom}", cure)


def _provenance(state: GraphState) -> Finding:
    subject, longest = f"{state.section} provenance", state.longest_provenance
    if longest is None:
        return Finding(subject, "warn", "the longest cannot be read, or not within seconds", f"By hand: {state.look}")
    detail = f"{longest:,} events in the longest"
    if longest < LONG_PROVENANCE:
        return Finding(subject, "ok", detail)
    cure = f"Each further event rewrites such a row whole. See whether it is one thing at all: {state.look}"
    return Finding(subject, "warn", detail, cure)
