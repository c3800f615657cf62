"""Write the sections of ``reports/scoring-vs-peers.md``: all of them, or those that are named.

python tests/benchmarks/write_report.py [metrics] [traps] [perturbations] [speed] [million]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import bench_million, bench_scoring
from benchmarks.peers import Peer, exact_rules, installed_peers, missing_peers
from validation.gold_extractions import SOURCES, gold_extractions
from validation.perturbations import PERTURBATIONS, Case, perturb
from validation.separation import VERDICT_AT, auc, fair, means, our_agreement, our_verdict, score_cases
from validation.traps import TRAPS, Score

REPORT = Path(__file__).parents[2] / "reports" / "scoring-vs-peers.md"
TITLE = """\
# The structured diff beside its peers

Written by `python tests/benchmarks/write_report.py`; the peers are the extra `bench`. Every value is in [0, 1], 1 for
"the same"; nothing here was tuned for a peer or against one: each is used as its own documentation recommends.
"""
TRAPS_TEXT = """\
## Traps

A trap is a pair of extractions, or several, on which metrics go wrong, with what a right one must do; `a`, `b` and `c`
are the values on its pairs, in order (`tests/validation/traps.py`; ours is asserted by
`pytest tests/validation/test_peer_traps.py`). `exact triples` sees facts alone and `exact names` entities alone:
elsewhere ✗ says that they are blind.
"""
PERTURBATIONS_TEXT = """\
## Harmless and harmful changes

Single changes of gold extractions whose effect is known (`tests/validation/perturbations.py`, seeded, at most {each} of
a kind from each source; asserted by `pytest -m '' tests/validation/test_perturbations.py`). AUC is the chance that a
harmless change scores above a harmful one, ties half, over n = {n:,} changes. Inverse and symmetric relations are left
out of it, since no peer can be told of them; other names for the fields of a relationship were tried on ours alone.
*Verdict* is the AUC of our `agrees`, and of a peer's score reaching {verdict_at}: it forgives a small mistake among
many items. An invented address does not lower our agreement, it forbids our verdict.
"""
CASES_EACH = 40
MOST_VALUES_SHOWN = 3

Metrics = Mapping[str, Score]


def metrics() -> Metrics:
    """Ours, the peers that are installed, and the two exact rules, by name."""
    others = {peer.name: peer.score for peer in _others()}
    return {"ours": our_agreement, **others}


def _others() -> list[Peer]:
    return [*installed_peers(), *exact_rules()]


def metrics_section() -> str:
    """What is compared, and how each is called."""
    rows = [[peer.name, f"{peer.distribution} {peer.version}", peer.usage] for peer in _others()]
    ours = ["ours", "cascade-cli", "`score_extraction(gold, predicted).agreement`"]
    absent = [f"- {name} was left out: {reason}." for name, reason in missing_peers().items()]
    table = _table(["metric", "package", "how it is called"], [ours, *rows])
    return "\n".join(["## Metrics", "", table, *absent]) + "\n"


def traps_section() -> str:
    """Every trap: the rule, and what each metric says."""
    scores = metrics()
    passed = dict.fromkeys(scores, 0)
    rows = []
    for trap in TRAPS:
        cells = []
        for name, score in scores.items():
            values = trap.values(score)
            passed[name] += trap.holds(*values)
            cells.append(f"{_values(values)} {'✓' if trap.holds(*values) else '✗'}")
        rows.append([trap.title, trap.rule, *cells])
    rows.append(["**passed**", f"of {len(TRAPS)}", *(f"**{count}**" for count in passed.values())])
    return "\n".join([TRAPS_TEXT, _table(["trap", "rule", *scores], rows)]) + "\n"


def _values(values: Sequence[float]) -> str:
    if len(values) > MOST_VALUES_SHOWN:
        return f"{min(values):.3f}–{max(values):.3f}"
    return " / ".join(f"{value:.3f}" for value in values)


def perturbations_section() -> str:
    """How well each metric separates harmless from harmful changes, and the mean of each kind of change."""
    cases = [case for source in SOURCES for case in perturb(source, gold_extractions(source), CASES_EACH)]
    scored = {name: score_cases(cases, score) for name, score in metrics().items()}
    verdicts = {name: [float(value >= VERDICT_AT) for value in values] for name, values in scored.items()}
    verdicts["ours"] = score_cases(cases, our_verdict)
    separation = [_separation(name, cases, scored[name], verdicts[name]) for name in scored]
    parts = [
        PERTURBATIONS_TEXT.format(each=CASES_EACH, n=len(fair(cases)), verdict_at=VERDICT_AT),
        _table(["metric", *SOURCES, "all", "without invented e-mails", "verdict"], separation),
        "\nMean score after a change, and the share of verdicts of ours that agree:\n",
        _table(["change", "", "n", *scored, "ours agrees"], _mean_rows(cases, {**scored, "": verdicts["ours"]})),
    ]
    return "\n".join(parts) + "\n"


def _separation(name: str, cases: list[Case], scores: list[float], verdicts: list[float]) -> list[str]:
    def of(keep: Callable[[Case], bool], values: list[float]) -> str:
        kept = [
            (case, value)
            for case, value in zip(cases, values, strict=True)
            if keep(case) and not case.perturbation.needs_schema
        ]
        return f"{auc([case for case, _ in kept], [value for _, value in kept]):.3f}" if kept else "–"

    return [
        name,
        *(of(lambda case, source=source: case.source == source, scores) for source in SOURCES),
        of(lambda _: True, scores),
        of(lambda case: case.perturbation.name != "invented e-mail", scores),
        of(lambda _: True, verdicts),
    ]


def _mean_rows(cases: list[Case], columns: Mapping[str, list[float]]) -> list[list[str]]:
    found = {name: means(cases, scores) for name, scores in columns.items()}
    return [
        [
            each.name,
            "harmful" if each.harmful else "harmless",
            str(sum(case.perturbation is each for case in cases)),
            *(f"{values[each.name]:.3f}" if each.name in values else "–" for values in found.values()),
        ]
        for each in PERTURBATIONS
    ]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


SECTIONS: Mapping[str, Callable[[], str]] = {
    "metrics": metrics_section,
    "traps": traps_section,
    "perturbations": perturbations_section,
    "speed": bench_scoring.section,
    "million": bench_million.section,
}
HEADINGS = {
    "Metrics": "metrics",
    "Traps": "traps",
    "Harmless and harmful changes": "perturbations",
    "Speed": "speed",
    "A million pairs": "million",
}


def write(names: Sequence[str]) -> None:
    """Write the named sections anew and keep the others as the report has them."""
    kept = _sections_of(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
    for name in names:
        kept[name] = SECTIONS[name]()
        parts = [kept[each] for each in SECTIONS if each in kept]
        REPORT.write_text("\n".join([TITLE, *parts]), encoding="utf-8")


def _sections_of(text: str) -> dict[str, str]:
    """The sections that a report already has, by the names used here."""
    bodies = [body.rstrip() + "\n" for body in text.split("\n## ")[1:]]
    return {HEADINGS[body.partition("\n")[0]]: f"## {body}" for body in bodies}


def main() -> None:
    """Write the sections named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    write(parser.parse_args().sections or list(SECTIONS))


if __name__ == "__main__":
    main()
