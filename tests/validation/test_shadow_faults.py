"""The long proofs of ``shadow``: every fault at once, counted by the server too, and twenty kills at random moments."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from shadowing import StandIn, cascade, ended, stand_in, start, traces, write

from cascade_cli.workspace import stream_pairs

EVENTS, KILLS, CONCURRENCY = 2_000, 20, 16
KINDS = ("429", "500", "503", "reset", "slow", "never", "garbage", "half", "halfjson", "empty", "huge", "nochoices",
         "nullcontent")  # fmt: skip
FAULTS = ",".join(f"{kind}={0.1 / len(KINDS):.5f}" for kind in KINDS)
CONFIGURATION = "[student]\ntimeout_s = 2\n"


def _saved(folder: Path) -> set[str]:
    return {row.answer.event_id for row in stream_pairs(folder / ".cascade") if row.answer}


def _prepared(folder: Path, server: StandIn) -> None:
    (folder / "cascade.toml").write_text(CONFIGURATION)
    assert cascade(folder, server.url, "pull", write(folder, traces(EVENTS)), "-q").code == 0


@pytest.mark.slow
def test_two_thousand_events_through_every_fault_are_all_settled_and_counted_as_the_server_does(tmp_path: Path) -> None:
    with stand_in(tmp_path, "--faults", FAULTS, "--retry-after", "0.5", "--latency-ms", "10") as server:
        _prepared(tmp_path, server)
        done = ended(start(tmp_path, server.url, "shadow", "--json", "--concurrency", str(CONCURRENCY)), 300)
        log, outcomes = server.asked(), server.outcomes()
    data = done.data
    print(
        json.dumps({"outcomes": outcomes, **{key: data[key] for key in ("answered", "errors", "requests", "seconds")}})
    )
    assert done.code == 0, done.err
    assert data["answered"] + sum(data["errors"].values()) == EVENTS
    assert data["requests"] == data["whole_run"]["requests"] == len(log)
    assert data["refusals"] == outcomes["429"] + outcomes["503"]
    # A model that said nothing has answered.
    assert data["answered"] == outcomes["answered"] + outcomes["nullcontent"]
    assert data["errors"].get("answer_too_large", 0) == outcomes["huge"]
    assert len(_saved(tmp_path)) == data["answered"]
    assert set(KINDS) <= set(outcomes)


@pytest.mark.slow
def test_twenty_kills_lose_no_answer_and_ask_nothing_twice_that_was_saved(tmp_path: Path) -> None:
    dice = random.Random(20)
    known: list[tuple[int, set[str]]] = []
    with stand_in(tmp_path, "--faults", FAULTS, "--retry-after", "0.5", "--latency-ms", "20") as server:
        _prepared(tmp_path, server)
        words = ["shadow", "--concurrency", str(CONCURRENCY), "--json"]
        for _ in range(KILLS):
            process = start(tmp_path, server.url, *words)
            before = len(server.asked())
            while process.poll() is None and len(server.asked()) == before:
                time.sleep(0.01)
            time.sleep(dice.uniform(0, 0.25))
            process.kill()
            ended(process)
            known.append((len(server.asked()), _saved(tmp_path)))
            words = ["shadow", "--resume", "--concurrency", str(CONCURRENCY), "--json"]
        done = ended(start(tmp_path, server.url, *words), 300)
        log, answered = server.asked(), server.answered()
    whole, final = done.data["whole_run"], _saved(tmp_path)
    asked_twice = sum(count - 1 for count in answered.values())
    told = {"kills": KILLS, "saved_at_kills": [len(saved) for _, saved in known], "asked_twice": asked_twice}
    print(json.dumps(told | {"whole_run": whole, "server_requests": len(log)}))
    assert done.code == 0, done.err
    assert whole["answered"] + sum(whole["errors"].values()) == EVENTS
    assert whole["answered"] == len(final)
    for position, saved in known:
        assert saved <= final
        assert not saved & {line["event_id"] for line in log[position:]}
    # What is in hand when a run is killed is asked again: at most two questions a place.
    assert asked_twice <= KILLS * 2 * CONCURRENCY
    assert known[-1][1], "the kills came before anything was answered"
