"""Deferral curves on public routing outcomes give the published figures, to the digits given."""

from __future__ import annotations

import gzip
from math import ceil
from pathlib import Path

import polars as pl
import pytest

from cascade_cli.stats.deferral import gap_recovered, oracle_curve, random_curve

PATH = Path(__file__).parents[2] / ".." / "shared" / "data" / "routing_outcomes.csv.gz"
pytestmark = pytest.mark.skipif(not PATH.exists(), reason="the real data is not beside the repository")


@pytest.mark.parametrize(
    ("suite", "n", "weak", "strong", "only_strong", "only_weak", "oracle", "chance", "recovered"),
    [
        ("mmlu", 14_042, "0.6808", "0.8058", "17.78", "5.28", "0.0847", "0.6776", "1.2851"),
        ("gsm8k", 1_319, "0.6384", "0.8567", "29.04", "7.20", "0.1759", "0.8038", "1.1249"),
    ],
)
def test_golden_figures(
    suite: str,
    n: int,
    weak: str,
    strong: str,
    only_strong: str,
    only_weak: str,
    oracle: str,
    chance: str,
    recovered: str,
) -> None:
    rows = pl.read_csv(gzip.decompress(PATH.read_bytes())).filter(pl.col("dataset").str.starts_with(suite))
    first, second = (rows[name].cast(pl.Float64).to_numpy() for name in ("weak_correct", "strong_correct"))
    target = 0.95 * second.mean()
    best = ceil(oracle_curve(first, second).calls_for(target) - 1e-6)
    line = random_curve(first, second).calls_for(target)
    found = {
        "n": len(rows),
        "weak": f"{first.mean():.4f}",
        "strong": f"{second.mean():.4f}",
        "only strong": f"{100 * ((first == 0) & (second == 1)).mean():.2f}",
        "only weak": f"{100 * ((first == 1) & (second == 0)).mean():.2f}",
        "oracle": f"{best / len(rows):.4f}",
        "random": f"{line / len(rows):.4f}",
        "gap recovered": f"{gap_recovered(oracle_curve(first, second)):.4f}",
    }
    print(f"\n{suite}: {found}, oracle calls {best}")
    assert list(found.values()) == [n, weak, strong, only_strong, only_weak, oracle, chance, recovered]
