"""Name similarity on labelled pairs, beside a leading matcher and plain ratios.

    python tests/validation/name_pairs_report.py [name_pairs.csv]

The file has the columns name1, name2, schema, category, is_match and reference_score. Printed are F1 at the
threshold and the area under the ROC curve (AUC): over all pairs, by schema, by category, and on halves that
played no part in choosing any number.
"""

from __future__ import annotations

import csv
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from rapidfuzz import fuzz

from scorers.strings import name_alignment
from scorers.strings.names import ENTITY_THRESHOLD, name_similarity

PAIRS = Path(__file__).parents[3] / "shared" / "data" / "name_pairs.csv"
REFERENCE_THRESHOLD = 0.7
SPLITS = 200
GRID = {
    "WORD_THRESHOLD": (0.6, 0.65, 0.7, 0.75, 0.8),
    "OMITTED_NAME": (0.1, 0.25, 0.4),
    "OTHER_ORDER": (0.8, 0.9, 1.0),
    "SMALL_WEIGHT": (0.1, 0.2, 0.4),
}
"""Numbers that are chosen on one half and tried on the other."""

RATIOS: dict[str, Callable[[str, str], float]] = {
    "ratio": fuzz.ratio,
    "token_sort_ratio": fuzz.token_sort_ratio,
    "token_set_ratio": fuzz.token_set_ratio,
    "WRatio": fuzz.WRatio,
    "QRatio": fuzz.QRatio,
}


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two names, whether people call them one, and what the reference matcher gave."""

    left: str
    right: str
    schema: str
    category: str
    is_match: bool
    reference: float


@dataclass(frozen=True, slots=True)
class Quality:
    """F1 at a threshold, and AUC; None where undefined (no match, or no pair of either label)."""

    f1: float | None
    auc: float | None


def read_pairs(path: Path = PAIRS) -> list[LabelledPair]:
    """Read the labelled pairs."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            LabelledPair(
                row["name1"],
                row["name2"],
                row["schema"],
                row["category"] or "-",
                row["is_match"] == "true",
                float(row["reference_score"]),
            )
            for row in csv.DictReader(lines)
        ]


def quality(scores: list[float], labels: list[bool], threshold: float) -> Quality:
    """Measure scores against labels."""
    found = [score >= threshold for score in scores]
    hits = sum(f and label for f, label in zip(found, labels, strict=True))
    misses = sum(f != label for f, label in zip(found, labels, strict=True))
    yes = [score for score, label in zip(scores, labels, strict=True) if label]
    no = [score for score, label in zip(scores, labels, strict=True) if not label]
    wins = sum((y > n) + 0.5 * (y == n) for y in yes for n in no)
    return Quality(
        2 * hits / (2 * hits + misses) if hits + misses else None,
        wins / (len(yes) * len(no)) if yes and no else None,
    )


def our_scores(pairs: list[LabelledPair], *, typed: bool = True) -> list[float]:
    """Score every pair, with or without telling the type."""
    return [name_similarity(pair.left, pair.right, pair.schema if typed else None) for pair in pairs]


def best_plain(pairs: list[LabelledPair], ratio: Callable[[str, str], float]) -> tuple[Quality, float]:
    """Score a plain ratio of the lower-cased names at the threshold that suits these very pairs best."""
    scores = [ratio(pair.left.lower(), pair.right.lower()) / 100 for pair in pairs]
    labels = [pair.is_match for pair in pairs]
    tried = ((quality(scores, labels, step / 100), step / 100) for step in range(40, 100))
    return max(tried, key=lambda found: found[0].f1 or 0)


@contextmanager
def numbers(**chosen: float) -> Iterator[None]:
    """Put other numbers in place of the module's constants for a while."""
    kept = {name: getattr(name_alignment, name) for name in chosen}
    try:
        for name, value in chosen.items():
            setattr(name_alignment, name, value)
        yield
    finally:
        for name, value in kept.items():
            setattr(name_alignment, name, value)


def held_out(pairs: list[LabelledPair], *, splits: int = SPLITS, typed: bool = True) -> list[tuple[Quality, Quality]]:
    """Choose the numbers of ``GRID`` by F1 on a random half; return ours and the reference's on the other half."""
    labels = [pair.is_match for pair in pairs]
    settings = []
    for values in product(*GRID.values()):
        with numbers(**dict(zip(GRID, values, strict=True))):
            settings.append(our_scores(pairs, typed=typed))
    rng = random.Random(20260301)
    return [_one_split(settings, [p.reference for p in pairs], labels, rng) for _ in range(splits)]


def _one_split(
    settings: list[list[float]], reference: list[float], labels: list[bool], rng: random.Random
) -> tuple[Quality, Quality]:
    order = rng.sample(range(len(labels)), len(labels))
    seen, unseen = order[: len(order) // 2], order[len(order) // 2 :]

    def on(scores: list[float], rows: list[int], threshold: float) -> Quality:
        return quality([scores[row] for row in rows], [labels[row] for row in rows], threshold)

    chosen = max(settings, key=lambda scores: _f1([(scores[row], labels[row]) for row in seen]))
    return on(chosen, unseen, ENTITY_THRESHOLD), on(reference, unseen, REFERENCE_THRESHOLD)


def _f1(scored: list[tuple[float, bool]]) -> float:
    hits = sum(score >= ENTITY_THRESHOLD and label for score, label in scored)
    misses = sum((score >= ENTITY_THRESHOLD) != label for score, label in scored)
    return 2 * hits / (2 * hits + misses)


def _line(label: str, n: int, ours: Quality, reference: Quality) -> str:
    cells = (ours.f1, reference.f1, ours.auc, reference.auc)
    return f"{label:32} {n:4} " + " ".join("      -" if cell is None else f"{cell:7.3f}" for cell in cells)


def _print_groups(pairs: list[LabelledPair], scores: list[float], key: Callable[[LabelledPair], str]) -> None:
    for group in sorted({key(pair) for pair in pairs}):
        rows = [row for row, pair in enumerate(pairs) if key(pair) == group]
        labels = [pairs[row].is_match for row in rows]
        ours = quality([scores[row] for row in rows], labels, ENTITY_THRESHOLD)
        reference = quality([pairs[row].reference for row in rows], labels, REFERENCE_THRESHOLD)
        print(_line(f"  {group}", len(rows), ours, reference))


def _spread(values: list[float | None]) -> str:
    known = sorted(value for value in values if value is not None)
    low, high = known[len(known) // 20], known[-1 - len(known) // 20]
    return f"{statistics.mean(known):.3f} ({low:.3f} to {high:.3f})"


def main(path: Path = PAIRS) -> None:
    """Print the report."""
    pairs = read_pairs(path)
    labels = [pair.is_match for pair in pairs]
    reference = quality([pair.reference for pair in pairs], labels, REFERENCE_THRESHOLD)
    print(
        f"{'':32} {'n':>4}      F1 ref. F1     AUC ref. AUC   at {ENTITY_THRESHOLD}; reference at {REFERENCE_THRESHOLD}"
    )
    print(_line("all, type told", len(pairs), quality(our_scores(pairs), labels, ENTITY_THRESHOLD), reference))
    untold = quality(our_scores(pairs, typed=False), labels, ENTITY_THRESHOLD)
    print(_line("all, type not told", len(pairs), untold, reference))
    for title, key in (("by schema", lambda p: p.schema), ("by category", lambda p: p.category)):
        print(f"{title}, type told")
        _print_groups(pairs, our_scores(pairs), key)
    print("plain ratios, each at the threshold that suits these pairs best")
    for name, ratio in RATIOS.items():
        found, threshold = best_plain(pairs, ratio)
        print(f"  {name:20} F1 {found.f1:.3f} at {threshold:.2f}, AUC {found.auc:.3f}")
    print(f"held out: numbers chosen on a random half, {SPLITS} times; mean (5 % to 95 %) on the other half")
    for typed in (True, False):
        splits = held_out(pairs, typed=typed)
        for who, side in (("ours", 0), ("reference", 1)):
            f1, auc = _spread([s[side].f1 for s in splits]), _spread([s[side].auc for s in splits])
            print(f"  {who:10} type {'told' if typed else 'not told':9} F1 {f1}  AUC {auc}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
