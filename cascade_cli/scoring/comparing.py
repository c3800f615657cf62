"""Two sets of answers to the same events, compared pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from cascade_cli.stats import mcnemar, paired_f1_difference, paired_rate_difference
from cascade_cli.stats.bootstrap import Difference
from cascade_cli.stats.intervals import Floats
from scorers.config import SECTIONS

Figures = dict[str, Any]
"""Figures in the shape of the JSON of ``cascade compare``."""
_COMMON_KEY = ("event_id", "system_prompt_hash", "sample_index")


def compare_figures(first: pl.DataFrame, second: pl.DataFrame, *, listed: int) -> Figures:
    """Compare the figures of two students or runs on the events that both have a score for.

    Args:
        first: the figures of A, as :class:`cascade_cli.scoring.frames.Scored` holds them.
        second: the figures of B.
        listed: how many regressions and improvements to list, the largest change of agreement first.
    """
    ours, theirs = (side.filter(pl.col("scorable")) for side in (first, second))
    both = ours.join(theirs, on=_COMMON_KEY, how="inner", suffix="_b", nulls_equal=True)
    clusters = _clusters(both)
    verdicts = both["agrees"].to_numpy(), both["agrees_b"].to_numpy()
    lost, won = (both.filter(~pl.col(after) & pl.col(before)) for before, after in _TURNS)
    return {
        "events": len(both),
        "only_a": len(ours) - len(both),
        "only_b": len(theirs) - len(both),
        "clusters": len(set(clusters)) if clusters is not None else None,
        "agreement": {
            "a": _rate(both["agrees"]),
            "b": _rate(both["agrees_b"]),
            **_difference(paired_rate_difference(*verdicts, clusters)),
        },
        "mcnemar": {"a_only": len(lost), "b_only": len(won), "p_value": mcnemar(len(lost), len(won))},
        "f1": {section: _section(both, section, clusters) for section in SECTIONS},
        "regressions": _changes(lost, listed),
        "improvements": _changes(won, listed),
    }


_TURNS = (("agrees", "agrees_b"), ("agrees_b", "agrees"))


def _clusters(both: pl.DataFrame) -> Sequence[str] | None:
    alone = pl.concat_str(pl.lit("\0"), pl.col("pair"))
    clusters = both.select(pl.col("cluster").fill_null(alone)).to_series()
    return None if clusters.n_unique() == len(both) else clusters.to_list()


def _section(both: pl.DataFrame, section: str, clusters: Sequence[str] | None) -> Figures:
    sides = [_counts(both, section, suffix) for suffix in ("", "_b")]
    difference = paired_f1_difference(sides[0], sides[1], clusters)
    return {"a": _f1(sides[0]), "b": _f1(sides[1]), **_difference(difference)}


def _counts(both: pl.DataFrame, section: str, suffix: str) -> tuple[Floats, Floats, Floats]:
    tp, fp, fn = (both[f"{section}_{name}{suffix}"].to_numpy().astype(np.float64) for name in ("tp", "fp", "fn"))
    return tp, fp, fn


def _f1(counts: tuple[Floats, Floats, Floats]) -> float | None:
    tp, fp, fn = (float(side.sum()) for side in counts)
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None


def _rate(verdicts: pl.Series) -> float | None:
    return float(verdicts.sum()) / len(verdicts) if len(verdicts) else None


def _difference(found: Difference | None) -> Figures:
    if found is None:
        return {"difference": None, "low": None, "high": None}
    return {"difference": found.value, "low": found.interval.low, "high": found.interval.high}


def _changes(turned: pl.DataFrame, listed: int) -> list[Figures]:
    by_size = turned.with_columns(change=pl.col("agreement_b") - pl.col("agreement"))
    ordered = by_size.sort(pl.col("change").abs(), "event_id", descending=[True, False]).head(listed)
    columns = {"event_id": "event_id", "system_prompt_hash": "system_prompt_hash", "agreement": "a", "agreement_b": "b"}
    return ordered.select(pl.col(name).alias(title) for name, title in columns.items()).to_dicts()
