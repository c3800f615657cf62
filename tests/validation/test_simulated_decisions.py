"""On real files the simulator decides, event for event, what a plain loop over ``decide`` does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cascade_cli.config import load_settings
from cascade_cli.console import Console
from cascade_cli.extraction import parse_extraction
from cascade_cli.policy import Policy, decide
from cascade_cli.policy_in_force import read_wanted
from cascade_cli.records import BadRow
from cascade_cli.scoring import PairSource, shown_event
from cascade_cli.simulate import Simulation, run_simulate
from cascade_cli.sources import read_rows

FIXTURES = Path(__file__).parents[2] / "fixtures" / "pairs.jsonl.gz"
DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
FILES = [FIXTURES, *sorted(DATA.glob("pairs_*.jsonl.gz"))]
RATES = ["0.05", "0", "0.5", "1"]


def plain_loop(path: Path, policy: Policy) -> dict[str, tuple[str, ...]]:
    """What ``decide`` says of the last first answer to each event."""
    answered: dict[str, tuple[int, tuple[str, ...]]] = {}
    for row in read_rows(str(path)):
        if isinstance(row, BadRow) or row.answer is None:
            continue
        event_id, sample = row.trace.event_id, row.answer.sample_index
        if event_id in answered and answered[event_id][0] < sample:
            continue
        student = None if row.answer.response is None else parse_extraction(row.answer.response)
        answered[event_id] = sample, decide(shown_event(row.trace), student, policy).fired
    return {event_id: fired for event_id, (_, fired) in answered.items()}


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_decisions_and_sweeps_equal_a_plain_loop(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arenas = {row.trace.event.arena for row in read_rows(str(path)) if not isinstance(row, BadRow) and row.trace.event}
    monkeypatch.setenv("VIP_ARENAS", min(filter(None, arenas), key=str) if any(arenas) else "")
    settings, written = load_settings(), tmp_path / "decisions.jsonl"
    wanted = read_wanted(settings, RATES, [])
    simulation = Simulation(PairSource(str(path), processes=2), wanted, preset="strict", decisions=written)
    data = run_simulate(simulation, settings, Console()).data
    found = {line["event_id"]: tuple(line["fired"]) for line in map(json.loads, written.read_text().splitlines())}
    assert found == plain_loop(path, wanted.policies[0])
    for policy, figures in zip(wanted.policies, data["sweep"], strict=True):
        fired = plain_loop(path, policy)
        assert figures["escalation"]["rate"] == pytest.approx(sum(map(bool, fired.values())) / len(fired))
    print(f"\n{path.name}: {len(found):,} events, decided alike at rates {', '.join(RATES)}")
