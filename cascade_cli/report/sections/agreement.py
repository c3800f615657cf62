"""How far the student agrees: over all, by prompt hash, by day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cascade_cli.console import Column, Table, moment
from cascade_cli.report.charts import Chart, Marker, Moment, Range, range_chart, time_chart
from cascade_cli.report.charts.chart import Key
from cascade_cli.report.charts.chart import ratio as axis_ratio
from cascade_cli.report.figures import Figures
from cascade_cli.report.parts import Block, Commands, Facts, Paragraph, Section
from cascade_cli.report.provenance import Provenance
from cascade_cli.report.verdict import ALARMS, has_gone_off
from cascade_cli.report.words import count, estimate, exact_percent, interval, name_of, percent, ratio
from cascade_cli.scoring.tables import interval_percent
from cascade_cli.stats.estimates import INSUFFICIENT
from scorers.config import SECTIONS

Group = Mapping[str, Any]
MOST_HASHES = 25
"""So many prompt hashes are drawn; the table has more."""
MOST_IN_TABLE = 100
MOST_DAYS = 366
_MOST_MARKERS = 12
_FEW_A_DAY = 10


def overview_section(figures: Figures) -> Section:
    """The few figures that a reader takes away, and F1 by section."""
    total, simulation = figures.score["total"], figures.simulation
    rates = (
        ("agreement", "of all scored events agree", total["agreement"]),
        ("escalation", "of events go to the teacher under the policy", simulation["escalation"]),
        ("standing", "of the events that the gates let stand agree", simulation["standing_agreement"]),
        ("residual", "of all events are left standing and wrong", simulation["residual_disagreement"]),
    )
    facts = Facts(tuple((percent(found["rate"]), told, _resting_on(found)) for _, told, found in rates))
    return Section("overview", "Overview", (facts, _f1_chart(total), _exclusions(figures)))


def _resting_on(found: Group) -> str:
    return f"{interval(found)} · n = {count(found['n'])}"


def _f1_chart(total: Group) -> Chart:
    lines = [{"section": section, **total[section]} for section in SECTIONS]
    ranges = [
        Range(
            line["section"],
            line["micro"]["f1"],
            line["micro"]["low"],
            line["micro"]["high"],
            _f1_told(line["micro"]),
        )
        for line in lines
    ]
    named = ", ".join(f"{each.label} {each.told}" for each in ranges)
    scored = count(total["agreement"]["n"])
    title = f"F1 of the student's items against the teacher's, by section (95 % interval, n = {scored} events)"
    return range_chart("f1", title, f"Micro F1: {named}.", ranges, Table(_F1, lines, title), written=axis_ratio)


def _f1_told(micro: Group) -> str:
    if micro["low"] is None:
        return ratio(micro["f1"])
    return f"{micro['f1']:.3f} ({micro['low']:.3f}–{micro['high']:.3f})"


_F1 = (
    Column("section", "section"),
    Column("micro.f1", "F1", ratio, "right"),
    Column("micro.low", "low", ratio, "right"),
    Column("micro.high", "high", ratio, "right"),
    Column("micro.precision", "precision", ratio, "right"),
    Column("micro.recall", "recall", ratio, "right"),
    Column("micro.tp", "found", count, "right"),
    Column("micro.fp", "surplus", count, "right"),
    Column("micro.fn", "missed", count, "right"),
    Column("strict_f1", "strict F1", ratio, "right"),
    Column("median_f1", "median F1", ratio, "right"),
)


def _exclusions(figures: Figures) -> Paragraph:
    score = figures.score
    parts = [f"Recorded pairs: {count(score['pairs'])}, of which {count(score['scored'])} are scored"]
    for name, told in (
        ("unscorable", "with a teacher's answer that cannot be read"),
        ("missing_output", "to which the student gave no answer, scored as all missing"),
        ("not_asked", "about which the student was not asked"),
        ("bad_rows", "rows that cannot be read"),
        ("repeated", "repeated, of which the last counts"),
    ):
        if score[name]:
            parts.append(f"{count(score[name])} {told}")
    return Paragraph("; ".join(parts) + ". Errors never count as disagreement.", "note")


def hashes_section(figures: Figures) -> Section:
    """Agreement by the teacher's prompt."""
    groups = _in_order(figures)
    title = "Agreement by prompt hash (95 % interval)"
    drawn = _largest(groups, MOST_HASHES, figures.newest)
    ranges = [_hash_range(group, figures.newest) for group in drawn]
    total = figures.score["total"]["agreement"]
    ranges.append(Range("all", total["rate"], total["low"], total["high"], estimate(total), "total"))
    told = f"{len(groups):,} prompt hashes. Lowest: {_lowest(groups)}."
    table = Table(_HASHES, _largest(groups, MOST_IN_TABLE, figures.newest), title)
    held_against = figures.floor, f"the newest prompt's lower bound must reach {exact_percent(figures.floor)}"
    chart = range_chart("hashes", title, told, ranges, table, reference=held_against)
    notes = (*_hash_notes(groups, figures.newest, len(drawn)), *_clock_notes(figures.provenance))
    return Section("hashes", "By prompt hash", (chart, *notes))


def _in_order(figures: Figures) -> list[Group]:
    """The groups by the moments of their first traces, those without any at the end."""
    places = {name: place for place, (name, _) in enumerate(figures.beginnings)}
    return sorted(
        figures.score["groups"], key=lambda group: places.get(group["key"]["system_prompt_hash"], len(places))
    )


def _largest(groups: Sequence[Group], most: int, newest: str | None) -> list[Group]:
    """The newest and those with most pairs, the later of equals first, in the order in which they come."""

    def rank(place: int) -> tuple[bool, int, int]:
        return groups[place]["key"]["system_prompt_hash"] == newest, groups[place]["pairs"], place

    kept = sorted(range(len(groups)), key=rank, reverse=True)[:most]
    return [groups[place] for place in sorted(kept)]


def _hash_range(group: Group, newest: str | None) -> Range:
    found = group["agreement"]
    is_newest = group["key"]["system_prompt_hash"] == newest
    marks = [word for word, holds in (("newest", is_newest), ("too few", _insufficient(group))) if holds]
    label = f"{_named(group)} ({', '.join(marks)})" if marks else _named(group)
    mark = "faint" if _insufficient(group) else "plain"
    return Range(label, found["rate"], found["low"], found["high"], estimate(found), mark)


def _insufficient(group: Group) -> bool:
    return bool(group["agreement"]["n"] < INSUFFICIENT)


def _named(group: Group) -> str:
    return name_of(group["key"]["system_prompt_hash"])


def _lowest(groups: Sequence[Group]) -> str:
    known = [group for group in groups if group["agreement"]["rate"] is not None]
    if not known:
        return "none"
    worst = min(known, key=lambda group: group["agreement"]["rate"])
    return f"{_named(worst)} with {estimate(worst['agreement'])}"


_HASHES = (
    Column(("key", "system_prompt_hash"), "prompt hash"),
    Column("pairs", "pairs", count, "right"),
    Column("scored", "scored", count, "right"),
    Column("agreement.rate", "agree", percent, "right"),
    Column("agreement", "95 %", interval_percent, "right"),
    Column("invalid_json", "bad JSON", count, "right"),
    Column("missing_output", "no answer", count, "right"),
    Column("email_hallucination_rate", "made-up e-mail", percent, "right"),
    Column("entities.micro.f1", "entity F1", ratio, "right"),
    Column("facts.micro.f1", "fact F1", ratio, "right"),
    Column("relationships.micro.f1", "relationship F1", ratio, "right"),
    Column("legacy_entity_exact_disagreement_rate", "crude proxy", percent, "right"),
)


def _hash_notes(groups: Sequence[Group], newest: str | None, drawn: int) -> list[Block]:
    told: list[Block] = []
    if few := [_named(group) for group in groups if _insufficient(group)]:
        named = ", ".join(few[:5]) + (f" and {len(few) - 5:,} more" if len(few) > 5 else "")  # noqa: PLR2004 - as above
        told.append(Paragraph(f"Fewer than {INSUFFICIENT} scored events, too few to decide by: {named}.", "warning"))
    if len(groups) > drawn:
        words = (
            f"The {drawn} largest of {len(groups):,} are drawn, the newest among them; the table has {MOST_IN_TABLE} at"
            " most."
        )
        told.append(Paragraph(words))
    if not any(group["key"]["system_prompt_hash"] == newest for group in groups):
        words = f"The newest prompt is {name_of(newest)}: the student was asked about none of its events yet."
        told.append(Paragraph(words, "warning"))
    elif newest is not None:
        told.append(Paragraph(f"The newest prompt is {name_of(newest)}: the verdict is on it.", "note"))
    return told


def _clock_notes(origin: Provenance) -> Iterator[Block]:
    if origin.last_at is not None and origin.last_at > origin.made_at:
        words = (
            f"The newest trace is dated {moment(origin.last_at)}, after this page was made: a clock was wrong, and the"
            " prompt that is called the newest may not be it."
        )
        yield Paragraph(words, "warning")


def days_section(figures: Figures) -> Section:
    """Agreement by day, with the days on which prompts came and alarms went off."""
    dated = [day for day in figures.days if day["key"]["day"] is not None and day["agreement"]["rate"] is not None]
    if not dated:
        return Section("days", "Over time", _no_days(figures))
    left_out = len(dated) - MOST_DAYS
    notes = (Paragraph(f"{left_out:,} earlier days are left out.", "note"),) if left_out > 0 else ()
    return Section("days", "Over time", (_days_chart(dated, _markers(figures)), *notes))


def _days_chart(dated: Sequence[Group], markers: Sequence[Marker]) -> Chart:
    shown = dated[-MOST_DAYS:]
    title = "Agreement by day (95 % interval)"
    days = f"{len(dated):,} days from {dated[0]['key']['day']} to {dated[-1]['key']['day']}"
    table = Table(_DAYS, [{"day": day["key"]["day"], **day["agreement"]} for day in shown], title)
    return time_chart(
        "days",
        title,
        f"{days}. Lowest: {_lowest_day(dated)}.",
        list(map(_moment, shown)),
        table,
        markers=markers,
        keys=_DAY_KEYS,
    )


_DAY_KEYS = (
    Key("dot plain", f"a day of {_FEW_A_DAY} events at least", "dot"),
    Key("dot faint", "fewer, without their interval", "dot"),
    Key("change", "a prompt hash begins"),
    Key("alarm", "an alarm goes off"),
)


def _no_days(figures: Figures) -> tuple[Block, ...]:
    if figures.provenance.first_at is not None:
        return (Paragraph("No event is scored, so there is no agreement to show over time."),)
    why = Paragraph("No trace says when it was made: created_at is missing, so nothing can be shown over time.")
    return why, Commands((("cascade pull --since 7d", "brings dated traces"),))


_DAYS = (
    Column("day", "day"),
    Column("rate", "agree", percent, "right"),
    Column("low", "low", percent, "right"),
    Column("high", "high", percent, "right"),
    Column("n", "n", count, "right"),
)


def _lowest_day(days: Sequence[Group]) -> str:
    worst = min(days, key=lambda day: day["agreement"]["rate"])
    return f"{worst['key']['day']} with {estimate(worst['agreement'])}"


def _moment(day: Group) -> Moment:
    found = day["agreement"]
    when = date.fromisoformat(day["key"]["day"])
    low, high = (found[end] if found[end] is not None else found["rate"] for end in ("low", "high"))
    return Moment(when, found["rate"], low, high, f"{when}: {estimate(found)}", found["n"] < _FEW_A_DAY)


def _markers(figures: Figures) -> list[Marker]:
    named = {
        group["key"]["system_prompt_hash"] for group in _largest(_in_order(figures), _MOST_MARKERS, figures.newest)
    }
    markers = [Marker(at.date(), name_of(name), "change") for name, at in figures.beginnings if name in named]
    markers += sorted(set(_alarm_markers(figures)), key=lambda marker: marker.day)[-_MOST_MARKERS:]
    return sorted(markers, key=lambda marker: (marker.day, marker.kind))


def _alarm_markers(figures: Figures) -> Iterator[Marker]:
    for each in figures.monitor["hashes"]:
        for alarm in ALARMS:
            if has_gone_off(each[alarm]) and each[alarm]["at"] is not None:
                at = datetime.fromisoformat(each[alarm]["at"]).date()
                yield Marker(at, f"alarm: {name_of(each['system_prompt_hash'])}", "alarm")
