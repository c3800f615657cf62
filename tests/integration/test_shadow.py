"""``cascade shadow`` as a user runs it: a real process, a real endpoint in another one, real files."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from shadowing import cascade, ended, stand_in, start, traces, write

from cascade_cli.postgres import load_rows
from cascade_cli.shadow_run.alone import alone
from cascade_cli.sources import read_rows
from cascade_cli.workspace import PairFilter, Workspace, stream_pairs

FAULTS = ("429", "500", "503", "reset", "garbage", "half", "halfjson", "empty", "nochoices", "nullcontent")


def eventually(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def workspace_answers(folder: Path) -> dict[tuple[str, int], str | None]:
    rows = stream_pairs(folder / ".cascade", PairFilter(all_samples=True))
    return {(row.answer.event_id, row.answer.sample_index): row.answer.response for row in rows if row.answer}


def test_every_open_event_is_asked_once_and_a_second_run_asks_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, traces(200))
    with stand_in(tmp_path) as server:
        first = cascade(tmp_path, server.url, "shadow", file, "--json")
        again = cascade(tmp_path, server.url, "shadow", file, "--json")
        asked = server.asked()
    assert (first.code, first.err) == (0, "")
    document = json.loads(first.out)
    assert (document["status"], document["partial"]) == ("ok", False)
    data = document["data"]
    assert (data["open_before"], data["answered"], data["requests"], data["left"]) == (200, 200, 200, 0)
    assert data["pulled"]["new_traces"] == 200
    assert data["cost_usd"] is None
    assert data["stopped_by"] is None
    assert data["whole_run"]["answered"] == 200
    assert (again.code, again.data["open_before"], again.data["requests"]) == (0, 0, 0)
    assert again.data["answers_per_s"] is None
    assert len(asked) == len({line["event_id"] for line in asked}) == 200
    assert {line["temperature"] for line in asked} == {0}
    assert len(workspace_answers(tmp_path)) == 200


def test_tables_fit_eighty_columns(tmp_path: Path) -> None:
    file = write(tmp_path, traces(5))
    (tmp_path / "cascade.toml").write_text("[student]\ntries = 1\n")
    with stand_in(tmp_path, "--faults", "500=0.5", "--faults-stick") as server:
        shown = cascade(tmp_path, server.url, "shadow", file, env={"COLUMNS": "80"})
    assert shown.code == 6
    assert "the endpoint answers 500" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


def test_tables_for_programs_hold_numbers_under_fixed_names(tmp_path: Path) -> None:
    file = write(tmp_path, traces(3))
    with stand_in(tmp_path) as server:
        shown = cascade(tmp_path, server.url, "shadow", file, "--format", "jsonl")
    rows = {row["what"]: row for row in map(json.loads, shown.out.splitlines())}
    assert (rows["answered"]["now"], rows["answered"]["whole_run"], rows["left"]["now"]) == (3, 3, 0)
    assert isinstance(rows["seconds"]["now"], float)


def test_nothing_said_is_an_answer_without_a_text(tmp_path: Path) -> None:
    file = write(tmp_path, traces(4))
    with stand_in(tmp_path, "--faults", "nullcontent=1", "--faults-stick") as server:
        done = cascade(tmp_path, server.url, "shadow", file, "--json", "--score")
    assert (done.code, done.data["answered"], done.data["left"]) == (0, 4, 0)
    assert set(workspace_answers(tmp_path).values()) == {None}
    assert (done.data["score"]["missing_output"], done.data["score"]["groups"][0]["invalid_json"]) == (4, 0)


@pytest.mark.parametrize(
    "faults",
    [pytest.param((fault,), marks=pytest.mark.slow) for fault in FAULTS] + [FAULTS],
    ids=lambda faults: faults[0] if len(faults) == 1 else "all",
)
def test_counts_equal_the_log_of_the_server_whatever_goes_wrong(tmp_path: Path, faults: tuple[str, ...]) -> None:
    file = write(tmp_path, traces(120))
    (tmp_path / "cascade.toml").write_text("[student]\ntimeout_s = 5\n")
    shares = ",".join(f"{fault}={0.2 / len(faults)}" for fault in faults)
    with stand_in(tmp_path, "--faults", shares, "--retry-after", "0.2") as server:
        done = cascade(tmp_path, server.url, "shadow", file, "--json", "--concurrency", "16")
        log = server.asked()
    data = done.data
    assert done.code == 0, done.err
    assert data["requests"] == data["whole_run"]["requests"] == len(log)
    assert data["answered"] + sum(data["errors"].values()) == 120
    assert data["answered"] == len(workspace_answers(tmp_path))
    assert set(server.outcomes()) - {"answered"} <= set(faults)


def test_what_never_gets_better_is_an_error_and_asked_again_on_request(tmp_path: Path) -> None:
    file = write(tmp_path, traces(40))
    (tmp_path / "cascade.toml").write_text("[student]\ntries = 2\n")
    with stand_in(tmp_path, "--faults", "500=0.5", "--faults-stick") as server:
        first = cascade(tmp_path, server.url, "shadow", file, "--json")
        plain = cascade(tmp_path, server.url, "shadow", "--json")
    failed = first.data["errors"]["server_error"]
    assert first.code == 6
    assert first.data["requests"] == first.data["answered"] + 2 * failed
    assert first.data["left"] == 0
    assert {error["kind"] for error in first.data["first_errors"]} == {"server_error"}
    assert plain.data["requests"] == 0
    with stand_in(tmp_path) as server:
        healed = cascade(tmp_path, server.url, "shadow", "--retry-errors", "--json")
    assert (healed.code, healed.data["answered"], healed.data["errors"]) == (0, failed, {})
    assert len(workspace_answers(tmp_path)) == 40


def test_an_answer_that_is_too_large_is_not_kept_in_memory_and_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path, traces(2))
    with stand_in(tmp_path, "--faults", "huge=1", "--faults-stick") as server:
        done = cascade(tmp_path, server.url, "shadow", file, "--json")
    assert (done.code, done.data["errors"]) == (6, {"answer_too_large": 2})


def test_slow_and_silent_answers_end_at_the_timeout(tmp_path: Path) -> None:
    file = write(tmp_path, traces(6))
    (tmp_path / "cascade.toml").write_text("[student]\ntimeout_s = 0.5\ntries = 1\n")
    with stand_in(tmp_path, "--faults", "never=0.5,slow=0.5", "--faults-stick") as server:
        done = cascade(tmp_path, server.url, "shadow", file, "--json")
    assert (done.code, done.data["errors"]) == (6, {"too_slow": 6})
    assert done.data["seconds"] < 5


def test_a_killed_run_resumes_without_asking_twice_and_without_losing_an_answer(tmp_path: Path) -> None:
    dice = random.Random(0)
    file = write(tmp_path, traces(120))
    with stand_in(tmp_path, "--latency-ms", "30") as server:
        assert cascade(tmp_path, server.url, "pull", file, "-q").code == 0
        acknowledged, words = 0, ["shadow"]
        for _ in range(2):
            process = start(tmp_path, server.url, *words, "--concurrency", "4", "--json")
            before = len(server.asked())
            eventually(lambda before=before: len(server.asked()) > before)
            time.sleep(dice.uniform(0, 0.3))
            process.kill()
            ended(process)
            acknowledged = max(acknowledged, _saved(tmp_path))
            words = ["shadow", "--resume"]
        done = cascade(tmp_path, server.url, *words, "--json")
        answered = server.answered()
    assert done.code == 0, done.err
    assert done.data["whole_run"]["answered"] == 120
    assert done.data["run_id"] == json.loads(done.out)["run_id"]
    assert len(answered) == len(workspace_answers(tmp_path)) == 120
    # Twice 4 questions are in hand at each kill, and no other may be asked again.
    assert answered.total() - 120 <= 2 * 8
    assert 0 < acknowledged <= 120


def _saved(folder: Path) -> int:
    return len({event_id for event_id, _ in workspace_answers(folder)})


def test_the_first_signal_saves_and_tells_how_to_go_on(tmp_path: Path) -> None:
    file = write(tmp_path, traces(200))
    with stand_in(tmp_path, "--latency-ms", "100") as server:
        process = start(tmp_path, server.url, "shadow", file, "--json", "--concurrency", "4", "--workspace", "w s")
        eventually(lambda: len(server.asked()) > 10)
        process.send_signal(signal.SIGINT)
        done = ended(process, 10)
        sent = len(server.asked())
        on = cascade(tmp_path, server.url, "shadow", "--resume", "--workspace", "w s", "--json")
    assert done.code == 130
    document = json.loads(done.out)
    assert (document["status"], document["partial"], done.data["stopped_by"]) == ("interrupted", True, "interrupted")
    assert done.data["answered"] == done.data["requests"] == sent
    assert "cascade shadow --resume --workspace 'w s' --concurrency 4" in done.err
    assert on.code == 0
    assert on.data["run_id"] == done.data["run_id"]
    assert on.data["whole_run"] | {"answered": 200, "requests": 200} == on.data["whole_run"]


def test_a_signal_after_a_limit_is_a_signal_all_the_same(tmp_path: Path) -> None:
    file = write(tmp_path, traces(20))
    with stand_in(tmp_path, "--latency-ms", "2500") as server:
        process = start(tmp_path, server.url, "shadow", file, "--json", "--max-items", "2")
        stats = server.url.removesuffix("/v1") + "/stand-in/stats"
        eventually(lambda: httpx.get(stats).json()["in_flight"] == 2)
        process.send_signal(signal.SIGINT)
        done = ended(process, 20)
    assert (done.code, done.data["stopped_by"], done.data["answered"]) == (130, "interrupted", 2)


def test_a_signal_does_not_wait_for_an_endpoint_that_asks_for_patience(tmp_path: Path) -> None:
    file = write(tmp_path, traces(50))
    with stand_in(tmp_path, "--rate-limit", "2", "--burst", "2", "--retry-after", "30") as server:
        process = start(tmp_path, server.url, "shadow", file, "--json")
        eventually(lambda: server.outcomes()["429"] > 0)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        done = ended(process, 20)
        assert time.monotonic() - began < 5
        assert (done.code, done.data["answered"]) == (130, server.outcomes()["answered"])
        assert done.data["answered"] + done.data["left"] == 50


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_the_second_signal_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    file = write(tmp_path, traces(20))
    with stand_in(tmp_path, "--faults", "never=1", "--faults-stick") as server:
        process = start(tmp_path, server.url, "shadow", file)
        eventually(lambda: _is_listening(tmp_path))
        time.sleep(0.7)
        process.send_signal(number)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(number)
        began = time.monotonic()
        done = ended(process, 10)
        assert time.monotonic() - began < 3
        assert server.process.poll() is None
    assert done.code == 128 + number
    assert "--resume" in done.err


def _is_listening(folder: Path) -> bool:
    return (folder / ".cascade" / "spool.sqlite").exists()


def test_an_endpoint_that_is_down_is_told_with_its_cure(tmp_path: Path) -> None:
    file = write(tmp_path, traces(3))
    done = cascade(tmp_path, "http://127.0.0.1:9/v1", "shadow", file)
    assert (done.code, done.out) == (4, "")
    assert "Nobody answers at http://127.0.0.1:9/v1" in done.err
    assert "STUDENT_ENDPOINT=" in done.err


def test_no_endpoint_no_source_and_no_workspace_are_errors_of_usage(tmp_path: Path) -> None:
    assert "STUDENT_ENDPOINT" in cascade(tmp_path, None, "shadow").err
    nothing = cascade(tmp_path, "http://127.0.0.1:9/v1", "shadow")
    assert (nothing.code, "nothing to pull from" in nothing.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_and_a_wrong_model_end_with_what_would_be_right(tmp_path: Path) -> None:
    file = write(tmp_path, traces(3))
    with stand_in(tmp_path, "--api-key", "sesame", "--model", "tiny", "--model", "small") as server:
        wrong = cascade(tmp_path, server.url, "shadow", file, env={"STUDENT_API_KEY": "sentinel-key"})
        none = cascade(tmp_path, server.url, "shadow")
        other = cascade(tmp_path, server.url, "shadow", "--json", env={"STUDENT_API_KEY": "sesame"})
        right = cascade(tmp_path, server.url, "shadow", "--student-model", "tiny", env={"STUDENT_API_KEY": "sesame"})
    assert (wrong.code, none.code, other.code, right.code) == (4, 4, 4, 0)
    assert "the key was refused" in wrong.err
    assert "a key is wanted and none was given" in none.err
    assert "It has tiny, small: choose with --student-model" in other.err
    for folder in (tmp_path, tmp_path / ".cascade"):
        for kept in filter(Path.is_file, folder.iterdir()):
            assert b"sentinel-key" not in kept.read_bytes()
    assert "sentinel-key" not in wrong.out + wrong.err


def test_an_endpoint_that_goes_away_half_way_leaves_rows_of_errors_and_a_way_on(tmp_path: Path) -> None:
    file = write(tmp_path, traces(100))
    (tmp_path / "cascade.toml").write_text("[student]\ntries = 2\n")
    with stand_in(tmp_path, "--outage-after", "30", "--outage-s", "600") as server:
        gone = cascade(tmp_path, server.url, "shadow", file, "--concurrency", "4", "--json")
        assert server.outcomes()["answered"] <= 31
    assert gone.code == 6
    assert gone.data["stopped_by"] == "endpoint_gone"
    assert gone.data["answered"] + gone.data["left"] == 100
    assert set(gone.data["errors"]) == {"unreachable"}
    assert f"{gone.data['left']} questions are left" in gone.err
    assert "cascade shadow --resume" in gone.err
    with stand_in(tmp_path) as server:
        on = cascade(tmp_path, server.url, "shadow", "--resume", "--json")
    assert on.code == 0
    assert on.data["whole_run"]["answered"] == 100
    assert on.data["whole_run"]["errors"] == {}
    assert on.data["whole_run"]["requests"] == gone.data["requests"] + on.data["requests"]


def test_the_printed_commands_keep_the_limits_and_ask_for_what_they_say(tmp_path: Path) -> None:
    file = write(tmp_path, traces(30))
    (tmp_path / "cascade.toml").write_text("[student]\ntries = 1\n")
    with stand_in(tmp_path, "--faults", "500=0.5", "--faults-stick") as server:
        first = cascade(tmp_path, server.url, "shadow", file, "--max-items", "9", "--max-duration", "50s", "--json",
                        "--workspace", "w s")  # fmt: skip
    failed = sum(first.data["errors"].values())
    assert (first.code, first.data["left"]) == (6, 21)
    flags = "--workspace 'w s' --max-items 9 --max-duration 50s"
    assert f"Ask those {failed} once more: cascade shadow --retry-errors {flags}" in first.err
    assert f"the 21 questions that are left: cascade shadow --resume {flags}" in first.err
    with stand_in(tmp_path) as server:
        again = shlex.split(f"shadow --retry-errors {flags} --json")
        healed = cascade(tmp_path, server.url, *again)
    assert healed.data["answered"] == 9
    assert healed.data["left"] == 30 - 9 - (9 - failed)


def test_amounts_that_are_none_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, traces(1))
    (tmp_path / "cascade.toml").write_text("[cost]\nstudent_input_usd = 1\nstudent_output_usd = 1\n")
    for flags in (("--max-cost", "nan"), ("--max-cost", "inf"), ("--samples", "101"), ("--poll", "nan")):
        assert cascade(tmp_path, "http://127.0.0.1:9/v1", "shadow", file, *flags).code == 2, flags
    assert cascade(tmp_path, "http://127.0.0.1:9/v1", "shadow", "nofile.jsonl").code == 2
    assert not (tmp_path / ".cascade").exists()


def test_limits_stop_cleanly(tmp_path: Path) -> None:
    file = write(tmp_path, traces(60))
    (tmp_path / "cascade.toml").write_text("[cost]\nstudent_input_usd = 100\nstudent_output_usd = 100\n")
    with stand_in(tmp_path, "--latency-ms", "60") as server:
        items = cascade(tmp_path, server.url, "shadow", file, "--max-items", "7", "--json")
        assert (items.code, items.data["answered"], items.data["stopped_by"]) == (0, 7, "max_items")
        assert json.loads(items.out)["partial"]
        assert "cascade shadow --resume" in items.err
        dear = cascade(tmp_path, server.url, "shadow", "--max-cost", "0.5", "--concurrency", "1", "--json")
        assert (dear.code, dear.data["stopped_by"]) == (0, "max_cost")
        assert 0.35 < dear.data["cost_usd"] < 0.65
        brief = cascade(tmp_path, server.url, "shadow", "--max-duration", "1s", "--concurrency", "1", "--json")
        assert (brief.code, brief.data["stopped_by"]) == (0, "max_duration")
        assert brief.data["answered"] > 0
        assert brief.data["left"] > 0
        rest = cascade(tmp_path, server.url, "shadow", "--max-items", "1000", "--json")
        assert (rest.code, rest.data["stopped_by"], json.loads(rest.out)["partial"]) == (0, None, False)
        assert server.answered().total() == len(server.answered()) == 60
    (tmp_path / "cascade.toml").unlink()
    unpriced = cascade(tmp_path, server.url, "shadow", "--max-cost", "1")
    assert (unpriced.code, "student_input_usd" in unpriced.err) == (2, True)


def test_what_comes_next_is_told_with_the_workspace_and_that_nothing_was_open(tmp_path: Path) -> None:
    file = write(tmp_path, traces(5))
    with stand_in(tmp_path) as server:
        told = cascade(tmp_path, server.url, "shadow", file, "--workspace", "w s").out
    assert "cascade score --by-prompt-hash --workspace 'w s'" in told
    assert "cascade simulate --workspace 'w s'" in told
    assert "Nothing was open" in cascade(tmp_path, None, "shadow", "--dry-run", "--workspace", "w s").err


def test_a_dry_run_asks_nothing_and_counts_everything(tmp_path: Path) -> None:
    file = write(tmp_path, traces(20))
    (tmp_path / "cascade.toml").write_text("[cost]\nstudent_input_usd = 1\nstudent_output_usd = 2\n")
    with stand_in(tmp_path) as server:
        dry = cascade(tmp_path, server.url, "shadow", file, "--dry-run", "--samples", "2", "--json")
        assert not server.log.exists() or not server.log.read_text()
        assert cascade(tmp_path, server.url, "shadow", "--max-items", "5").code == 0
        later = cascade(tmp_path, None, "shadow", "--dry-run", "--json").data
    data = dry.data
    assert (dry.code, data["calls"], len(data["requests"])) == (0, 40, 3)
    assert data["seconds_estimated"] is None
    assert data["cost_usd"] == (data["prompt_tokens_estimated"] + 2 * data["completion_tokens_estimated"]) / 1e6
    body = data["requests"][0]
    assert (body["temperature"], [turn["role"] for turn in body["messages"]]) == (0, ["user"])
    assert data["requests"][1]["temperature"] > 0
    assert later["calls"] == 15
    assert later["seconds_estimated"] > 0


def test_samples_are_further_questions_with_a_temperature(tmp_path: Path) -> None:
    file = write(tmp_path, traces(10))
    with stand_in(tmp_path) as server:
        one = cascade(tmp_path, server.url, "shadow", file, "--json")
        three = cascade(tmp_path, server.url, "shadow", "--samples", "3", "--temperature", "0.9", "--json")
        asked = server.asked()
    assert (one.data["answered"], three.data["open_before"], three.data["answered"]) == (10, 20, 20)
    assert {line["temperature"] for line in asked[:10]} == {0}
    assert {line["temperature"] for line in asked[10:]} == {0.9}
    assert len({(line["event_id"], line["sample"]) for line in asked}) == 30
    assert sorted({sample for _, sample in workspace_answers(tmp_path)}) == [0, 1, 2]


def test_a_template_makes_another_shape_and_its_answers_stand_apart(tmp_path: Path) -> None:
    file = write(tmp_path, traces(5))
    (tmp_path / "block.txt").write_text("Distil {content} {unknown}")
    with stand_in(tmp_path) as server:
        usual = cascade(tmp_path, server.url, "shadow", file, "--json")
        (tmp_path / "cascade.toml").write_text('[student]\ntemplate_file = "block.txt"\n')
        other = cascade(tmp_path, server.url, "shadow", "--json")
        dry = cascade(tmp_path, server.url, "shadow", file, "--dry-run", "--student-model", "x", "--json")
    assert usual.data["prompt_shape"] == "event_block"
    assert str(other.data["prompt_shape"]).startswith("template-")
    assert other.data["answered"] == 5
    content = traces(1)[0]["event"]["content"]
    assert dry.data["requests"][0]["messages"][0]["content"] == f"Distil {content} {{unknown}}"


def test_the_prompt_is_the_block_of_the_trace_as_it_stands(tmp_path: Path) -> None:
    rows = traces(3)
    rows[0]["user_prompt"] = "exactly \x00 this \ud800 {content}"
    rows[1] |= {"user_prompt": None}
    rows[2] |= {"event": None}
    file = write(tmp_path, rows)
    dry = cascade(tmp_path, None, "shadow", file, "--dry-run", "--json").data
    shown = [body["messages"][0]["content"] for body in dry["requests"]]
    assert shown == [
        "exactly \x00 this \ufffd {content}",
        traces(2)[1]["user_prompt"].replace("[1]", "[0]"),
        rows[2]["user_prompt"],
    ]


def test_what_cannot_be_asked_is_an_error_without_a_request(tmp_path: Path) -> None:
    bare, large = traces(3)[1:]
    bare |= {"user_prompt": None, "event": None}
    large |= {"user_prompt": "a" * 10_000_000}
    file = write(tmp_path, [traces(1)[0], bare, large])
    with stand_in(tmp_path) as server:
        # They cost nothing, so no limit counts them.
        done = cascade(tmp_path, server.url, "shadow", file, "--json", "--max-error-rate", "1", "--max-items", "1")
    assert (done.code, done.data["errors"]) == (0, {"no_prompt": 1, "prompt_too_long": 1})
    assert (done.data["requests"], done.data["answered"]) == (1, 1)


def test_two_shadows_do_not_ask_the_same_questions(tmp_path: Path) -> None:
    file = write(tmp_path, traces(5))
    with stand_in(tmp_path) as server:
        assert cascade(tmp_path, server.url, "pull", file, "-q").code == 0
        with alone(tmp_path / ".cascade"):
            second = cascade(tmp_path, server.url, "shadow")
            assert (second.code, f"Process {os.getpid()} is asking" in second.err) == (2, True)
            assert cascade(tmp_path, None, "shadow", "--dry-run", "--json").data["calls"] == 5
        assert cascade(tmp_path, server.url, "shadow").code == 0


def test_score_tells_at_once_what_the_answers_are_worth(tmp_path: Path) -> None:
    file = write(tmp_path, traces(40))
    with stand_in(tmp_path) as server:
        done = cascade(tmp_path, server.url, "shadow", file, "--score", "--json")
        apart = cascade(tmp_path, server.url, "score", "--by-prompt-hash", "--json")
    assert done.code == 0, done.err
    assert done.data["score"]["groups"] == apart.data["groups"]
    assert done.data["simulation"]["events"] == 40


def test_a_run_is_recorded_and_only_an_unfinished_one_of_the_same_student_is_resumed(tmp_path: Path) -> None:
    file = write(tmp_path, traces(10))
    url = "http://127.0.0.1:9/v1?key=sentinel"
    with stand_in(tmp_path) as server:
        assert cascade(tmp_path, server.url, "shadow", file, "--since", "2020-01-01", "--samples", "2").code == 0
        none = cascade(tmp_path, server.url, "shadow", "--resume")
        assert (none.code, "no unfinished shadow run" in none.err) == (2, True)
        assert cascade(tmp_path, server.url, "shadow", "--max-items", "1", "--samples", "3").code == 0
        other = cascade(tmp_path, server.url, "shadow", "--resume", "--student-model", "else")
        both = cascade(tmp_path, server.url, "shadow", "--resume", "--samples", "2")
        on = cascade(tmp_path, server.url, "shadow", "--resume", "--json")
    assert (other.code, both.code, on.code) == (2, 2, 0)
    assert on.data["samples"] == 3
    assert cascade(tmp_path, url, "shadow").code == 4
    with Workspace.open(tmp_path / ".cascade") as workspace:
        runs = [run for run in workspace.runs() if run.command == "shadow"]
    assert [run.status for run in runs] == ["failed", "finished", "finished"]
    assert runs[-1].configuration["shadow.since"] == "2020-01-01T00:00:00+00:00"
    assert runs[-1].counts == {"answered": 20, "errors": 0, "requests": 20}
    assert "sentinel" not in str(runs)


def test_a_full_disk_is_told_and_what_was_saved_before_is_safe(tmp_path: Path) -> None:
    file = write(tmp_path, traces(300))
    with stand_in(tmp_path) as server:
        assert cascade(tmp_path, server.url, "shadow", file, "--max-items", "50").code == 0
        full = ended(start(tmp_path, server.url, "shadow", largest_file=300_000))
        assert (full.code, "is full" in full.err) == (4, True), full.err
        assert "saved before is safe" in full.err or "committed before is safe" in full.err
        saved = len(workspace_answers(tmp_path))
        assert 50 <= saved < 300
        on = cascade(tmp_path, server.url, "shadow", "--json")
        assert (on.code, on.data["answered"]) == (0, 300 - saved)
        assert server.answered().total() - 300 <= 16


@pytest.mark.slow
def test_following_takes_in_what_comes_and_outlives_the_endpoint_and_the_database(
    tmp_path: Path, database: str, postgres_server: str
) -> None:
    rows = list(read_rows(str(tmp_path / write(tmp_path, traces(60)))))
    load_rows(database, rows[:20])
    (tmp_path / "cascade.toml").write_text("[student]\ntries = 1\n")
    follow = ("shadow", "--follow", "--poll", "0.2", "--json", "--score")
    with stand_in(tmp_path) as server:
        port = str(server.port)
        process = start(tmp_path, server.url, *follow, env={"DATABASE_URL": database})
        eventually(lambda: len(server.answered()) == 20)
        _admit(postgres_server, database, admit=False)
        time.sleep(1)
        _admit(postgres_server, database, admit=True)
        load_rows(database, rows[20:40])
        eventually(lambda: len(server.answered()) == 40)
    load_rows(database, rows[40:])
    time.sleep(2.5)
    assert process.poll() is None
    with stand_in(tmp_path, "--port", port) as server:
        eventually(lambda: len(server.answered()) == 60)
        assert cascade(tmp_path, None, "score", "--json").code == 0
        process.send_signal(signal.SIGTERM)
        done = ended(process, 15)
    assert done.code == 143
    assert (done.data["answered"], done.data["errors"], done.data["left"]) == (60, {}, 0)
    assert done.data["pulled_meanwhile"] == 40
    # Those that found nobody are requests too, though the server never saw them.
    assert done.data["whole_run"]["requests"] >= done.data["requests"] > 60
    for told in ("Trying again until it is back", "The database is back.", "Waiting until it is back.",
                 "The endpoint is back.", "agreement: bbdaba"):  # fmt: skip
        assert told in done.err
    assert server.answered().total() == 60


def test_following_ends_with_its_figures_when_only_a_person_can_mend_the_pull(tmp_path: Path, database: str) -> None:
    load_rows(database, list(read_rows(str(tmp_path / write(tmp_path, traces(10))))))
    with stand_in(tmp_path) as server:
        process = start(tmp_path, server.url, "shadow", "--follow", "--poll", "0.2", "--json",
                        env={"DATABASE_URL": database})  # fmt: skip
        eventually(lambda: len(server.answered()) == 10)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("ALTER TABLE distillation_traces RENAME raw_response TO said")
        done = ended(process, 15)
    assert (done.code, done.data["stopped_by"], done.data["answered"]) == (2, "pull_refused", 10)
    assert 'has no column "raw_response"' in done.err
    assert "10 answers are saved" in done.err


def test_a_signal_does_not_wait_for_a_pull_that_waits_for_the_database(tmp_path: Path, database: str) -> None:
    load_rows(database, list(read_rows(str(tmp_path / write(tmp_path, traces(5))))))
    with stand_in(tmp_path) as server, psycopg.connect(database) as connection:
        process = start(tmp_path, server.url, "shadow", "--follow", "--poll", "0.2", "--json",
                        env={"DATABASE_URL": database})  # fmt: skip
        eventually(lambda: len(server.answered()) == 5)
        connection.execute("LOCK TABLE distillation_traces IN ACCESS EXCLUSIVE MODE")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        done = ended(process, 20)
        assert time.monotonic() - began < 5
    assert (done.code, done.data["answered"]) == (130, 5)


def _admit(server: str, database: str, *, admit: bool) -> None:
    """Let nobody into a database, or everybody again, as a restart would."""
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(server, autocommit=True) as connection:
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        connection.execute(statement.format(sql.Identifier(str(name)), sql.Literal(admit)))
        if not admit:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
