"""Seconds a megabyte of ``parse_extraction``: adversarial shapes at three lengths, and answers a second.

Run with ``python tests/benchmarks/bench_parse.py``. A ratio near 1 in the last column means linear time.
"""

from __future__ import annotations

import json
from time import process_time
from typing import TYPE_CHECKING

from cascade_cli.extraction import parse_extraction, repair_extraction

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = {
    "opening braces": "{",
    "closing braces": "}",
    "quotes": '"',
    "backslashes": "\\",
    "back quotes": "`",
    "empty objects": "{}",
    "double braces": "{{}",
    "invalid objects": "{x}",
    "spaced braces": "{ ",
    "brace and quote": '{"',
    "escaped quotes": '{"\\',
    "unclosed objects": '{"a":',
    "unclosed sections": '{"entities":[',
    "unclosed fences": "```json\n{",
    "alternating fences": "```json\n{}\n```\n",
    "broken objects": '{"a": 1 ',
    "unclosed strings": '{"a": "b\n',
    "spaces": " ",
    "small objects": '{"a": 1} ',
    "lone surrogates": "\ud800",
    "arrays": "[[]",
}
MEGABYTES = (1, 3, 10)
ANSWER = {
    "entities": [{"type": "person", "name": f"Person {number}", "email": f"p{number}@acme.com"} for number in range(5)],
    "facts": [{"subject": f"Person {number}", "predicate": "works at", "object": "Acme"} for number in range(5)],
}
ROUNDS = 20_000


def seconds(call: Callable[[str], object], text: str) -> float:
    start = process_time()
    call(text)
    return process_time() - start


def print_shapes() -> None:
    headings = "".join(f"{f'{size} MB':>9}" for size in MEGABYTES)
    print(f"{'seconds a megabyte':22}{headings}{'10 : 1':>9}{'repair':>9}")
    for name, shape in {**SHAPES, "after prose": "so {", "nested pairs": ""}.items():
        texts = [text_of(name, shape, size * 1_000_000) for size in MEGABYTES]
        rates = [seconds(parse_extraction, text) / size for text, size in zip(texts, MEGABYTES, strict=True)]
        repair_rate = seconds(repair_extraction, texts[-1]) / MEGABYTES[-1]
        ratio = f"{rates[-1] / rates[0]:9.2f}" if rates[0] > 0.001 else f"{'-':>9}"
        print(f"{name:22}" + "".join(f"{rate:9.4f}" for rate in rates) + ratio + f"{repair_rate:9.4f}")


def text_of(name: str, shape: str, length: int) -> str:
    if name == "nested pairs":
        return '{"a":' * (length // 6) + "1" + "}" * (length // 6)
    return shape * (length // len(shape))


def print_throughput() -> None:
    text = json.dumps(ANSWER)
    forms: dict[str, tuple[Callable[[str], object], str]] = {
        "json.loads": (json.loads, text),
        "plain": (parse_extraction, text),
        "fenced": (parse_extraction, f"```json\n{text}\n```"),
        "in prose": (parse_extraction, f"Here it is: {text} Bye."),
        "truncated": (parse_extraction, text[:-20]),
    }
    print(f"\nan answer of {len(text)} characters, answers a second")
    for name, (call, form) in forms.items():
        start = process_time()
        for _ in range(ROUNDS):
            call(form)
        print(f"{name:22}{ROUNDS / (process_time() - start):9.0f}")


if __name__ == "__main__":
    print_shapes()
    print_throughput()
