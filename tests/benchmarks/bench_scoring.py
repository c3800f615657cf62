"""Pairs a CPU second of the structured diff, of the peers, and of a floor, in one run.

    python tests/benchmarks/bench_scoring.py [--repeats 5] [--scale 1.0]

Every figure is measured in a fresh process of its own, so that no cache is warm, and the processes of the contenders
alternate. The floor is only ``cdist`` and a linear assignment over three text sections: no reading, no verdicts.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.corpus import CorpusName, Pairing, make_corpus
from benchmarks.machine import describe_machine
from benchmarks.peers import installed_peers, missing_peers

CORPORA: tuple[CorpusName, ...] = ("recurring", "fresh")
AIMS = {"recurring": 30, "fresh": 15}
"""Wanted: so many times the speed of stickler with its rapidfuzz comparator."""
REFERENCE = "stickler-rapidfuzz"
OURS, OURS_TWICE, FLOOR = "ours, 1 process", "ours, 2 processes", "floor"
PAIRS = {
    OURS: 10_000, OURS_TWICE: 20_000, FLOOR: 20_000,
    "stickler": 40, "stickler-rapidfuzz": 200, "deepdiff": 200, "anls-star": 10, "JSONDiff": 2_000,
}  # fmt: skip
"""Pairs a measurement, so that each takes some seconds at most."""

INTRODUCTION = """\
## Speed

`python tests/benchmarks/bench_scoring.py`. About 10 entities, 7 facts and 5 relationships a side; caches cold, each
measurement in a fresh process; medians of {repeats} alternating runs. Ours builds every record of a difference.
`recurring`: names from a few hundred, objects and statements new; `fresh`: names new as well. The floor is only `cdist`
and a linear assignment over three text sections.

Machine: {machine}.
"""

Run = Callable[[list[Pairing]], object]


class Reading(NamedTuple):
    """Pairs a second of CPU, over all processes, and of wall time."""

    per_cpu_s: float
    per_wall_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of one contender on one corpus."""

    corpus: CorpusName
    contender: str
    reading: Reading


def contenders() -> dict[str, Run]:
    """Every contender by name: ours, the floor, and the peers that are installed."""
    ours = {OURS: lambda pairs: _score_all(pairs, 1), OURS_TWICE: lambda pairs: _score_all(pairs, 2)}
    return {**ours, FLOOR: _assign_texts, **{peer.name: _score_each(peer.score) for peer in installed_peers()}}


def _score_all(pairs: list[Pairing], processes: int) -> object:
    from scorers import score_many

    golds, predictions = [pair.gold for pair in pairs], [pair.predicted for pair in pairs]
    return score_many(golds, predictions, known_emails=[pair.known_emails for pair in pairs], processes=processes)


def _score_each(score: Callable[..., float]) -> Run:
    return lambda pairs: [score(pair.gold, pair.predicted) for pair in pairs]


def _assign_texts(pairs: list[Pairing]) -> object:
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist
    from scipy.optimize import linear_sum_assignment

    return [
        linear_sum_assignment(cdist(gold, predicted, scorer=Indel.normalized_similarity), maximize=True)
        for pair in pairs
        for gold, predicted in zip(_texts(pair.gold), _texts(pair.predicted), strict=True)
        if gold and predicted
    ]


def _texts(extraction: dict[str, list[dict[str, object]]]) -> list[list[str]]:
    return [
        [str(entity["name"]) for entity in extraction["entities"]],
        [str(fact["statement"]) for fact in extraction["facts"]],
        [f"{item['source']} {item['type']} {item['target']}" for item in extraction["relationships"]],
    ]


def measure(contender: str, corpus: CorpusName, pairs: int) -> Reading:
    """Measure one contender in this process, its libraries loaded and its caches cold."""
    import polars as pl  # noqa: F401 - ours imports it inside the call, the peers' libraries stand loaded

    run, events = contenders()[contender], list(make_corpus(corpus, pairs))
    # The corpus is held for the measurement's sake only; a stream would not make the collector walk it.
    gc.collect()
    gc.freeze()
    wall_s, cpu_s = time.perf_counter(), _cpu_s()
    run(events)
    return Reading(pairs / (_cpu_s() - cpu_s), pairs / (time.perf_counter() - wall_s))


def _cpu_s() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure_apart(contender: str, corpus: CorpusName, pairs: int) -> Reading:
    """Measure one contender in a fresh process."""
    command = [sys.executable, __file__, "--measure", contender, corpus, str(pairs)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Reading(*json.loads(answer.stdout))


def measure_all(repeats: int, scale: float) -> list[Row]:
    """Measure everything ``repeats`` times, alternating, and take medians."""
    runs = [(corpus, contender) for corpus in CORPORA for contender in contenders()]
    readings: dict[tuple[CorpusName, str], list[Reading]] = {run: [] for run in runs}
    for _ in range(repeats):
        for corpus, contender in runs:
            pairs = max(2, round(PAIRS[contender] * scale))
            readings[corpus, contender].append(measure_apart(contender, corpus, pairs))
    return [Row(*run, _median(found)) for run, found in readings.items()]


def _median(readings: list[Reading]) -> Reading:
    return Reading(*(statistics.median(column) for column in zip(*readings, strict=True)))


def section(repeats: int = 5, scale: float = 1.0) -> str:
    """Measure and return the report's section, in Markdown."""
    rows = measure_all(repeats, scale)
    lines = [
        INTRODUCTION.format(repeats=repeats, machine=describe_machine()),
        "| corpus | metric | pairs a CPU second | pairs a second, wall | ours is |",
        "| --- | --- | --: | --: | --: |",
        *(_line(row, rows) for row in rows),
        "",
        *(_verdict(corpus, rows) for corpus in CORPORA),
        *(f"- {name} was left out: {reason}." for name, reason in missing_peers().items()),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row, rows: list[Row]) -> str:
    ratio = _speed(rows, row.corpus, OURS) / row.reading.per_cpu_s
    figures = f"{row.reading.per_cpu_s:,.4g} | {row.reading.per_wall_s:,.4g} | {ratio:.3g}×"
    return f"| {row.corpus} | {row.contender} | {figures} |"


def _verdict(corpus: CorpusName, rows: list[Row]) -> str:
    ours, floor = _speed(rows, corpus, OURS), _speed(rows, corpus, FLOOR)
    against_floor = f"ours / floor {ours / floor:.3f}"
    if not any(row.contender == REFERENCE for row in rows):
        return f"- {corpus}: {against_floor}"
    ratio = ours / _speed(rows, corpus, REFERENCE)
    return f"- {corpus}: ours / {REFERENCE} {ratio:.1f} (wanted: {AIMS[corpus]} or more), {against_floor}"


def _speed(rows: list[Row], corpus: CorpusName, contender: str) -> float:
    return next(row.reading.per_cpu_s for row in rows if (row.corpus, row.contender) == (corpus, contender))


def main() -> None:
    """Measure one contender, or print the whole section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="shrink or stretch the pairs of every measurement")
    parser.add_argument("--measure", nargs=3, metavar=("CONTENDER", "CORPUS", "PAIRS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        contender, corpus, pairs = options.measure
        print(json.dumps(measure(contender, corpus, int(pairs))))
    else:
        print(section(options.repeats, options.scale))


if __name__ == "__main__":
    main()
