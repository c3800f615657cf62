"""Where the figures come from, and the commands that print them again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from cascade_cli.console import Column, Table, moment
from cascade_cli.report.figures import Figures
from cascade_cli.report.parts import Block, Commands, Folded, Paragraph, Section
from cascade_cli.report.words import count, sentence

_FACTS = (Column("what", "what"), Column("value", "value"))
_SETTINGS = (Column("key", "setting"), Column("value", "value"), Column("origin", "from"))
RUNS = (
    Column("run_id", "run"),
    Column("command", "command"),
    Column("started_at", "started", moment),
    Column("status", "status"),
    Column("watermark", "input up to"),
    Column("counts", "counts"),
)


def origin_section(figures: Figures) -> Section:
    """Version, input, rules, settings, runs."""
    origin = figures.provenance
    settings = [{"key": key, "value": value, "origin": where} for key, (value, where) in origin.settings.items()]
    chosen = [each for each in settings if each["origin"] != "default"]
    blocks: list[Block] = [
        Table(_FACTS, _facts(figures), ""),
        Paragraph(f"{len(chosen)} settings are not the defaults." if chosen else "Every setting is the default."),
    ]
    if chosen:
        blocks.append(Table(_SETTINGS, chosen, "Settings that were chosen"))
    if settings:
        blocks.append(Folded("All settings, secrets masked", Table(_SETTINGS, settings, "")))
    if origin.runs:
        runs = [asdict(run) for run in origin.runs]
        blocks.append(Folded("The latest runs in this workspace", Table(RUNS, runs, "")))
    if figures.warnings:
        blocks += [Paragraph(sentence(told), "warning") for told in figures.warnings]
    blocks.append(_again(figures))
    return Section("origin", "Where this comes from", tuple(blocks))


def _facts(figures: Figures) -> list[dict[str, object]]:
    origin, score = figures.provenance, figures.score
    known = (
        ("made", moment(origin.made_at)),
        ("cascade", origin.version),
        ("run", origin.run_id),
        ("input", origin.source),
        ("bytes", count(origin.source_bytes) if origin.source_bytes is not None else None),
        ("SHA-256", origin.source_sha256),
        ("nothing older than", origin.since),
        ("traces from", _moment(origin.first_at)),
        ("traces to", _moment(origin.last_at)),
        ("student", ", ".join(name or "(without a name)" for name in origin.students)),
        ("pairs, scored, not asked", " · ".join(count(score[name]) for name in ("pairs", "scored", "not_asked"))),
        ("rules of the metric", score["scorer"]),
        ("policy", figures.simulation["policy"]["fingerprint"]),
    )
    return [{"what": what, "value": value} for what, value in known if value]


def _moment(value: datetime | None) -> str | None:
    return None if value is None else moment(value)


def _again(figures: Figures) -> Commands:
    origin = figures.provenance
    return Commands(tuple((command.line(origin.argument), f"{command.told}, unrounded") for command in origin.commands))
