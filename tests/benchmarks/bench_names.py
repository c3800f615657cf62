"""How long the text layer takes, in microseconds of CPU per call; run it, it asserts nothing.

    python tests/benchmarks/bench_names.py

Each figure is the best of several rounds over made-up names that no cache has seen, unless it says otherwise.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from scorers.strings.guards import read_marks
from scorers.strings.names import compare_names, prepare_name
from scorers.strings.text import fold, skeleton, words_of

CALLS = 5_000
ROUNDS = 5
GIVEN = words_of("anna peter maria john laura daniel sofia martin clara victor nina oscar")
SYLLABLES = words_of("ka lo mi ne ra to vi sa du be no ti fa gu le ri")


def made_word(rng: random.Random) -> str:
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))).capitalize()


def made_person(rng: random.Random) -> str:
    return f"{rng.choice(GIVEN).capitalize()} {made_word(rng)}{made_word(rng).lower()}"


def made_company(rng: random.Random) -> str:
    return f"{made_word(rng)}{made_word(rng).lower()} {made_word(rng)} {rng.choice(['GmbH', 'Inc.', 'Ltd', 'AG'])}"


def with_slip(name: str) -> str:
    return name[:-2] + name[-1]


def best_us(call: Callable[..., object], rounds: Iterable[list[tuple[object, ...]]]) -> float:
    """Return microseconds per call in the fastest round; each round has arguments of its own."""
    figures = []
    for arguments in rounds:
        start = time.process_time()
        for each in arguments:
            call(*each)
        figures.append((time.process_time() - start) / len(arguments) * 1e6)
    return min(figures)


def fresh(make: Callable[[random.Random], tuple[object, ...]], seed: int) -> Iterable[list[tuple[object, ...]]]:
    for turn in range(ROUNDS):
        rng = random.Random(f"{seed}-{turn}")
        yield [make(rng) for _ in range(CALLS)]


def prepared_pair(rng: random.Random, kind: str, *, near: bool) -> tuple[object, ...]:
    make = made_person if kind == "person" else made_company
    name = make(rng)
    other = with_slip(name) if near else make(rng)
    return prepare_name(name, kind), prepare_name(other, kind)


def main() -> None:
    """Print the table."""
    prepare_name("warm", "person"), prepare_name("warm GmbH")
    rows = [
        ("fold, new 20-character ASCII", 1.5, fold, lambda r: (f"{made_person(r)}{r.random()}"[:20],)),
        ("skeleton, new", None, skeleton, lambda r: (f"{made_person(r)} {made_word(r)}",)),
        ("read_marks, no marks, skeleton known", 1.0, read_marks, lambda r: (_known(made_person(r)),)),
        ("read_marks, amount and date", None, read_marks, lambda r: (f"pay {r.randint(1, 10**6)} EUR by 1 May 2026",)),
        ("prepare_name, new person", 15, prepare_name, lambda r: (made_person(r), "person")),
        ("prepare_name, new company", 15, prepare_name, lambda r: (made_company(r), "company")),
        ("prepare_name, new, type unknown", 15, prepare_name, lambda r: (made_person(r),)),
        ("compare, different persons", 10, compare_names, lambda r: prepared_pair(r, "person", near=False)),
        ("compare, different companies", 10, compare_names, lambda r: prepared_pair(r, "company", near=False)),
        ("compare, persons a letter apart", 25, compare_names, lambda r: prepared_pair(r, "person", near=True)),
        ("compare, companies a letter apart", 25, compare_names, lambda r: prepared_pair(r, "company", near=True)),
    ]
    print(f"{'call':40} {'us':>7} {'budget':>7}")
    for seed, (label, budget, call, make) in enumerate(rows):
        print(f"{label:40} {best_us(call, fresh(make, seed)):7.2f} {budget or '':>7}")
    form = prepare_name("Anna Kovács", "person")
    same = best_us(compare_names, [[(form, form)] * CALLS])
    cached = best_us(prepare_name, [[("Anna Kovács", "person")] * CALLS])
    print(f"{'compare, the same form':40} {same:7.2f}\n{'prepare_name, seen before':40} {cached:7.2f}")


def _known(text: str) -> str:
    skeleton(text)
    return text


if __name__ == "__main__":
    main()
