"""``cascade score`` from end to end: find the pairs, score them, sum up, judge, hand back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from cascade_cli.config import (
    POLICY_HIGH_VALUE_CATEGORIES,
    SCORE_CLUSTER_BY,
    Settings,
)
from cascade_cli.console import Console, Format, Result, Table
from cascade_cli.errors import NothingEvaluated, UsageError
from cascade_cli.records import BadRow, Row
from cascade_cli.scoring.columns import resolve_cluster, resolve_columns
from cascade_cli.scoring.configuring import scoring_config
from cascade_cli.scoring.explaining import Explanation, explain_rows
from cascade_cli.scoring.flip_gate import FlipGateWanted, check_flip_flags, judge_flip, with_flip_gate
from cascade_cli.scoring.frames import Request, Scored, warnings_of
from cascade_cli.scoring.gates import Conditions, judge
from cascade_cli.scoring.pairs import PairSource, score_pairs
from cascade_cli.scoring.summary import summarize
from cascade_cli.scoring.tables import (
    explanation_blocks,
    explanation_table,
    item_pairs_table,
    score_blocks,
    worst_table,
)
from scorers import KINDS


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What was asked of ``cascade score``.

    Attributes:
        pairs: which pairs to read.
        by: columns to group by.
        preset: name of the metric's preset.
        worst: how many of the least agreeing pairs to list.
        explain: events whose diff is wanted instead of figures.
        explain_all: every diff is wanted.
        conditions: what must hold.
        for_flip: the verdict is to be kept for the flip; None where it is not.
    """

    pairs: PairSource = field(default_factory=PairSource)
    by: tuple[str, ...] = ()
    preset: str = "default"
    worst: int = 0
    explain: tuple[str, ...] = ()
    explain_all: bool = False
    conditions: Conditions = field(default_factory=Conditions)
    for_flip: FlipGateWanted | None = None


def run_score(inquiry: Inquiry, settings: Settings, console: Console) -> Result:
    """Score, or explain, what was asked for.

    Raises:
        CascadeError: nothing could be read, or a flag makes no sense.
    """
    _check_flags(inquiry)
    request = Request(
        scoring_config(inquiry.preset, settings.scoring, settings[POLICY_HIGH_VALUE_CATEGORIES]),
        resolve_columns(inquiry.by),
        resolve_cluster(settings[SCORE_CLUSTER_BY]),
    )
    if inquiry.explain or inquiry.explain_all:
        return _explained(inquiry, settings, request, console)
    scored, run_id = score_pairs(inquiry.pairs, request, settings, console, command="score")
    result = _result(scored, request, inquiry, run_id)
    if inquiry.for_flip is None:
        return result
    judgement = judge_flip(scored, settings, inquiry.conditions.fail_under or 0.0)
    return with_flip_gate(result, judgement, settings, inquiry.for_flip, request.config.fingerprint)


def _check_flags(inquiry: Inquiry) -> None:
    """Refuse flags that would do nothing: whoever gave them expects that they do."""
    conditions = inquiry.conditions
    if conditions.fail_under is None and (conditions.each_group or conditions.on_rate):
        raise UsageError("--each-hash and --on-rate say how --fail-under is judged, which is missing.")
    if inquiry.for_flip is not None:
        check_flip_flags(conditions, inquiry.pairs.location, inquiry.preset)
    if not (inquiry.explain or inquiry.explain_all):
        return
    if inquiry.explain and inquiry.explain_all:
        raise UsageError("--explain and --explain-all cannot be combined.")
    if conditions.fail_under is not None or inquiry.by or inquiry.worst:
        raise UsageError("An explanation cannot be combined with groups, --worst or a gate.", hint="Run the two apart.")


def _result(scored: Scored, request: Request, inquiry: Inquiry, run_id: str | None) -> Result:
    data = summarize(scored, request)
    gate, failure = judge(data, _conditions(inquiry))
    blocks: tuple[Table | str, ...] = score_blocks(data)
    if inquiry.worst:
        data["worst"] = _worst(scored.figures, inquiry.worst)
        blocks = (*blocks, worst_table(data["worst"]))
    return Result(data, blocks, warnings=warnings_of(scored), run_id=run_id, gate=gate, failure=failure)


def _conditions(inquiry: Inquiry) -> Conditions:
    """What all pairs must fulfil: of a gate for the flip only the prompt in force, unless every hash is asked for."""
    if inquiry.for_flip is None or inquiry.conditions.each_group:
        return inquiry.conditions
    return replace(inquiry.conditions, fail_under=None)


def _worst(figures: pl.DataFrame, wanted: int) -> list[dict[str, object]]:
    """The pairs that agree least, with their kinds of difference."""
    lowest = figures.filter(pl.col("scorable")).sort("agreement", "event_id").head(wanted)
    return [
        {
            "event_id": line["event_id"],
            "system_prompt_hash": line["system_prompt_hash"],
            "agreement": line["agreement"],
            "agrees": line["agrees"],
            "kinds": {kind: line[f"kind_{kind}"] for kind in KINDS if line[f"kind_{kind}"]},
        }
        for line in lowest.iter_rows(named=True)
    ]


def _explained(inquiry: Inquiry, settings: Settings, request: Request, console: Console) -> Result:
    wanted = None if inquiry.explain_all else frozenset(inquiry.explain)
    explanations = explain_rows(_rows_to_explain(inquiry, settings), request.config, wanted)
    if inquiry.explain_all and console.output.format is not Format.JSON:
        return Result(None, (explanation_table(explanations),))  # streamed, whatever their number
    found = list(explanations)
    if inquiry.explain_all:
        return Result({"explanations": found})
    missing = sorted(set(inquiry.explain) - {each["event_id"] for each in found})
    if not found:
        raise NothingEvaluated(
            f"No recorded pair of event {', '.join(missing[:5])}.",
            hint="An event needs a trace and a student answer to be explained.",
        )
    warnings = tuple(f"No recorded pair of event {event_id}." for event_id in missing)
    return Result({"explanations": found}, _blocks(found, console.output.format), warnings=warnings)


def _blocks(found: list[Explanation], form: Format) -> tuple[Table | str, ...]:
    """Explanations for people as tables by section; for programs one record an event, or one a pair of items."""
    if form is Format.JSONL:
        return (explanation_table(found),)
    if form is Format.CSV:
        return (item_pairs_table(found),)
    return tuple(block for each in found for block in explanation_blocks(each))


def _rows_to_explain(inquiry: Inquiry, settings: Settings) -> Iterator[Row | BadRow]:
    pairs = inquiry.pairs
    if pairs.location is not None:
        return pairs.rows_of_file()
    wanted: Iterable[str | None] = inquiry.explain or (None,)
    return (row for event_id in wanted for row in pairs.rows_of_workspace(settings, event_id))
