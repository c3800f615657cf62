"""Every page: which sections of the report it shows, and what it has besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast
from urllib.parse import quote, urlencode

from cascade_cli.console import Result, Table
from cascade_cli.dashboard import twins
from cascade_cli.dashboard.browsing import STOOD, VERDICTS, Filter
from cascade_cli.dashboard.knobs import known_categories, read_knobs, slider_step
from cascade_cli.dashboard.look import Look
from cascade_cli.policy import REASONS
from cascade_cli.report import LONG, Block, Data, Diffs, Paragraph, Section, Verdict, disagreement_of, verdict_of
from cascade_cli.report.sections import (
    RUNS,
    alarms_section,
    days_section,
    escalation_section,
    fleet_section,
    frontier_section,
    hashes_section,
    kinds_section,
    origin_section,
    overview_section,
)
from cascade_cli.scoring.tables import comparison_blocks
from scorers import KINDS

SLIDERS = ("sample_rate", "verifier_threshold")
"""Numbers of a policy that are turned."""


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a page.

    Attributes:
        title: its heading.
        twin: the address of the same figures as JSON; None where there are none.
        sections: of the report.
        template: draws it.
        verdict: stands above the sections; None for none.
        more: what the template needs besides, by name.
    """

    title: str
    twin: str | None
    sections: tuple[Section, ...] = ()
    template: str = "sections.html.j2"
    verdict: Verdict | None = None
    more: Mapping[str, object] = field(default_factory=dict)


def overview(look: Look) -> View:
    """May the student do the work, and the few figures that a reader takes away."""
    sections = (overview_section(look.figures),)
    return View("Overview", "/api/score.json", sections, verdict=verdict_of(look.figures, look.snapshot.asked))


def hashes(look: Look) -> View:
    """Agreement by the teacher's prompt."""
    return View("By prompt hash", "/api/score.json", (hashes_section(look.figures),))


def time(look: Look) -> View:
    """Agreement by day."""
    return View("Over time", "/api/days.json", (days_section(look.figures),))


def errors(look: Look) -> View:
    """Kinds of difference, by section."""
    return View("Errors", "/api/score.json", (kinds_section(look.figures),))


def alarms(look: Look) -> View:
    """What the monitor says."""
    return View("Alarms", "/api/monitor.json", (alarms_section(look.figures),))


def origin(look: Look) -> View:
    """Where the figures come from."""
    return View("Origin", "/api/score.json", (origin_section(look.figures),))


def events(look: Look) -> View:
    """The pairs, filtered, a page at a time."""
    page, only = twins.read_page(look), twins.read_filter(look)
    filters = written(only)
    more = {
        "page": page,
        "filters": filters,
        "choices": _choices(look, filters),
        "link": lambda event_id: event_address(event_id, filters),
        "address": lambda place: f"/events?{urlencode({**filters, **place})}",
    }
    return View("Events", f"/api/events.json?{urlencode(filters)}".rstrip("?"), template="events.html.j2", more=more)


def _choices(look: Look, filters: Mapping[str, str]) -> dict[str, list[str]]:
    """What each filter offers: names that are known, or the most frequent values, and the one that is chosen."""
    listing = look.snapshot.listing
    offered = {"kind": list(KINDS), "reason": [*REASONS, STOOD], "verdict": list(VERDICTS)}
    offered |= {name: [value or "-" for value in listing.choices(name)] for name in ("hash", "arena")}
    return {
        name: list(dict.fromkeys((*values, *([filters[name]] if name in filters else []))))
        for name, values in offered.items()
    }


def written(only: Filter) -> dict[str, str]:
    """A filter as an address has it."""
    return {name: value or "-" for name, value in only.given.items()}


def event_address(event_id: str, filters: Mapping[str, str]) -> str:
    """Where one event is: in the path, unless a browser would make another path of its id."""
    query = dict(filters)
    if event_id in {"", ".", ".."} or not event_id.isprintable():
        query, place = {"id": event_id, **filters}, ""
    else:
        place = f"/{quote(event_id, safe='')}"
    return f"/events{place or '/'}" + (f"?{urlencode(query)}" if query else "")


def event(look: Look) -> View:
    """Both answers to one event, item by item."""
    rows = twins.rows_of_event(look)
    event_id, filters = rows[0].trace.event_id, written(twins.read_filter(look))
    config = look.snapshot.request.config
    shown = Diffs(tuple(disagreement_of(row, config, LONG) for row in rows))
    before, after = look.snapshot.listing.neighbours(twins.read_filter(look), event_id)
    more = {
        "back": f"/events?{urlencode(filters)}".rstrip("?"),
        "before": None if before is None else event_address(before, filters),
        "after": None if after is None else event_address(after, filters),
    }
    sections = (Section("event", "Both answers, item by item", (shown,)),)
    return View("One event", f"/api/event.json?{urlencode({'id': event_id})}", sections, "event.html.j2", more=more)


def frontier(look: Look) -> View:
    """What is right by what goes to the teacher, under the policy that the sliders say."""
    knobs = read_knobs(look.query, look.snapshot.asked.wanted)
    _, result = twins.simulate(look)
    figures = replace(look.figures, simulation=cast("Data", result.data))
    sections = [frontier_section(figures), escalation_section(figures)]
    if not knobs.moved:
        sections.append(fleet_section(figures))
    categories = known_categories(look.snapshot)
    scored = look.figures.simulation.get("verifier") is not None
    more = {"policy": knobs.wanted.base, "moved": knobs.moved, "categories": categories, "scored": scored}
    more["steps"] = {name: slider_step(getattr(knobs.wanted.base, name)) for name in SLIDERS}
    more |= {"warnings": [each for each in result.warnings if each not in look.figures.warnings]}
    twin = f"/api/simulate.json?{urlencode(look.query.multi_items())}".rstrip("?")
    return View("Frontier", twin, tuple(sections), "frontier.html.j2", more=more)


def runs(look: Look) -> View:
    """What was run in this workspace."""
    _, result = twins.runs(look)
    found: list[Mapping[str, object]] = result.data["runs"]  # type: ignore[index]  # as the twin has it
    told: Block = (
        Table(RUNS, found, "The latest runs, newest first") if found else Paragraph("No run is recorded here.")
    )
    return View("Runs", "/api/runs.json", (Section("runs", "What was run", (told,)),))


def compare(look: Look) -> View:
    """Two students on the events that both answered."""
    students = look.snapshot.students
    chosen = {side: look.query.get(side) for side in ("a", "b")}
    more = {"students": students, "chosen": chosen}
    if not all(chosen.values()):
        return View("Compare", None, (_how_to_compare(students),), "compare.html.j2", more=more)
    _, result = twins.compare(look)
    blocks = _as_blocks(comparison_blocks(result.data, (chosen["a"] or "", chosen["b"] or "")))  # type: ignore[arg-type]
    section = Section("comparison", "B against A, paired", blocks)
    return View("Compare", f"/api/compare.json?{urlencode(chosen)}", (section,), "compare.html.j2", more=more)


def _how_to_compare(students: list[str]) -> Section:
    told = (
        "Choose two students."
        if len(students) > 1
        else "Only one student's answers are here: nothing to compare it with."
    )
    how = "Two files of recorded pairs are compared by cascade compare A.jsonl B.jsonl."
    return Section("comparison", "B against A, paired", (Paragraph(told), Paragraph(how, "note")))


def live(look: Look) -> View:
    """What the worker does."""
    result = look.sources.live.result()
    told = [Paragraph(text, "warning") for text in _told(result)]
    return View("Live", "/api/status.json", (Section("live", "The worker now", (*told, *_as_blocks(result.blocks))),))


def _told(result: Result) -> list[str]:
    failure = [] if result.failure is None else [result.failure.message]
    return [*failure, *result.warnings, *result.hints]


def _as_blocks(blocks: tuple[Table | str, ...]) -> tuple[Block, ...]:
    """What a command shows, as a page takes it."""
    return tuple(part for block in blocks for part in _parts_of(block))


def _parts_of(block: Table | str) -> list[Block]:
    if isinstance(block, str):
        return [Paragraph(line) for line in block.split("\n")]
    return [block] if block.records else [Paragraph(f"{block.title}: none.")]


PAGES: Mapping[str, tuple[str, Callable[[Look], View]]] = {
    "/": ("Overview", overview),
    "/hashes": ("By prompt hash", hashes),
    "/time": ("Over time", time),
    "/errors": ("Errors", errors),
    "/events": ("Events", events),
    "/frontier": ("Frontier", frontier),
    "/alarms": ("Alarms", alarms),
    "/runs": ("Runs", runs),
    "/compare": ("Compare", compare),
    "/live": ("Live", live),
    "/origin": ("Origin", origin),
}
"""By address, in the order of the contents."""
