"""A million random mutations of real answers are read without an exception."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from cascade_cli.extraction import parse_extraction, repair_extraction

DATA = Path(__file__).parents[3] / "shared" / "data"
FILES = ("pairs_smollm2_v2.jsonl.gz", "pairs_tekgen_vicuna.jsonl.gz", "pairs_nerre_gpt3_vs_llama2.jsonl.gz")
PARTS = 10
MUTATIONS_IN_PART = 100_000
SPLICES = (
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    ",",
    ":",
    "```",
    "```json\n",
    "{}",
    '{"',
    "\ud800",
    "\x00",
    "\\u12",
    "NaN",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the shared data of real answers is not beside this checkout"),
]


@pytest.fixture(scope="module")
def answers() -> list[str]:
    lines = (line for name in FILES for line in gzip.decompress((DATA / name).read_bytes()).splitlines())
    rows = (json.loads(line) for line in lines)
    texts = (row[key] for row in rows for key in ("raw_response", "student_response"))
    return [text for text in texts if isinstance(text, str)]


def mutated(answer: str, generator: random.Random) -> str:
    """Cut, splice, double or swap up to four times; sometimes put the result into a fence or prose."""
    for _ in range(generator.randint(1, 4)):
        start = generator.randint(0, len(answer))
        end = min(len(answer), start + generator.choice((0, 1, 1, 5, 50)))
        piece = generator.choice(
            ("", generator.choice(SPLICES), chr(generator.randrange(0x110000)), answer[start:end] * 2)
        )
        answer = answer[:start] + piece + answer[end:]
    return generator.choice(("{}", "{}", "```json\n{}\n```", 'It\'s "this": {} and {{}}')).replace("{}", answer, 1)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_mutation_of_a_real_answer_raises(answers: list[str], part: int) -> None:
    generator = random.Random(part)
    outcomes = Counter[str]()
    for _ in range(MUTATIONS_IN_PART):
        text = mutated(generator.choice(answers), generator)
        found = parse_extraction(text)
        assert found is None or isinstance(found, dict)
        mended = repair_extraction(text) if found is None else found
        outcomes["unreadable" if mended is None else "mended" if found is None else "read"] += 1
    print(f"part {part + 1} of {PARTS}: {MUTATIONS_IN_PART} mutations, no exception, {dict(outcomes)}")
