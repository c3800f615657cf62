"""The exact preset gives the official evaluator's figures on real extractions, to their precision."""

import gzip
import json
from pathlib import Path

import pytest

from scorers import score_many
from scorers.config import PRESETS
from scorers.exact import official_exact

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real data is not here")
MEASURES = ("precision", "recall", "f1")
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def inputs():
    with gzip.open(DATA / "text2kgbench_tekgen.jsonl.gz", "rt", encoding="utf-8") as file:
        return list(map(json.loads, file))


@pytest.fixture(scope="module")
def published():
    return json.loads((DATA / "text2kgbench_tekgen.official.json").read_text(encoding="utf-8"))["systems"]


def differences_per_input(inputs, system):
    for line in inputs:
        if system in line["official"]:
            ours = official_exact(line["gold"], line["systems"].get(system))
            yield from (abs(getattr(ours, name) - line["official"][system][name]) for name in MEASURES)


def mean_by_ontology(inputs, system):
    frame = score_many(
        [line["gold"] for line in inputs], [line["systems"].get(system) for line in inputs], PRESETS["exact"]
    )
    groups = {}
    for line, row in zip(inputs, frame.iter_rows(named=True), strict=True):
        # Of duplicate ids the last wins.
        groups.setdefault(line["ontology"].removeprefix("wd:"), {})[line["id"]] = row
    return {
        name: {measure: sum(row[f"exact_{measure}"] for row in rows.values()) / len(rows) for measure in MEASURES}
        for name, rows in groups.items()
    }


@pytest.mark.parametrize("system", ["vicuna-13b", "alpaca-lora-13b"])
def test_every_input_scores_as_published(inputs, system):
    largest = max(differences_per_input(inputs, system))
    print(f"{system}: largest difference per input {largest:.1e}")
    assert largest < TOLERANCE


@pytest.mark.parametrize("system", ["vicuna-13b", "alpaca-lora-13b"])
def test_every_ontology_and_the_whole_score_as_published(inputs, published, system):
    ours, official = mean_by_ontology(inputs, system), published[system]
    differences = [
        abs(ours[name][measure] - figures[measure])
        for name, figures in official["per_ontology"].items()
        for measure in MEASURES
    ]
    whole = {measure: sum(group[measure] for group in ours.values()) / len(ours) for measure in MEASURES}
    differences += [abs(whole[measure] - official["global_macro_over_ontologies"][measure]) for measure in MEASURES]
    print(f"{system}: largest difference per ontology and overall {max(differences):.1e}")
    assert len(ours) == len(official["per_ontology"])
    assert max(differences) < TOLERANCE
