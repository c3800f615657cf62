"""The figures of a score, an explanation or a comparison as tables for people; rounding happens here only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cascade_cli.console import Column, Table, prompt_hash, shown
from scorers import KINDS

Figures = Mapping[str, Any]
"""Figures in the shape of the JSON of the command."""


def percent(value: object) -> str:
    """A share as per cent with one decimal."""
    return f"{value:.1%}" if isinstance(value, float) else "—"


def ratio(value: object) -> str:
    """A ratio with three decimals."""
    return f"{value:.3f}" if isinstance(value, float) else "—"


def count(value: object) -> str:
    """A whole number with thousands separated."""
    return f"{value:,}" if isinstance(value, int) else "—"


def interval_percent(agreement: object) -> str:
    """The two ends of an interval as per cent with one decimal."""
    if not isinstance(agreement, Mapping) or agreement["low"] is None:
        return "—"
    return f"{agreement['low'] * 100:.1f}–{agreement['high'] * 100:.1f}"


def _f1_interval(micro: object) -> str:
    if not isinstance(micro, Mapping) or micro["f1"] is None:
        return "—"
    if micro["low"] is None:
        return f"{micro['f1']:.3f}"
    return f"{micro['f1']:.3f} {micro['low']:.3f}–{micro['high']:.3f}"


def score_blocks(data: Figures) -> tuple[Table | str, ...]:
    """The tables of ``cascade score``: agreement by group, F1 by section, kinds of difference."""
    groups, total = data["groups"], data["total"]
    if not data["pairs"]:
        return (_counts_line(data),)
    by: list[str] = data["by"]
    if groups and "agreement" not in groups[0]:
        return (_counts_line(data), _item_table(groups, by[0]))
    named = [*groups, {**total, "key": dict.fromkeys(by, "total")}] if by else [total]
    return (
        _counts_line(data),
        Table((*_keys(by), *_AGREEMENT), named, "Agreement of the student with the teacher (95 % interval)"),
        Table((*_keys(by), *_SECTIONS, *_exact_columns(total)), named, "Micro F1 (95 % interval)"),
        *([_kinds_table(total)] if any(total["kinds"].values()) else []),
    )


_AGREEMENT = (
    Column("pairs", "pairs", count, "right"),
    Column("scored", "scored", count, "right"),
    Column("agreement.rate", "agree", percent, "right"),
    Column("agreement", "95 %", interval_percent, "right"),
    Column("invalid_json", "bad JSON", count, "right"),
    Column("missing_output", "no answer", count, "right"),
    Column("email_hallucination_rate", "made-up e-mail", percent, "right"),
)
_SECTIONS = tuple(
    Column(f"{section}.micro", section, _f1_interval, "right") for section in ("entities", "facts", "relationships")
)


def _exact_columns(total: Figures) -> tuple[Column, ...]:
    return (Column("exact.f1", "exact F1", ratio, "right"),) if "exact" in total else ()


def _keys(by: Sequence[str]) -> tuple[Column, ...]:
    return tuple(
        Column(("key", column), "prompt hash", prompt_hash)
        if column == "system_prompt_hash"
        else Column(("key", column), column)
        for column in by
    )


def _counts_line(data: Figures) -> str:
    parts = [f"{count(data['pairs'])} pairs", f"{count(data['scored'])} scored"]
    for name, title in (
        ("unscorable", "unscorable"),
        ("bad_rows", "unreadable rows"),
        ("not_asked", "not asked"),
        ("repeated", "repeated"),
        ("cached", "cached"),
    ):
        parts.append(f"{count(data[name])} {title}")
    return " · ".join(parts) + f"\nscorer {data['scorer']}"


def _item_table(groups: Sequence[Figures], column: str) -> Table:
    section = next(name for name in ("entities", "facts", "relationships") if name in groups[0])
    counts = tuple(Column(f"{section}.micro.{name}", name, count, "right") for name in ("tp", "fp", "fn"))
    rates = tuple(Column(f"{section}.micro.{name}", name, ratio, "right") for name in ("precision", "recall"))
    f1 = Column(f"{section}.micro", "F1 (95 %)", _f1_interval, "right")
    columns = (Column(("key", column), column), Column("pairs", "pairs", count, "right"), *counts, *rates, f1)
    return Table(columns, groups, f"{section} by {column}")


def _kinds_table(total: Figures) -> Table:
    kinds: Mapping[str, int] = total["kinds"]
    found = sorted((kind for kind in KINDS if kinds[kind]), key=lambda kind: -kinds[kind])
    # Of an answer that is not there nothing can be read, either.
    names = {"invalid_json": "invalid_json, or no answer"}
    records = [{"kind": names.get(kind, kind), "count": kinds[kind]} for kind in found]
    return Table(
        (Column("kind", "difference"), Column("count", "count", count, "right")), records, "Kinds of difference"
    )


def worst_table(records: Sequence[Figures]) -> Table:
    """The events with the least agreement."""
    columns = (
        Column("event_id", "event"),
        Column("system_prompt_hash", "prompt hash", prompt_hash),
        Column("agreement", "agreement", ratio, "right"),
        Column("kinds", "differences"),
    )
    return Table(columns, records, "Least agreement (see one with --explain EVENT)")


def explanation_table(explanations: Iterable[Figures]) -> Table:
    """Every pair on a line; JSON Lines carry the whole of each."""
    columns = (
        Column("event_id", "event"),
        Column("system_prompt_hash", "prompt hash", prompt_hash),
        Column("agreement", "agreement", ratio, "right"),
        Column("agrees", "agrees"),
        Column(
            "differences", "differences", lambda found: count(len(found)) if isinstance(found, list) else "—", "right"
        ),
    )
    return Table(columns, explanations)


def item_pairs_table(explanations: Iterable[Figures]) -> Table:
    """Every pair of items of some explanations on a line of its own."""
    records = [
        {"event_id": explanation["event_id"], "section": section, **pair}
        for explanation in explanations
        for section, pairs in explanation["sections"].items()
        for pair in pairs
    ]
    names = (
        "event_id",
        "section",
        "gold",
        "predicted",
        "accepted",
        "strict",
        "similarity",
        "kind",
        "critical",
        "reason",
    )
    return Table(tuple(Column(name, name) for name in names), records)


_MARKS = {(True, True): "=", (True, False): "≈", (False, False): "✗"}


def explanation_blocks(explanation: Figures) -> tuple[Table | str, ...]:
    """One pair as a field-aligned diff: the teacher's item, the student's item, and why they differ."""
    head = f"event {explanation['event_id']} · prompt {prompt_hash(explanation['system_prompt_hash'])}"
    if not explanation["scorable"]:
        return (f"{head}\nunscorable: the teacher's answer cannot be read as an extraction",)
    verdict = "agrees" if explanation["agrees"] else "disagrees"
    lines = [head, f"{verdict}, agreement {ratio(explanation['agreement'])}"]
    if explanation["missing_output"] or explanation["invalid_json"]:
        lines.append("the student gave no answer" if explanation["missing_output"] else "no extraction can be read")
    tables = [
        Table(_DIFF, [line for pair in pairs for line in _diff_lines(pair)], name)
        for name, pairs in explanation["sections"].items()
        if pairs
    ]
    return ("\n".join(lines), *tables, "= equal   ≈ accepted   ✗ unmatched   ! critical")


_DIFF = (
    Column("mark", ""),
    Column("gold", "teacher"),
    Column("predicted", "student"),
    Column("why", "difference"),
)


def _diff_lines(pair: Figures) -> list[Figures]:
    """The pair in brief, then a line for each field that the two sides write differently."""
    gold, predicted = pair["gold"], pair["predicted"]
    mark = _MARKS[bool(pair["accepted"]), bool(pair["strict"])] + ("!" if pair["critical"] else "")
    kind = pair["kind"] or ""
    why = f"{kind} {ratio(pair['similarity'])}" if kind and pair["similarity"] is not None else kind
    head = {"mark": mark, "gold": _brief(gold), "predicted": _brief(predicted), "why": why}
    if not kind or not isinstance(gold, Mapping) or not isinstance(predicted, Mapping):
        return [head]
    differing = [key for key in dict.fromkeys((*gold, *predicted)) if gold.get(key) != predicted.get(key)]
    return [head, *({"mark": "", "why": "", **_field(key, gold, predicted)} for key in differing)]


def _field(key: str, gold: Figures, predicted: Figures) -> dict[str, str]:
    sides = {"gold": gold, "predicted": predicted}
    return {side: f"  {key}: {shown(item[key])}" if key in item else f"  {key}: —" for side, item in sides.items()}


_BRIEF = (("source", "type", "target"), ("subject", "predicate", "object"), ("statement",), ("name",))


def _brief(item: object) -> str:
    """An item in a few words: its name, or what it says of what."""
    if not isinstance(item, Mapping):
        return "" if item is None else shown(item)
    for fields in _BRIEF:
        if item.get(fields[0]):
            return " · ".join(shown(item[field]) for field in fields if item.get(field))
    return " · ".join(f"{key} {shown(value)}" for key, value in item.items())


def comparison_blocks(data: Figures, names: tuple[str, str]) -> tuple[Table | str, ...]:
    """The tables of ``cascade compare``."""
    agreement, test = data["agreement"], data["mcnemar"]
    lines = [{"what": "agreement", **agreement}] + [
        {"what": f"{section} F1", **figures} for section, figures in data["f1"].items()
    ]
    p_value = test["p_value"]
    told = f"{p_value:.3g}" if isinstance(p_value, float) else "—"
    return (
        f"A {names[0]}\nB {names[1]}\n{_common(data)}",
        Table(_COMPARED, lines, "B less A on the same events (95 % interval)"),
        f"A alone agrees on {count(test['a_only'])}, B alone on {count(test['b_only'])}; McNemar's exact p = {told}",
        Table(_CHANGED, data["regressions"], "Regressions: A agrees, B does not"),
        Table(_CHANGED, data["improvements"], "Improvements: B agrees, A does not"),
    )


def _common(data: Figures) -> str:
    return (
        f"{count(data['events'])} common events · {count(data['only_a'])} only in A · {count(data['only_b'])} only in B"
    )


_COMPARED = (
    Column("what", ""),
    Column("a", "A", ratio, "right"),
    Column("b", "B", ratio, "right"),
    Column("difference", "B − A", lambda value: f"{value:+.3f}" if isinstance(value, float) else "—", "right"),
    Column("low", "low", lambda value: f"{value:+.3f}" if isinstance(value, float) else "—", "right"),
    Column("high", "high", lambda value: f"{value:+.3f}" if isinstance(value, float) else "—", "right"),
)
_CHANGED = (
    Column("event_id", "event"),
    Column("system_prompt_hash", "prompt hash", prompt_hash),
    Column("a", "A", ratio, "right"),
    Column("b", "B", ratio, "right"),
)
