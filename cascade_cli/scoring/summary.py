"""A frame of figures -> the corpus figures of each group, undefined ones None, nothing rounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

import numpy as np
import polars as pl

from cascade_cli.scoring.columns import KIND, KIND_COLUMNS
from cascade_cli.scoring.frames import Request, Scored
from cascade_cli.stats import agreement_interval, bootstrap_f1
from scorers import KINDS
from scorers.config import SECTIONS
from scorers.many import SECTION_KINDS

Figures = dict[str, Any]
"""Figures in the shape of the JSON of ``cascade score``: numbers, None, and mappings and lists of them."""

_COUNTS = ("tp", "fp", "fn", "strict", "soft", "raw_tp")
_NO_COUNTS: Figures = {
    "micro": dict.fromkeys(("tp", "fp", "fn", "precision", "recall", "f1", "low", "high")),
    **dict.fromkeys(("strict_f1", "soft_f1", "macro_f1", "median_f1", "raw_f1")),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Some pairs, and the values that they share."""

    key: Mapping[str, str | None]
    frame: pl.DataFrame


def summarize(scored: Scored, request: Request) -> Figures:
    """The whole of ``data`` in the JSON of ``cascade score``."""
    frame = scored.figures
    groups = [_group_figures(group) for group in _groups(frame, request)]
    if request.item_column is not None:
        groups = _item_groups(scored, request.item_column)
    data: Figures = {
        "scorer": request.config.fingerprint,
        "pairs": len(frame),
        "scored": _total(frame, "scorable"),
        "unscorable": len(frame) - _total(frame, "scorable"),
        "missing_output": _total(frame, "missing_output"),
        "not_asked": scored.not_asked,
        "bad_rows": scored.bad_rows,
        "repeated": scored.repeated,
        "cached": scored.cached,
        "repairable": _total(frame, "repairable"),
        "by": list(request.by),
        "groups": groups,
        "total": _group_figures(Group({}, frame)),
    }
    if request.config.official_exact:
        data["exact"] = _macro_over_groups(groups or [data["total"]])
    return data


def _groups(frame: pl.DataFrame, request: Request) -> Iterable[Group]:
    if request.by == (KIND,):
        for kind, column in zip(KINDS, KIND_COLUMNS, strict=True):
            concerned = frame.filter(pl.col(column) > 0)
            if len(concerned):
                yield Group({KIND: kind}, concerned)
    elif request.pair_columns:
        columns = [f"by_{column}" for column in request.pair_columns]
        # Row numbers first, so that only one group at a time is held beside the whole.
        places = frame.select(columns).with_row_index("place").group_by(columns).agg("place")
        places = places.sort(columns, nulls_last=True)
        for number, values in enumerate(places.select(columns).iter_rows()):
            key = dict(zip(request.pair_columns, map(_as_key, values), strict=True))
            yield Group(key, frame[places["place"][number]])


def _as_key(value: object) -> str | None:
    return None if value is None else str(value)


def _group_figures(group: Group) -> Figures:
    frame = group.frame
    scored = frame.filter(pl.col("scorable"))
    clusters = _clusters(scored)
    figures: Figures = {
        "key": dict(group.key),
        "pairs": len(frame),
        "scored": len(scored),
        "invalid_json": _total(frame, "invalid_json"),
        "missing_output": _total(frame, "missing_output"),
        "empty": _total(frame, "empty"),
        "agreement": _agreement(scored, clusters),
        "agreement_without_empty": _agreement(scored.filter(~pl.col("both_empty"))),
        "email_hallucination_rate": _mean(scored.select(pl.col("kind_hallucinated_email") > 0).to_series()),
        "legacy_entity_exact_disagreement_rate": _mean(1.0 - scored["legacy_entity_f1"]),
        "legacy_entity_exact_median_f1": _median(scored["legacy_entity_f1"]),
        **{section: _section_figures(scored, section, clusters) for section in SECTIONS},
        "kinds": {kind: _total(scored, f"kind_{kind}") for kind in KINDS},
        "kinds_by_section": _kinds_by_section(scored),
    }
    if scored["exact_f1"].null_count() < len(scored):
        figures["exact"] = {name: _mean(scored[f"exact_{name}"]) for name in ("precision", "recall", "f1")}
    return figures


def _kinds_by_section(scored: pl.DataFrame) -> Figures:
    """Each kind's count in each section; of an answer that cannot be read nobody knows the sections."""
    found: dict[str, Figures] = {section: {} for section in SECTIONS}
    for (section, kind), column in SECTION_KINDS.items():
        found[section][kind] = _total(scored, column)
    *split, last = SECTIONS
    found[last] = {
        kind: _total(scored, f"kind_{kind}") - sum(found[section][kind] for section in split)
        for kind in found[split[0]]
    }
    return found


def _clusters(frame: pl.DataFrame) -> Sequence[str] | None:
    """The cluster of each pair, one of its own where it shares none; None where no two share one."""
    named = pl.col("cluster").fill_null(pl.concat_str(pl.lit("\0"), pl.col("pair")))
    clusters = frame.select(named).to_series()
    return None if clusters.n_unique() == len(frame) else clusters.to_list()


def agreement_by(scored: Scored, request: Request) -> list[Figures]:
    """Key and agreement of each group of pairs, as in ``groups`` of :func:`summarize`, without what takes longer."""
    return [
        {"key": dict(group.key), "agreement": _agreement(group.frame.filter(pl.col("scorable")))}
        for group in _groups(scored.figures, request)
    ]


def agreement_of(figures: pl.DataFrame) -> Figures:
    """Rate, interval and number of those of some pairs that could be scored."""
    return _agreement(figures.filter(pl.col("scorable")))


def _agreement(scored: pl.DataFrame, clusters: Sequence[str] | None = None) -> Figures:
    agrees = scored["agrees"].to_numpy()
    clusters = clusters if clusters is not None else _clusters(scored)
    interval = agreement_interval(agrees, clusters)
    return {
        "rate": _mean(scored["agrees"]),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "n": len(scored),
    }


def _section_figures(scored: pl.DataFrame, section: str, clusters: Sequence[str] | None) -> Figures:
    column = {name: scored[f"{section}_{name}"].cast(pl.Float64) for name in _COUNTS}
    sums = {name: float(values.sum()) for name, values in column.items()}
    items = 2 * column["tp"] + column["fp"] + column["fn"]
    each_f1 = (2 * column["tp"] / items).filter(items > 0)
    whole = 2 * sums["tp"] + sums["fp"] + sums["fn"]
    return {
        "micro": _micro(column["tp"], column["fp"], column["fn"], clusters),
        "strict_f1": _ratio(2 * sums["strict"], whole),
        "soft_f1": _ratio(2 * sums["soft"], whole),
        "macro_f1": _mean(each_f1),
        "median_f1": _median(each_f1),
        "raw_f1": _ratio(2 * sums["raw_tp"], whole),
    }


def _micro(tp: pl.Series, fp: pl.Series, fn: pl.Series, clusters: Sequence[str] | None) -> Figures:
    hits, surplus, missed = int(tp.sum()), int(fp.sum()), int(fn.sum())
    counts = [side.to_numpy().astype(np.float64) for side in (tp, fp, fn)]
    interval = bootstrap_f1(counts[0], counts[1], counts[2], clusters)
    return {
        "tp": hits,
        "fp": surplus,
        "fn": missed,
        "precision": _ratio(hits, hits + surplus),
        "recall": _ratio(hits, hits + missed),
        "f1": _ratio(2 * hits, 2 * hits + surplus + missed),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
    }


def _item_groups(scored: Scored, column: str) -> list[Figures]:
    """Counts by a property of items: only the section that has it, and of that only the micro figures."""
    section = {"entity_type": "entities", "relationship_type": "relationships"}.get(column, "facts")
    groups = []
    for (value,), part in sorted(scored.tally.group_by("value"), key=lambda found: -len(found[1])):
        clusters = part.join(scored.figures.select("pair", "cluster"), on="pair", how="left")
        micro = _micro(part["tp"], part["fp"], part["fn"], _clusters(clusters))
        groups.append({"key": {column: value or None}, "pairs": len(part), section: {**_NO_COUNTS, "micro": micro}})
    return groups


def _macro_over_groups(groups: Sequence[Figures]) -> Figures:
    """The mean over groups, each group counting alike."""
    found = [group["exact"] for group in groups if "exact" in group]
    names = ("precision", "recall", "f1")
    return {name: _mean(pl.Series([each[name] for each in found], dtype=pl.Float64)) for name in names}


def _total(frame: pl.DataFrame, column: str) -> int:
    return int(frame[column].sum())


def _mean(values: pl.Series) -> float | None:
    mean = values.cast(pl.Float64).mean()
    return float(mean) if isinstance(mean, float) else None


def _median(values: pl.Series) -> float | None:
    median = values.cast(pl.Float64).median()
    return float(median) if isinstance(median, float) else None


def _ratio(part: float, whole: float) -> float | None:
    return None if isclose(whole, 0.0) else part / whole
