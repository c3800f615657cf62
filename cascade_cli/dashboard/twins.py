"""The figures of every page as JSON: the documents of the commands, word for word and unrounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from cascade_cli.console import Result
from cascade_cli.dashboard.browsing import Filter, Page, Place
from cascade_cli.dashboard.knobs import read_knobs, turned
from cascade_cli.dashboard.look import Look
from cascade_cli.dashboard.problems import NothingThere
from cascade_cli.errors import UsageError
from cascade_cli.records import Row
from cascade_cli.scoring import explain, warnings_of

Twin = tuple[str, Result]
"""The command whose ``--json`` it is, and its result."""
SHORTEST_PAGE, PAGE, LONGEST_PAGE = 1, 50, 500
"""Lines of the event list at once."""
_MOST_RUNS = 50


def score(look: Look) -> Twin:
    """As ``cascade score --by-prompt-hash``."""
    return "score", Result(look.figures.score, warnings=warnings_of(look.snapshot.reading.scored))


def days(look: Look) -> Twin:
    """Key and agreement of the groups of ``cascade score --by day``."""
    return "score", Result({"by": ["day"], "groups": look.figures.days})


def simulate(look: Look) -> Twin:
    """As ``cascade simulate`` over the sweep that is drawn; with the fleet where no knob was turned."""
    knobs = read_knobs(look.query, look.snapshot.asked.wanted)
    if knobs.moved:
        return "simulate", turned(look.snapshot, knobs)
    return "simulate", Result(look.figures.simulation, warnings=look.figures.warnings)


def monitor(look: Look) -> Twin:
    """As ``cascade monitor`` with every label of a full record."""
    gate, failure = look.figures.verdict
    return "monitor", Result(look.figures.monitor, gate=gate, failure=failure)


def events(look: Look) -> Twin:
    """A page of the pairs, the least agreeing first, as ``worst`` of ``cascade score --worst``."""
    page = read_page(look)
    places = {"before": page.before and str(page.before), "after": page.after and str(page.after)}
    return "score", Result({"events": page.records, "total": page.total, "first": page.first, **places})


def event(look: Look) -> Twin:
    """As ``cascade score --explain EVENT``."""
    config = look.snapshot.request.config
    return "score", Result({"explanations": [explain(row, config) for row in rows_of_event(look)]})


def runs(look: Look) -> Twin:
    """As ``cascade runs``."""
    if not look.sources.door.leads_somewhere:
        return "runs", Result({"runs": []})
    with look.sources.door.opened() as workspace:
        return "runs", Result({"runs": [asdict(run) for run in workspace.runs(_MOST_RUNS)]})


def compare(look: Look) -> Twin:
    """As ``cascade compare A B`` of two students."""
    sides = (look.query.get("a", ""), look.query.get("b", ""))
    return "compare", Result(look.snapshot.compared(*sides), warnings=warnings_of(look.snapshot.reading.scored))


def status(look: Look) -> Twin:
    """As ``cascade status``."""
    return "status", look.sources.live.result()


TWINS: Mapping[str, Callable[[Look], Twin]] = {
    "score": score,
    "days": days,
    "simulate": simulate,
    "monitor": monitor,
    "events": events,
    "event": event,
    "runs": runs,
    "compare": compare,
    "status": status,
}
"""By the name in their address, ``/api/NAME.json``."""
ASKED_EACH_TIME = frozenset({"runs", "status"})
"""Twins whose figures are of this moment, not of the snapshot."""


def read_filter(look: Look) -> Filter:
    """The filter that an address asks for; an empty value does not restrict, and ``-`` is the absent one.

    Raises:
        UsageError: a value is none of those that there are.
    """
    names = ("kind", "hash", "arena", "reason", "verdict")
    given = {name: value for name in names if (value := look.query.get(name))}
    return Filter(**{name: "" if value == "-" else value for name, value in given.items()})


def read_page(look: Look) -> Page:
    """The page of the event list that an address asks for.

    Raises:
        UsageError: the address makes no sense.
    """
    after, before = (Place.read(text) if (text := look.query.get(name)) else None for name in ("after", "before"))
    return look.snapshot.listing.page(read_filter(look), after=after, before=before, size=_size(look))


def _size(look: Look) -> int:
    text = look.query.get("size") or str(PAGE)
    if not text.isdecimal() or len(text) > len(str(LONGEST_PAGE)) or not SHORTEST_PAGE <= int(text) <= LONGEST_PAGE:
        raise UsageError(f"A page has {SHORTEST_PAGE} to {LONGEST_PAGE} events.")
    return int(text)


def rows_of_event(look: Look) -> list[Row]:
    """Every recorded pair of the event that is asked for.

    Raises:
        NothingThere: there is none.
    """
    event_id = look.event_id if look.event_id is not None else look.query.get("id", "")
    rows = look.snapshot.rows_of_event(event_id, look.sources.door)
    if not rows:
        raise NothingThere(f"There is no recorded pair of event {event_id[:200]!r}.")
    return rows
