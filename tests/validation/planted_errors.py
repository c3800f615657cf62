"""Does the diff find the errors that the generator of the fixtures planted, and nothing else?

``python tests/validation/planted_errors.py`` prints the confusion of planted with found kinds, precision and recall;
``--seed N`` does it on another corpus of the same generator, which nobody looked at while the rules were written.
"""

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from cascade_cli.scoring.explaining import explain
from cascade_cli.sources import read_rows
from scorers import ScoringConfig

FIXTURES = Path(__file__).parents[2] / "fixtures"
sys.path.append(str(FIXTURES.parent))  # the generator is no part of an installed package
NOTHING = "—"
HARMLESS = {NOTHING, "name_variant"}


class Outcome(NamedTuple):
    """Planted kind x found kind -> how often."""

    confusion: Counter[tuple[str, str]]

    @property
    def recall(self) -> float:
        """Share of the harmful planted errors that were found as what they are."""
        planted = sum(n for (kind, _), n in self.confusion.items() if kind not in HARMLESS)
        return sum(n for (kind, found), n in self.confusion.items() if kind not in HARMLESS and kind == found) / planted

    @property
    def precision(self) -> float:
        """Share of the harmful differences found that were planted as what they are."""
        told = sum(n for (_, found), n in self.confusion.items() if found not in HARMLESS)
        return sum(n for (kind, found), n in self.confusion.items() if found not in HARMLESS and kind == found) / told


def confusion(folder: Path = FIXTURES) -> Outcome:
    """Compare what was planted with what is found, item by item, in every scorable pair of a corpus."""
    planted = {line["event_id"]: line["errors"] for line in lines_of(folder / "planted.jsonl.gz")}
    table: Counter[tuple[str, str]] = Counter()
    for row in read_rows(folder / "pairs.jsonl.gz"):
        explanation = explain(row, ScoringConfig())
        if not explanation["scorable"]:
            continue
        found = {key(each): each["kind"] for each in explanation["differences"]}
        wanted = {key(each): each["kind"] for each in planted[row.trace.event_id]}
        if "invalid_json" in found.values():
            # That nothing was read makes every item missing: one planted error, one found.
            found = {each: kind for each, kind in found.items() if kind == "invalid_json"}
        for each in found.keys() | wanted.keys():
            table[wanted.get(each, NOTHING), found.get(each, NOTHING)] += 1
    return Outcome(table)


def key(difference: dict[str, object]) -> str:
    """What is compared: section and both items, whatever the order of their fields."""
    if difference["kind"] == "invalid_json":
        return "invalid_json"
    return json.dumps([difference["section"], difference["gold"], difference["predicted"]], sort_keys=True)


def lines_of(path: Path) -> Iterator[dict[str, object]]:
    """The objects of a gzipped JSON Lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def write_corpus(folder: Path, seed: int) -> None:
    """Generate another corpus."""
    from fixtures.corpus import files, rows, schedule, world, writers

    for module in (rows, schedule, world, writers):
        module.SEED = seed
    files.write(folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    seed = parser.parse_args().seed
    with TemporaryDirectory() as folder:
        if seed is not None:
            write_corpus(Path(folder), seed)
        outcome = confusion(FIXTURES if seed is None else Path(folder))
    for (planted, found), n in sorted(outcome.confusion.items()):
        print(f"{planted:20} {found:20} {n:6}{'' if planted == found or {planted, found} <= HARMLESS else '   *'}")
    print(f"precision {outcome.precision:.4f}  recall {outcome.recall:.4f}")


if __name__ == "__main__":
    main()
