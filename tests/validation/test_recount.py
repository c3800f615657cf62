"""What ``score`` adds up is what anyone counts who reads the explanations of every pair."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "pairs.jsonl.gz"
SECTIONS = ("entities", "facts", "relationships")


def cascade(*arguments):
    return subprocess.run([sys.executable, "-m", "cascade_cli", *arguments], capture_output=True, text=True, check=True)


def recount(explanations):
    totals = {section: [0, 0, 0] for section in SECTIONS}
    for line in explanations.splitlines():
        for section, pairs in json.loads(line)["sections"].items():
            for pair in pairs:
                totals[section][0] += pair["accepted"]
                totals[section][1] += not pair["accepted"] and pair["predicted"] is not None
                totals[section][2] += not pair["accepted"] and pair["gold"] is not None
    return totals


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pairs_tekgen_vicuna.jsonl.gz", None], ids=["vicuna", "fixtures"])
def test_an_independent_recount_of_every_explanation_gives_the_same_counts(name):
    path = FIXTURES if name is None else DATA / name
    if not path.exists():
        pytest.skip("the folder of real data is not here")
    told = json.loads(cascade("score", str(path), "--json").stdout)["data"]["total"]
    counted = recount(cascade("score", str(path), "--explain-all", "--format", "jsonl").stdout)
    print({section: tuple(counts) for section, counts in counted.items()})
    for section in SECTIONS:
        micro = told[section]["micro"]
        assert counted[section] == [micro["tp"], micro["fp"], micro["fn"]], section
