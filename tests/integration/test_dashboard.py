"""``cascade dashboard`` over HTTP: who may ask, what is answered, how it begins and ends, whom it never holds up."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Thread
from urllib.parse import quote, urlencode

import pytest
from cutting import Cutter
from rig import Rig
from serving import PATIENCE_S, Served, cascade, environment, served, shipped_pairs, write_pairs

from cascade_cli.dashboard.twins import ASKED_EACH_TIME
from cascade_cli.workspace import Workspace

PAGES = ("/", "/hashes", "/time", "/errors", "/events", "/frontier", "/alarms", "/runs", "/compare", "/live", "/origin")
TWINS = ("score", "days", "simulate", "monitor", "events", "runs", "status")
TOKEN = "a token of many letters, all of them known"  # noqa: S105 - it guards this test alone


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose workspace holds pairs of two students, scored."""
    folder = tmp_path_factory.mktemp("pairs")
    pairs = shipped_pairs(every=40)
    write_pairs(folder / "pairs.jsonl", pairs)
    write_pairs(
        folder / "other.jsonl", [{**pair, "student_model": "other", "student_response": "{}"} for pair in pairs]
    )
    cascade(folder, "pull", "pairs.jsonl")
    cascade(folder, "score")
    return folder


@pytest.fixture(scope="module")
def running(workspace: Path) -> Iterator[Served]:
    with served(workspace) as dashboard:
        dashboard.wait_until_read()
        yield dashboard


def test_its_one_document_comes_first_and_says_where_it_is(running: Served) -> None:
    document = running.document
    assert document["command"] == "dashboard"
    assert document["status"] == "ok"
    assert document["data"]["url"] == f"{running.url}/"
    assert running.get("/")[0] == 200


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/static/style.css", "/api/score.json", "/events/nobody"])
def test_every_answer_tells_the_browser_to_run_and_fetch_nothing_foreign(running: Served, path: str) -> None:
    _, _, headers = running.get(path)
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1"])
def test_another_name_for_this_machine_is_refused(running: Served, host: str) -> None:
    assert running.get("/", {"Host": host})[0] in {400, 421}


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1", "[::1]:8765"])
def test_this_machines_own_names_are_known_behind_a_tunnel_too(running: Served, host: str) -> None:
    assert running.get("/runs", {"Host": host})[0] == 200


def test_a_page_of_another_site_may_not_ask(running: Served) -> None:
    assert running.get("/api/score.json", {"Origin": "https://evil.example"})[0] == 403
    assert running.get("/api/score.json", {"Origin": "null"})[0] == 403
    assert running.get("/api/score.json", {"Origin": "http://["})[0] == 403
    assert running.get("/api/score.json", {"Origin": running.url})[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_pages_can_only_be_read(running: Served, method: str) -> None:
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=PATIENCE_S)
    connection.request(method, "/")
    assert connection.getresponse().status == 405
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../config.py",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2f..%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/style.css%00",
        "/static/",
        "/events/..%2f..%2f..%2fetc%2fpasswd",
        "/api/../../etc/passwd",
        "/%00",
    ],
)
def test_no_path_leads_out_of_the_pages(running: Served, path: str) -> None:
    # Not urllib, which would make another path of it.
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=PATIENCE_S)
    connection.putrequest("GET", path, skip_host=False)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    assert answer.status == 404
    assert "root:" not in body
    assert ('"NothingThere"' if path.startswith("/api/") else "<nav") in body


def _place(text: str) -> str:
    """What stands for a place in the list, if that were it."""
    return urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("/events?kind=nonsense", 400),
        ("/events?after=nonsense", 400),
        ("/events?after=" + _place("[[[[["), 400),
        ("/events?after=" + _place('[0.5, "\\ud800", 1]'), 400),
        ("/events?after=" + _place('[0.5, "x", 1e999]'), 400),
        ("/events?after=" + _place('[NaN, "x", ' + "9" * 30 + "]"), 200),
        ("/events?size=0", 400),
        ("/events?size=-1", 400),
        ("/events?size=" + "9" * 5_000, 400),
        ("/events?size=0005009999", 400),
        ("/events?arena=" + "x" * 30_000, 200),
        ("/events?arena=" + "x" * 250_000, 414),
        ("/frontier?sample_rate=2", 400),
        ("/frontier?sample_rate=NaN", 400),
        ("/frontier?sample_rate=1e-9999999", 400),
        ("/frontier?verifier_threshold=0:1:0.0000001", 400),
        ("/frontier?verifier_threshold=0:1:0.5", 400),
        ("/frontier?sample_rate=0.1&sample_rate=0.2", 200),
        ("/frontier?" + "high_value=x&" * 2_000, 400),
        ("/events/?id=" + "é" * 2_000, 404),
        ("/events/?id=" + "件" * 10_000, 404),
        ("/compare?a=nobody&b=nobody", 400),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_as_a_page(running: Served, query: str, status: int) -> None:
    found, body, _ = running.get(quote(query, safe="/?=&%:"))
    assert found == status
    assert status == 414 or "<nav" in body
    assert "Traceback" not in body


def test_twins_refuse_in_the_form_of_every_commands_errors(running: Served) -> None:
    status, body, _ = running.get("/api/events.json?kind=nonsense")
    document = json.loads(body)
    assert (status, document["status"], document["data"]["error"]["type"]) == (400, "error", "UsageError")


@pytest.mark.parametrize("name", TWINS)
def test_every_twin_is_one_document_of_a_command(running: Served, name: str) -> None:
    status, body, headers = running.get(f"/api/{name}.json")
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    dated = parsedate_to_datetime(headers["last-modified"]) if name not in ASKED_EACH_TIME else None
    assert dated is None or timedelta() <= datetime.now(UTC) - dated < timedelta(hours=1)
    assert {"schema_version", "command", "run_id", "status", "partial", "data", "warnings", "gate"} == set(
        json.loads(body)
    )


def test_the_monitors_twin_has_its_verdict(running: Served, workspace: Path) -> None:
    words = [sys.executable, "-m", "cascade_cli", "monitor", "--sample-rate", "1", "--json", "-q"]
    done = subprocess.run(words, cwd=workspace, env=environment(), capture_output=True, text=True, check=False)
    ours, theirs = json.loads(running.get("/api/monitor.json")[1]), json.loads(done.stdout)
    assert {name: ours[name] for name in ("status", "gate")} == {name: theirs[name] for name in ("status", "gate")}
    assert ours["status"] != "ok"


@pytest.mark.slow
def test_the_figures_of_the_twins_are_those_of_the_commands(running: Served, workspace: Path) -> None:
    """All of them, digit by digit."""
    assert running.twin("score.json") == cascade(workspace, "score", "--by-prompt-hash")
    by_day = cascade(workspace, "score", "--by", "day")["groups"]
    assert running.twin("days.json")["groups"] == [{"key": day["key"], "agreement": day["agreement"]} for day in by_day]
    sweep = ("--sample-rate", "0.05", "--sample-rate", "0:0.5:0.05", "--target-residual", "0.05", "--fleet")
    assert running.twin("simulate.json") == cascade(workspace, "simulate", *sweep)
    assert running.twin("monitor.json") == cascade(workspace, "monitor", "--sample-rate", "1")
    worst = cascade(workspace, "score", "--worst", "30")["worst"]
    listed = running.twin("events.json?size=30")["events"]
    assert [{name: each[name] for name in worst[0]} for each in listed] == worst
    for each in listed[:5]:
        explained = cascade(workspace, "score", "--explain", each["event_id"])
        assert running.twin(f"event.json?{urlencode({'id': each['event_id']})}") == explained


def test_turned_knobs_give_what_simulate_gives(running: Served, workspace: Path) -> None:
    query = urlencode({"sample_rate": "0.2", "verifier_threshold": "0.5"})
    flags = (
        "--sample-rate",
        "0.2",
        "--sample-rate",
        "0.05",
        "--sample-rate",
        "0:0.5:0.05",
        "--verifier-threshold",
        "0.5",
    )
    found = cascade(workspace, "simulate", *flags, "--target-residual", "0.05")
    assert running.twin(f"simulate.json?{query}") == found


def test_a_category_more_gives_what_simulate_says_of_it(running: Served, workspace: Path) -> None:
    varied = cascade(workspace, "simulate", "--vary", "categories")["variations"]
    added = next(each for each in varied if each["added"])
    names = added["policy"]["high_value_categories"]
    found = running.twin(f"simulate.json?{urlencode({'high_value': names}, doseq=True)}")
    told = {name: value for name, value in added.items() if name not in {"kind", "name", "added"}}
    assert {name: found[name] for name in told} == told


@pytest.mark.slow
def test_two_students_are_compared_as_by_compare(tmp_path: Path, workspace: Path) -> None:
    for name in ("pairs", "other"):
        cascade(tmp_path, "pull", str(workspace / f"{name}.jsonl"))
    first, second = cascade(tmp_path, "score", "--by", "student_model")["groups"]
    names = [each["key"]["student_model"] for each in (first, second)]
    with served(tmp_path) as dashboard:
        dashboard.wait_until_read()
        query = urlencode({"a": names[0], "b": names[1]})
        assert dashboard.twin(f"compare.json?{query}") == cascade(tmp_path, "compare", *names)
        assert dashboard.get(f"/compare?{query}")[0] == 200
        status, page, _ = dashboard.get("/")
        assert status == 400
        assert "answers of 2 students" in page


def test_runs_are_those_of_the_workspace(running: Served, workspace: Path) -> None:
    assert running.twin("runs.json")["runs"] == cascade(workspace, "runs", "--limit", "50")["runs"]


def test_without_data_the_page_says_what_to_run(tmp_path: Path) -> None:
    with served(tmp_path) as dashboard:
        dashboard.wait_until_read()
        status, page, _ = dashboard.get("/")
        assert status == 200
        assert "cascade pull --since 7d" in page
        for path in PAGES:
            assert dashboard.get(path)[0] == 200, path
        assert not (tmp_path / ".cascade").exists()


def test_one_event_is_enough_for_every_page(tmp_path: Path) -> None:
    write_pairs(tmp_path / "one.jsonl", shipped_pairs(every=40)[:1])
    with served(tmp_path, "one.jsonl") as dashboard:
        dashboard.wait_until_read()
        for path in PAGES:
            assert dashboard.get(path)[0] == 200, path
        for name in TWINS:
            assert dashboard.get(f"/api/{name}.json")[0] == 200, name


def test_every_way_on_from_an_event_keeps_the_filter(running: Served) -> None:
    query = urlencode({"verdict": "agrees", "reason": "none"})
    shown = running.twin(f"events.json?{query}")["events"]
    page = running.get(f"/events/{quote(shown[1]['event_id'], safe='')}?{query}")[1]
    ways = {
        event_id: f"/events/{quote(event_id, safe='')}" for event_id in (shown[0]["event_id"], shown[2]["event_id"])
    }
    for way in (*ways.values(), "/events"):
        assert f'href="{way}?reason=none&amp;verdict=agrees"' in page


def test_an_event_of_a_file_is_explained_as_by_the_command(tmp_path: Path) -> None:
    first, second, third = shipped_pairs(every=40)[:3]
    write_pairs(tmp_path / "pairs.jsonl", [first, second, {**third, "student_response": None}])
    with served(tmp_path, "pairs.jsonl") as dashboard:
        dashboard.wait_until_read()
        explained = cascade(tmp_path, "score", "pairs.jsonl", "--explain", second["event_id"])
        assert dashboard.twin(f"event.json?{urlencode({'id': second['event_id']})}") == explained


def test_an_event_that_no_student_answered_has_no_page(tmp_path: Path) -> None:
    first, second = shipped_pairs(every=40)[:2]
    asked = {name: value for name, value in second.items() if not name.startswith("student")}
    cascade(tmp_path, "pull", str(write_pairs(tmp_path / "pairs.jsonl", [first, asked])))
    with served(tmp_path) as dashboard:
        dashboard.wait_until_read()
        assert dashboard.get(f"/events/{quote(second['event_id'], safe='')}")[0] == 404
        assert dashboard.get(f"/events/{quote(first['event_id'], safe='')}")[0] == 200


def test_pairs_without_a_hash_are_found_by_a_dash(tmp_path: Path) -> None:
    first, second = shipped_pairs(every=40)[:2]
    write_pairs(tmp_path / "pairs.jsonl", [first, {**second, "system_prompt_hash": None}])
    with served(tmp_path, "pairs.jsonl") as dashboard:
        dashboard.wait_until_read()
        (found,) = dashboard.twin("events.json?hash=-")["events"]
        assert found["event_id"] == second["event_id"]
        assert '<option value="-" selected>' in dashboard.get("/events?hash=-")[1]


def test_every_category_in_force_is_offered_however_many(tmp_path: Path) -> None:
    # A form sends what it shows, and one that is not shown would be out of force.
    write_pairs(tmp_path / "pairs.jsonl", shipped_pairs(every=400))
    names = [f"category {number}" for number in range(60)]
    (tmp_path / "cascade.toml").write_text(f"[policy]\nhigh_value_categories = {json.dumps(names)}\n")
    with served(tmp_path, "pairs.jsonl") as dashboard:
        dashboard.wait_until_read()
        page = dashboard.get("/frontier")[1]
    assert [name for name in names if f'value="{name}" checked' not in page] == []


@pytest.mark.slow
def test_pages_follow_a_workspace_that_changes(tmp_path: Path) -> None:
    pairs = shipped_pairs(every=40)
    cascade(tmp_path, "pull", str(write_pairs(tmp_path / "first.jsonl", pairs[:10])))
    with served(tmp_path) as dashboard:
        dashboard.wait_until_read()
        assert dashboard.twin("score.json")["pairs"] == 10
        cascade(tmp_path, "pull", str(write_pairs(tmp_path / "more.jsonl", pairs[10:20])))
        give_up_at = time.monotonic() + PATIENCE_S
        while dashboard.twin("score.json")["pairs"] != 20:
            assert time.monotonic() < give_up_at
            time.sleep(0.2)


def test_reading_writes_nothing(tmp_path: Path) -> None:
    cascade(tmp_path, "pull", str(write_pairs(tmp_path / "pairs.jsonl", shipped_pairs(every=40))))

    def files() -> dict[str, tuple[int, int]]:
        found = (tmp_path / ".cascade").iterdir()
        return {file.name: (file.stat().st_mtime_ns, file.stat().st_size) for file in found}

    before = files()
    with served(tmp_path) as dashboard:
        dashboard.wait_until_read()
        for path in PAGES:
            dashboard.get(path)
    assert files() == before


def test_a_writer_beside_it_gets_in_while_pages_are_asked_for(tmp_path: Path) -> None:
    cascade(tmp_path, "pull", str(write_pairs(tmp_path / "pairs.jsonl", shipped_pairs(every=4))))
    with served(tmp_path) as dashboard:
        for _ in range(20):
            dashboard.get("/runs")
            with Workspace.open(tmp_path / ".cascade", "write"):
                pass
        dashboard.wait_until_read()
        assert dashboard.twin("score.json")["pairs"] == 600


def test_off_loopback_every_request_needs_the_token(tmp_path: Path) -> None:
    with served(tmp_path, "--host", "0.0.0.0", env={"CASCADE_DASHBOARD_TOKEN": TOKEN}) as dashboard:  # noqa: S104 - that is what is tested
        url = dashboard.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - as above
        here = Served(url, dashboard.document, dashboard.process)
        assert TOKEN not in json.dumps(dashboard.document)
        assert here.get("/")[0] == 401
        assert here.get("/api/status.json")[0] == 401
        assert here.get("/static/style.css")[0] == 401
        assert here.get("/?token=wrong")[0] == 401
        assert here.get("/?token=%C3%A9")[0] == 401
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
        connection.request("GET", f"/events?kind=missing&{urlencode({'token': TOKEN})}")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["location"]) == (303, "/events?kind=missing")
        cookie = answer.headers["set-cookie"]
        connection.close()
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert here.get("/", {"Cookie": cookie.partition(";")[0]})[0] == 200
        assert here.get("/", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
        assert here.get("/", {"Host": "evil.example", "Authorization": f"Bearer {TOKEN}"})[0] == 421


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/events/a%2Fb%3Fx%23y%2541?", "/events/a%2Fb%3Fx%23y%2541"),
        ("//evil.example/?", "/evil.example/"),
        ("/%5Cevil.example?x=%26&", "/%5Cevil.example?x=%26"),
    ],
)
def test_the_token_is_taken_out_of_an_address_that_stays_as_it_was(workspace: Path, asked: str, led: str) -> None:
    with served(workspace, env={"CASCADE_DASHBOARD_TOKEN": TOKEN}) as dashboard:
        connection = http.client.HTTPConnection(dashboard.url.removeprefix("http://"), timeout=PATIENCE_S)
        connection.request("GET", f"{asked}{urlencode({'token': TOKEN})}")
        answer = connection.getresponse()
        connection.close()
    assert (answer.status, answer.headers["location"]) == (303, led)


def test_a_token_is_made_where_none_is_set_and_another_each_time(tmp_path: Path) -> None:
    made = set()
    for _ in range(2):
        with served(tmp_path, "--host", "0.0.0.0") as dashboard:  # noqa: S104 - as above
            (token,) = re.findall(r"\?token=(\S+)$", dashboard.document["data"]["url"])
            made.add(token)
    assert len(made) == 2
    assert min(map(len, made)) > 40


@pytest.mark.parametrize(("token", "told"), [("short", "at least 16"), ("ключ-от-всех-дверей", "ASCII")])
def test_a_token_that_is_short_or_that_no_header_bears_is_refused(tmp_path: Path, token: str, told: str) -> None:
    done = _run(tmp_path, "--port", "0", env={"CASCADE_DASHBOARD_TOKEN": token})
    assert (done.returncode, told in done.stderr) == (2, True)
    assert token not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once_and_cleanly_with_its_one_document(
    workspace: Path, number: signal.Signals, code: int
) -> None:
    with served(workspace) as dashboard:
        dashboard.get("/")
        dashboard.process.send_signal(number)
        out, err = dashboard.process.communicate(timeout=PATIENCE_S)
    assert dashboard.process.returncode == code
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1] == ("error: Interrupted." if code == 130 else "error: Terminated.")


def test_whatever_is_asked_nothing_is_logged(tmp_path: Path) -> None:
    """An address may carry an event's id, an error's message its text."""
    with served(tmp_path) as dashboard:
        host = dashboard.url.removeprefix("http://")
        for lines in ("Host: x\r\nHost: y", f"Host: {host}\r\nOrigin: http://[", f"Host: {host}\r\nUpgrade: websocket"):
            _ask_raw(host, f"GET /secret HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n")
        dashboard.process.send_signal(signal.SIGTERM)
        _, told = dashboard.process.communicate(timeout=PATIENCE_S)
    assert [line.partition(":")[0] for line in told.splitlines()] == ["Dashboard of .cascade", "error"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nobody_goes_on_reading_for_a_dashboard_that_has_ended(tmp_path: Path, number: signal.Signals) -> None:
    write_pairs(tmp_path / "pairs.jsonl", shipped_pairs(every=1) * 8)
    (scratch := tmp_path / "scratch").mkdir()
    with served(tmp_path, "pairs.jsonl", env={"TMPDIR": str(scratch)}) as dashboard:
        _wait_for(lambda: ",000 rows so far" in dashboard.get("/")[1])
        assert any(scratch.iterdir())
        dashboard.process.send_signal(number)
        # To the end of its messages: until whoever inherited them has ended, too.
        _, told = dashboard.process.communicate(timeout=PATIENCE_S)
        assert not any(scratch.iterdir())
    assert "Traceback" not in told


def test_a_taken_port_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = _run(tmp_path, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 4
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-",), "standard input"),
        (("--port", "70000"), "no port"),
        (("--host", "no.such.invalid"), "no host"),
        (("no.jsonl",), "no file"),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = _run(tmp_path, *words)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_the_live_page_says_where_no_database_is(running: Served) -> None:
    assert "Set DATABASE_URL" in running.get("/live")[1]


def test_the_live_page_shows_what_status_shows(tmp_path: Path, rig: Rig) -> None:
    rig.claimed("e1", "e2")
    rig.enqueue("e3")
    env = {"DATABASE_URL": rig.dsn}
    with served(tmp_path, env=env) as dashboard:
        found, expected = dashboard.twin("status.json"), cascade(tmp_path, "status", env=env)
        assert found["lanes"]["student"]["depth"] == expected["lanes"]["student"]["depth"]
        assert found["switch"] == expected["switch"]
        page = dashboard.get("/live")[1]
        assert "Lanes" in page
        assert rig.dsn not in page


@pytest.mark.slow
def test_a_database_that_falls_silent_and_goes_away_is_told_in_words(tmp_path: Path, rig: Rig) -> None:
    rig.enqueue("e1")
    cutter = Cutter(rig.dsn)
    with served(tmp_path, env={"DATABASE_URL": cutter.dsn}) as dashboard:
        with cutter:
            _wait_for(lambda: "Lanes" in dashboard.get("/live")[1])
            cutter.freeze()
            _wait_for(lambda: "not answered yet" in dashboard.get("/live")[1])
        _wait_for(lambda: "cannot be read" in dashboard.get("/live")[1])
        status, page, _ = dashboard.get("/live")
        assert (status, dashboard.get("/api/status.json")[0]) == (200, 200)
        assert "Lanes" not in page
        dashboard.process.send_signal(signal.SIGINT)
        _, told = dashboard.process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in told


@pytest.mark.parametrize("signals", [1, 2])
def test_a_database_that_says_nothing_holds_up_no_page_and_no_end(tmp_path: Path, signals: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://ann:hunter2@127.0.0.1:{silent.getsockname()[1]}/x"
        with served(tmp_path, env={"DATABASE_URL": dsn}) as dashboard:
            pages = [Thread(target=dashboard.get, args=("/live",), daemon=True) for _ in range(50)]
            for page in pages:
                page.start()
            assert dashboard.get("/runs")[0] == 200
            assert "not answered yet" in dashboard.get("/live")[1]
            assert dashboard.get("/api/status.json")[0] == 503
            for _ in range(signals):
                dashboard.process.send_signal(signal.SIGINT)
            _, told = dashboard.process.communicate(timeout=PATIENCE_S)
    assert dashboard.process.returncode == 130
    assert told.splitlines()[-1] == "error: Interrupted."
    assert "Traceback" not in told


def test_a_database_that_is_away_is_told_and_hides_no_other_page(tmp_path: Path) -> None:
    with served(tmp_path, env={"DATABASE_URL": "postgresql://ann:hunter2@127.0.0.1:1/x"}) as dashboard:
        status, page, _ = dashboard.get("/live")
        assert status == 200
        assert "hunter2" not in page
        assert dashboard.get("/runs")[0] == 200


def _ask_raw(host: str, request: str) -> bytes:
    """The answer to a request that no client would send."""
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def _wait_for(happened: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def _run(folder: Path, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cascade_cli", "dashboard", *words]
    return subprocess.run(
        command, cwd=folder, env=environment(env), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
