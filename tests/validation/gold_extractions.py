"""Real and made gold extractions, with every field under the name that the contract gives first."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from validation.edits import Extraction, Item

from cascade_cli.extraction import parse_extraction

SHARED = Path(__file__).parents[3] / "shared" / "data"
SOURCES = {
    "tekgen": (SHARED / "text2kgbench_tekgen.jsonl.gz", "gold"),
    "nerre": (SHARED / "nerre.jsonl.gz", "gold"),
    "fixtures": (Path(__file__).parents[2] / "fixtures" / "pairs.jsonl.gz", "raw_response"),
}
"""Source -> its file, and the field of a line that holds the gold extraction."""
_ENDS = {"subject": "source", "predicate": "type", "object": "target"}


def gold_extractions(source: str) -> list[Extraction]:
    """The gold extractions of a source that have an entity and a fact; none where its file is not here."""
    path, field = SOURCES[source]
    golds = [row[field] for row in _rows(path)] if path.exists() else []
    parsed = [parse_extraction(gold) if isinstance(gold, str) else gold for gold in golds]
    return [tidy for each in parsed if each and (tidy := _tidy(each))]


def _rows(path: Path) -> Iterator[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _tidy(extraction: dict) -> Extraction | None:
    """The three sections alone; None where an item is a bare string or lacks a field, which not every peer can read."""
    sections = [extraction.get(name, []) for name in ("entities", "facts", "relationships")]
    entities, facts, relationships = sections
    if not (entities and facts) or not all(isinstance(item, dict) for items in sections for item in items):
        return None
    whole = all("type" in item for item in entities) and all("predicate" in item for item in facts)
    return (
        {
            "entities": entities,
            "facts": facts,
            "relationships": [_with_first_spelling(item) for item in relationships],
        }
        if whole
        else None
    )


def _with_first_spelling(item: Item) -> Item:
    return {_ENDS.get(key, key): value for key, value in item.items()}
