"""Of several answers to one question the first counts; the others are pairs only where they are told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cascade_cli.config import load_settings
from cascade_cli.console import Console
from cascade_cli.records import Row, StudentAnswer, Trace
from cascade_cli.scoring import Inquiry, PairSource, run_score
from cascade_cli.workspace import Workspace


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str | None]:
    """The same two events with three samples each, in a workspace and in a file."""
    rows = [(event, sample) for event in ("e1", "e2") for sample in range(3)]
    with Workspace.open(tmp_path / "ws", "write") as workspace:
        workspace.add_rows(
            Row(Trace(event, "{}", f"t-{event}"), StudentAnswer(event, "{}", "m", sample_index=sample))
            for event, sample in rows
        )
    lines = [
        {"event_id": event, "id": f"t-{event}", "raw_response": "{}", "student_response": "{}", "sample_index": sample}
        for event, sample in rows
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {"workspace": None, "file": str(tmp_path / "pairs.jsonl")}


@pytest.mark.parametrize("kind", ["workspace", "file"])
def test_further_samples_are_pairs_only_where_they_are_told_apart(
    tmp_path: Path, sources: dict[str, str | None], kind: str
) -> None:
    settings = load_settings(environment={"CASCADE_WORKSPACE": str(tmp_path / "ws")})

    def pairs(*by: str) -> object:
        data = run_score(Inquiry(PairSource(sources[kind]), by), settings, Console()).data
        assert isinstance(data, dict)
        return data["pairs"]

    assert (pairs(), pairs("sample_index")) == (2, 6)
