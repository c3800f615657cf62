"""``/metrics`` and ``/healthz`` over real HTTP: bounded in size and time, never in the worker's way."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.live.measures import Measures
from cascade_cli.live.serving import MOST_CONNECTIONS, MOST_REQUEST_BYTES, Health, serving

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
