"""``/metrics`` and ``/healthz`` over real HTTP: bounded in size and time, never in the worker's way."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.request import urlopen

import pytest
from live_rig import Stage, stage
from shadowing import ended

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.live.agreeing import MOST_WAITING, Agreements
from cascade_cli.live.measures import Measures
from cascade_cli.live.serving import MOST_CONNECTIONS, MOST_REQUEST_BYTES, Health, serving
from cascade_cli.policy import RANDOM_SAMPLE
from cascade_cli.postgres.queue import Claimed, Escalation
from cascade_cli.records import StudentAnswer, Trace
from cascade_cli.scoring import pair_agrees
from scorers import ScoringConfig

LONGEST_S = 1.0


@dataclass
class Clock:
    """Says what it is told to."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Served:
    """A worker's loop in a thread of its own, and what it shows."""

    clock: Clock = field(default_factory=Clock)
    measures: Measures = field(default_factory=Measures)
    port: int = 0
    turns: int = 0

    def __post_init__(self) -> None:
        self.health = Health(self.clock, 30.0)
        self.health.contacted()

    def get(self, path: str, method: str = "GET") -> tuple[int, str, http.client.HTTPMessage]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        line.request(method, path)
        answer = line.getresponse()
        with closing(line), answer:
            return answer.status, answer.read().decode(), answer.headers

    def send(self, raw: bytes, *, end: bool = False) -> bytes:
        """All that comes back for these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as line:
            try:
                line.sendall(raw)
                if end:
                    line.shutdown(socket.SHUT_WR)
            except OSError:
                return b""
            return received(line)


def received(line: socket.socket) -> bytes:
    parts = []
    try:
        while part := line.recv(65_536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


@contextmanager
def served() -> Iterator[Served]:
    this, ready, done = Served(), threading.Event(), threading.Event()

    async def work() -> None:
        async with serving(this.measures, this.health, longest_s=LONGEST_S) as port:
            this.port = port
            ready.set()
            while not done.is_set():
                this.turns += 1
                await asyncio.sleep(0.001)

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield this
    finally:
        done.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def worker() -> Iterator[Served]:
    with served() as this:
        yield this


@pytest.fixture(autouse=True)
def well(worker: Served) -> None:
    worker.health.turned()
    worker.health.contacted()


def test_metrics_are_those_of_the_moment(worker: Served) -> None:
    worker.measures.wrote("student", "flip")
    before = worker.get("/metrics")
    worker.measures.wrote("student", "flip")
    status, text, headers = worker.get("/metrics?name=x")
    assert (before[0], status) == (200, 200)
    assert 'cascade_events_total{producer="student",mode="flip"} 1\n' in before[1]
    assert 'cascade_events_total{producer="student",mode="flip"} 2\n' in text
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_a_worker_is_well_while_it_turns_and_the_database_answers(worker: Served) -> None:
    status, text, headers = worker.get("/healthz")
    assert (status, json.loads(text), headers["Content-Type"]) == (200, {"status": "ok"}, "application/json")


@pytest.mark.parametrize(("sign", "silent"), [("turned", "the database"), ("contacted", "the loop")])
def test_a_worker_is_ill_once_the_loop_or_the_database_is_silent_for_too_long(
    worker: Served, sign: str, silent: str
) -> None:
    worker.clock.now += 30.0
    assert worker.get("/healthz")[0] == 200
    worker.clock.now += 1.0
    getattr(worker.health, sign)()
    status, text, _ = worker.get("/healthz")
    assert status == 503
    assert json.loads(text)["reason"].startswith(silent)
    worker.health.turned()
    worker.health.contacted()
    assert worker.get("/healthz")[0] == 200


def test_a_worker_is_ill_before_the_database_has_first_answered() -> None:
    assert Health(Clock()).problem == "the database has not answered yet"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/", "GET", 404), ("/metrics/", "GET", 404), ("/metrics", "POST", 405), ("/healthz", "DELETE", 405)],
)
def test_nothing_else_is_served(worker: Served, path: str, method: str, status: int) -> None:
    assert worker.get(path, method)[0] == status


def test_the_head_of_a_page_has_its_length_and_no_body(worker: Served) -> None:
    status, text, headers = worker.get("/healthz", "HEAD")
    assert (status, text, headers["Content-Length"]) == (200, "", str(len('{"status": "ok"}\n')))


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/2\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (2 * MOST_REQUEST_BYTES), b"431"),
    ],
)
def test_what_is_no_request_or_too_large_is_refused(worker: Served, raw: bytes, status: bytes) -> None:
    assert worker.send(raw, end=True).startswith(b"HTTP/1.1 " + status)


def test_half_a_request_is_not_waited_for(worker: Served) -> None:
    began = time.monotonic()
    assert worker.send(b"GET /metr") == b""
    assert time.monotonic() - began < LONGEST_S + 2
    assert worker.send(b"GET /metr", end=True) == b""


def test_a_page_of_any_length_arrives_whole_even_where_the_caller_has_shut_its_own_side(
    worker: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.measures, "render", lambda: "x" * 20_000_000)
    head, _, body = worker.send(b"GET /metrics HTTP/1.1\r\n\r\n", end=True).partition(b"\r\n\r\n")
    assert b"Content-Length: 20000000" in head
    assert len(body) == 20_000_000


def test_callers_that_never_ask_and_never_read_keep_nobody_from_working(worker: Served) -> None:
    for number in range(3_000):
        worker.measures.escalated(f"a long reason, that makes the page longer {number}")
    lines = [socket.create_connection(("127.0.0.1", worker.port), 10) for _ in range(4 * MOST_CONNECTIONS)]
    try:
        for line in lines[::2]:
            with_many = b"GET /metrics HTTP/1.1\r\n\r\n"
            line.send(with_many)
        turns = worker.turns
        time.sleep(0.3)
        assert worker.turns - turns > 50, "the worker stood still"
        deadline = time.monotonic() + LONGEST_S + 5
        while worker.send(b"GET /healthz HTTP/1.1\r\n\r\n", end=True)[:12] != b"HTTP/1.1 200":
            assert time.monotonic() < deadline, "they were never cut off"
            time.sleep(0.05)
    finally:
        for line in lines:
            line.close()


def test_one_connection_too_many_is_cut_off_at_once() -> None:
    with served() as this:
        lines = [socket.create_connection(("127.0.0.1", this.port), 10) for _ in range(MOST_CONNECTIONS)]
        began = time.monotonic()
        assert this.send(b"GET /healthz HTTP/1.1") == b""
        assert time.monotonic() - began < LONGEST_S / 2
        for line in lines:
            line.close()


def test_the_worker_ends_at_once_whoever_is_still_connected() -> None:
    with served() as this:
        line = socket.create_connection(("127.0.0.1", this.port), 10)
        line.send(b"GET /met")
        time.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < LONGEST_S / 2
    line.close()


def test_only_loopback_is_listened_at_by_default(worker: Served) -> None:
    # Whoever listens at every address answers at this one too.
    with pytest.raises(OSError, match=r"refused|assign|timed out"):
        socket.create_connection(("127.0.0.2", worker.port), 2)


def test_a_port_that_is_taken_is_told_with_its_cure(worker: Served) -> None:
    async def listen(host: str, port: int) -> None:
        async with serving(Measures(), Health(Clock()), host, port):
            pass

    with pytest.raises(DependencyError, match=f"127.0.0.1:{worker.port}"):
        asyncio.run(listen("127.0.0.1", worker.port))
    with pytest.raises(UsageError, match="no address"):
        asyncio.run(listen("127.0.0.1", 70_000))


# What a worker at work shows


SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.MULTILINE)
Figures = dict[tuple[str, str], float]
PRICES = "[cost]\nteacher_input_usd = 4\nteacher_output_usd = 8\nstudent_input_usd = 1\nstudent_output_usd = 2\n"


def free_ports() -> int:
    """The first of two ports in a row that nobody uses."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
        with suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def figures_at(*places: tuple[str, int]) -> Figures:
    """The figures of several workers together, by name and labels."""
    found: Figures = {}
    for host, port in places:
        with urlopen(f"http://{host}:{port}/metrics") as answer:
            text = answer.read().decode()
        for name, labels, value in SAMPLE.findall(text):
            found[name, labels] = found.get((name, labels), 0.0) + float(value)
    return found


def total(found: Figures, name: str, having: str = "") -> float:
    return sum(value for (each, labels), value in found.items() if each == name and having in labels)


def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


@contextmanager
def working(live: Stage, events: int, *words: str, host: str = "127.0.0.1", more: str = "") -> Iterator[int]:
    """A worker, or several, with all events done; yields the first port."""
    port = free_ports()
    live.configure(f'[live]\nmetrics_port = {port}\nmetrics_host = "{host}"\n{more}')
    process = live.start(*words)
    try:
        eventually(lambda: live.value("SELECT count(*) FROM distillation_queue WHERE status = 'done'") == events)
        yield port
    finally:
        process.terminate()
        assert ended(process).code == 143


def verdicts(live: Stage, event_ids: set[str]) -> Counter[str]:
    """What the scorer says of the answers to these events that are on record."""
    answers = dict(live.rows("SELECT event_id, response FROM cascade_student_answers"))
    found: Counter[str] = Counter()
    for event_id, raw, prompt in live.rows("SELECT event_id, raw_response, user_prompt FROM distillation_traces"):
        if event_id in event_ids:
            trace = Trace(str(event_id), str(raw), "any", user_prompt=str(prompt))
            agrees = pair_agrees(trace, StudentAnswer(str(event_id), str(answers[event_id])), ScoringConfig())
            found["agrees" if agrees else "disagrees"] += 1
    return found


def test_workers_show_the_agreement_of_their_sample_whichever_of_them_taught_it(database: str, tmp_path: Path) -> None:
    with (
        stage(database, tmp_path, 120, "--latency-ms", 20) as live,
        working(live, 120, "--flip", "--sample-rate", "0.5", "--workers", "2") as port,
    ):
        by_sample = "SELECT event_id FROM event_distillations WHERE escalate_reason = 'random_sample'"
        sampled = {str(event_id) for (event_id,) in live.rows(by_sample)}
        places = [("127.0.0.1", port), ("127.0.0.1", port + 1)]
        eventually(lambda: total(figures_at(*places), "cascade_sampled_answers_total") >= len(sampled))
        found, expected = figures_at(*places), verdicts(live, sampled)
        prompt_hash = sha256(b"Distil these events.").hexdigest()
        assert len(expected) == 2
        for verdict, events in expected.items():
            assert found["cascade_sampled_answers_total", f'prompt_hash="{prompt_hash}",verdict="{verdict}"'] == events
        assert total(found, "cascade_sampled_answers_total") == len(sampled)
        escalated = live.value("SELECT count(*) FROM event_distillations WHERE escalated")
        assert total(found, "cascade_escalations_total") == escalated
        assert total(found, "cascade_escalations_total", "random_sample") == len(sampled)


def test_in_shadow_the_sample_is_compared_too_and_tokens_and_dollars_are_told(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 60) as live, working(live, 60, "--sample-rate", "0.5", more=PRICES) as port:
        by_sample = "SELECT event_id FROM cascade_student_answers WHERE fired = '{random_sample}'"
        sampled = {str(event_id) for (event_id,) in live.rows(by_sample)}
        place = ("127.0.0.1", port)
        eventually(lambda: total(figures_at(place), "cascade_sampled_answers_total") == len(sampled))
        found, expected = figures_at(place), verdicts(live, sampled)
        for verdict, events in expected.items():
            assert total(found, "cascade_sampled_answers_total", f'"{verdict}"') == events
        for model, read_usd, written_usd in (("teacher", 4, 8), ("student", 1, 2)):
            read, written = (
                found["cascade_tokens_total", f'model="{model}",direction="{way}"'] for way in ("prompt", "completion")
            )
            assert min(read, written) > 0
            dollars = (read * read_usd + written * written_usd) / 1e6
            assert found["cascade_cost_usd_total", f'model="{model}"'] == pytest.approx(dollars)


def test_metrics_are_where_they_are_wanted_and_without_prices_there_are_no_dollars(
    database: str, tmp_path: Path
) -> None:
    with stage(database, tmp_path, 5) as live, working(live, 5, host="127.0.0.2") as port:
        found = figures_at(("127.0.0.2", port))
        assert total(found, "cascade_tokens_total", "teacher") > 0
        assert total(found, "cascade_cost_usd_total") == 0
        with pytest.raises(OSError, match="refused"):
            figures_at(("127.0.0.1", port))


def sampled_claim(event_id: str, reason: str = RANDOM_SAMPLE) -> tuple[Claimed, Trace]:
    claim = Claimed("1", event_id, "fence", 0, 0, None, escalation=Escalation(reason, datetime.now(UTC)))
    return claim, Trace(event_id, "{}", "t", "f1e0ff")


def test_what_cannot_be_compared_is_counted_as_such_and_stops_nothing() -> None:
    measures, asked = Measures(), []

    def look_up(claim: Claimed) -> StudentAnswer | None:
        asked.append(claim.event_id)
        if claim.event_id == "away":
            raise DependencyError("the database is away")
        return StudentAnswer("known", "{}") if claim.event_id == "known" else None

    async def compare() -> None:
        compared = asyncio.Event()

        def agrees(*_: object) -> bool:
            loop.call_soon_threadsafe(compared.set)
            return True

        loop = asyncio.get_running_loop()
        agreements = Agreements(agrees, look_up, measures)
        for event_id, reason in (("away", RANDOM_SAMPLE), ("gated", "vip_arena"), ("unknown", RANDOM_SAMPLE)):
            agreements.taught(*sampled_claim(event_id, reason), None)
        agreements.taught(*sampled_claim("known"), None)
        working = asyncio.create_task(agreements.serve())
        await asyncio.wait_for(compared.wait(), 10)
        working.cancel()

    asyncio.run(compare())
    assert asked == ["away", "unknown", "known"]
    assert 'cascade_sampled_answers_total{prompt_hash="f1e0ff",verdict="none"} 2\n' in measures.render()


def test_of_more_than_can_wait_the_rest_is_counted_as_not_compared() -> None:
    measures = Measures()
    agreements = Agreements(lambda *_: True, lambda _: None, measures)
    for _ in range(MOST_WAITING + 5):
        agreements.taught(*sampled_claim("e"), None)
    assert 'verdict="none"} 5\n' in measures.render()
