"""The stand-in endpoint, run as a process of its own, answers like two models and fails like a network."""

from __future__ import annotations

import gzip
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
STAND_IN = FIXTURES / "stand_in.py"
CHAT = "/chat/completions"
PATIENCE_S = 10.0
STUDENT, TEACHER = "nuextract-2.0-4b-ft", "qwen-27b"
Row = dict[str, str]


@dataclass(frozen=True)
class StandIn:
    """A running server, and a client of it."""

    process: subprocess.Popen[str]
    url: str
    port: int
    pid: int
    client: httpx.Client

    def ask(self, prompt: str, *, system: str | None = None, event_id: str | None = None, **more: object):
        """Ask for a completion; a teacher where there is a system message."""
        messages = [{"role": "system", "content": system}] if system else []
        body = {"model": STUDENT, "messages": [*messages, {"role": "user", "content": prompt}], **more}
        headers = {"X-Event-Id": quote(event_id)} if event_id is not None else {}
        return self.client.post(CHAT, json=body, headers=headers)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def stand_in(*options: object, timeout_s: float = PATIENCE_S) -> Iterator[StandIn]:
    command = [sys.executable, str(STAND_IN), *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            with httpx.Client(base_url=ready["url"], trust_env=False, timeout=timeout_s) as client:
                yield StandIn(process, **ready, client=client)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with gzip.open(FIXTURES / "pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def plain() -> Iterator[StandIn]:
    """A server without any option, for the tests that only ask."""
    with stand_in() as server:
        yield server


def content(response: httpx.Response) -> str | None:
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


def log_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_index(prompt: str) -> str:
    return prompt.partition("] ")[2]


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def raw_request(body: bytes, head: str = "") -> bytes:
    return f"POST /v1/chat/completions HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def received(sock: socket.socket, *, until: bytes) -> bytes:
    data = b""
    while until not in data and (more := sock.recv(65536)):
        data += more
    return data


# --- answers ---


def test_a_student_is_found_by_its_prompt_whatever_the_index(plain: StandIn, rows: list[Row]) -> None:
    for row in rows[:40]:
        assert content(plain.ask(row["user_prompt"])) == row["student_response"]
        assert content(plain.ask("[0] " + without_index(row["user_prompt"]))) == row["student_response"]


def test_a_student_that_said_nothing_answers_with_no_text(plain: StandIn, rows: list[Row]) -> None:
    silent = next(row for row in rows if row["student_response"] is None)
    assert content(plain.ask(silent["user_prompt"])) is None


def test_a_student_is_found_by_the_percent_encoded_header(plain: StandIn, rows: list[Row]) -> None:
    row = rows[3]
    assert content(plain.ask("something else", event_id=row["event_id"])) == row["student_response"]
    escaped = "".join(f"%{byte:02x}" for byte in row["event_id"].encode())
    body = {"model": STUDENT, "messages": [{"role": "user", "content": "?"}]}
    assert content(plain.client.post(CHAT, json=body, headers={"X-Event-Id": escaped})) == row["student_response"]


def test_an_unknown_event_gets_an_empty_object(plain: StandIn) -> None:
    assert content(plain.ask("never heard of it", event_id="évt-?")) == "{}"


def test_the_answer_has_the_shape_of_a_chat_completion(plain: StandIn, rows: list[Row]) -> None:
    answer = plain.ask(rows[0]["user_prompt"]).json()
    assert list(answer) == ["id", "object", "created", "model", "choices", "usage"]
    assert (answer["object"], answer["model"]) == ("chat.completion", STUDENT)
    assert list(answer["choices"][0]) == ["index", "message", "finish_reason"]
    asked, said = (-(-len(rows[0][key]) // 4) for key in ("user_prompt", "student_response"))
    assert answer["usage"] == {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def test_a_teacher_answers_each_block_under_the_index_of_the_request(plain: StandIn, rows: list[Row]) -> None:
    batch = rows[100:110]
    asked = [(index, batch[-index]["user_prompt"]) for index in range(1, 10)]
    message = "\n\n".join(f"[{index}] {without_index(prompt)}" for index, prompt in asked)
    response = plain.ask(message, system="Extract.")
    events = json.loads(content(response))["events"]
    assert [event["index"] for event in events] == list(range(1, 10))
    for event in events:
        recorded = batch[-event.pop("index")]["raw_response"]
        assert event == json.loads(recorded[recorded.find("{") : recorded.rfind("}") + 1])
    assert response.json()["usage"]["completion_tokens"] == -(-len(content(response)) // 4)


def test_a_teacher_finds_no_entities_in_blocks_that_are_unknown_or_recorded_as_cut(
    plain: StandIn, rows: list[Row]
) -> None:
    cut = next(row for row in rows if not row["raw_response"].rstrip("` \n").endswith(("}", "else.")))
    message = f"[7] chat in sales\nnever heard of it\n\n[8] {without_index(cut['user_prompt'])}"
    events = json.loads(content(plain.ask(message, system="Extract.")))["events"]
    assert events == [{"index": 7, "entities": []}, {"index": 8, "entities": []}]
    assert json.loads(content(plain.ask("no block at all", system="Extract."))) == {"events": []}


def test_the_other_shape_is_answered_too(plain: StandIn, rows: list[Row]) -> None:
    body = {"model": STUDENT, "messages": [{"role": "user", "content": rows[0]["user_prompt"]}], "stream": False}
    answer = httpx.post(plain.url.removesuffix("/v1") + "/api/chat", json=body, trust_env=False).json()
    assert answer == {
        "model": STUDENT,
        "message": {"role": "assistant", "content": rows[0]["student_response"]},
        "done": True,
        "prompt_eval_count": -(-len(rows[0]["user_prompt"]) // 4),
        "eval_count": -(-len(rows[0]["student_response"]) // 4),
    }


def test_further_samples_differ_for_some_events_and_are_the_same_every_time(plain: StandIn, rows: list[Row]) -> None:
    changed = 0
    for row in rows[:60]:
        sample = content(plain.ask(row["user_prompt"], temperature=0.7, seed=1))
        assert content(plain.ask(row["user_prompt"], temperature=0.7, seed=1)) == sample
        changed += sample != row["student_response"]
        assert len(sample or "") <= len(row["student_response"] or "")
    assert 0 < changed < 30
    assert {content(plain.ask(rows[0]["user_prompt"], temperature=0, seed=seed)) for seed in range(20)} == {
        rows[0]["student_response"]
    }
    assert len({content(plain.ask(rows[0]["user_prompt"], temperature=1, seed=seed)) for seed in range(20)}) > 1


def test_log_probabilities_come_when_asked_for_and_add_up_to_at_most_one(plain: StandIn, rows: list[Row]) -> None:
    answers = [plain.ask(rows[0]["user_prompt"], logprobs=True).json()["choices"][0] for _ in range(2)]
    assert answers[0] == answers[1]
    tokens = answers[0]["logprobs"]["content"]
    assert len(tokens) == 20
    assert "".join(token["token"] for token in tokens) == rows[0]["student_response"][:80]
    for token in tokens:
        first, second = token["top_logprobs"]
        assert (first["token"], first["logprob"]) == (token["token"], token["logprob"])
        assert second["logprob"] < first["logprob"] < 0


def test_models_and_health_are_listed(plain: StandIn) -> None:
    assert {model["id"] for model in plain.client.get("/models").json()["data"]} == {STUDENT, TEACHER}
    root = plain.url.removesuffix("/v1")
    assert plain.client.get(root + "/healthz").status_code == 200
    assert plain.client.get(root + "/nowhere").status_code == 404


def test_only_named_models_exist(rows: list[Row]) -> None:
    with stand_in("--model", STUDENT, "--model", "b") as server:
        assert [model["id"] for model in server.client.get("/models").json()["data"]] == [STUDENT, "b"]
        assert server.ask(rows[0]["user_prompt"]).status_code == 200
        refused = server.ask(rows[0]["user_prompt"], model="c")
    assert refused.status_code == 404
    assert refused.json() == {
        "error": {"message": "The model `c` does not exist.", "type": "NotFoundError", "code": 404}
    }


def test_nothing_is_answered_without_the_key(rows: list[Row]) -> None:
    with stand_in("--api-key", "s3cret") as server:
        for key in (None, "other", "s3cret2"):
            server.client.headers.pop("Authorization", None)
            if key:
                server.client.headers["Authorization"] = f"Bearer {key}"
            assert server.ask(rows[0]["user_prompt"]).status_code == 401
            refused = server.client.get("/models")
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, 401)
            assert "s3cret" not in refused.text
        server.client.headers["Authorization"] = "Bearer s3cret"
        assert server.ask(rows[0]["user_prompt"]).status_code == 200
        assert server.client.get("/models").status_code == 200


# --- the wire ---


def test_requests_that_are_sent_ahead_are_answered_in_order(plain: StandIn, rows: list[Row]) -> None:
    bodies = [json.dumps({"messages": [{"role": "user", "content": row["user_prompt"]}]}).encode() for row in rows[:5]]
    last = raw_request(bodies[-1], "Connection: close\r\n")
    with closing(socket.create_connection(("127.0.0.1", plain.port), timeout=PATIENCE_S)) as sock:
        sock.sendall(b"".join(map(raw_request, bodies[:-1])) + last)
        data = received(sock, until=b"no such bytes")
    answers = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in data.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [answer["choices"][0]["message"]["content"] for answer in answers] == [
        row["student_response"] for row in rows[:5]
    ]


def test_a_body_may_come_in_chunks_and_in_any_pieces(plain: StandIn, rows: list[Row]) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": rows[1]["user_prompt"]}]}).encode()
    chunks = (body[start : start + 7] for start in range(0, len(body), 7))
    assert content(plain.client.post(CHAT, content=chunks)) == rows[1]["student_response"]
    with closing(socket.create_connection(("127.0.0.1", plain.port), timeout=PATIENCE_S)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in raw_request(body, "Connection: close\r\n"):
            sock.sendall(bytes([byte]))
        assert b"200 OK" in received(sock, until=b"no such bytes")


def test_a_client_that_waits_for_leave_gets_it(plain: StandIn) -> None:
    body = b'{"messages": []}'
    head = raw_request(body, "Expect: 100-continue\r\n").removesuffix(body)
    with closing(socket.create_connection(("127.0.0.1", plain.port), timeout=PATIENCE_S)) as sock:
        sock.sendall(head)
        assert received(sock, until=b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert received(sock, until=b"}}").startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 67108865\r\n\r\n", 413),
        (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4000001\r\n", 413),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    ],
    ids=["long", "long chunk", "negative", "no length", "no HTTP", "other HTTP", "long head"],
)
def test_what_is_no_acceptable_request_is_refused_and_the_connection_closed(
    plain: StandIn, sent: bytes, status: int
) -> None:
    with closing(socket.create_connection(("127.0.0.1", plain.port), timeout=PATIENCE_S)) as sock:
        sock.sendall(sent)
        assert received(sock, until=b"no such bytes").startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"[" * 100_000, b'{"messages": [1]}', b"\xff"])
def test_a_body_that_asks_nothing_gets_400_and_the_connection_stays(plain: StandIn, body: bytes) -> None:
    refused = plain.client.post(CHAT, content=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 400)
    assert plain.client.get("/models").status_code == 200


# --- limits ---


def test_a_rate_limit_lets_a_burst_in_and_then_advises_when_to_come_back(rows: list[Row]) -> None:
    with stand_in("--rate-limit", 1, "--burst", 3, "--retry-after", "0.25") as server:
        answers = [server.ask(rows[0]["user_prompt"]) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["Retry-After"] == "0.25"
        assert answers[-1].json()["error"]["type"] == "RateLimitError"
        eventually(lambda: server.ask(rows[0]["user_prompt"]).status_code == 200)


@pytest.mark.parametrize("status", [429, 503])
def test_more_requests_at_the_same_time_than_allowed_are_refused(rows: list[Row], status: int) -> None:
    options = ("--max-in-flight", 2, "--busy-status", status, "--latency-ms", 250)
    with stand_in(*options) as server, ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda row: server.ask(row["user_prompt"]), rows[:5]))
        stats = server.client.get(server.url.removesuffix("/v1") + "/stand-in/stats").json()
    assert Counter(answer.status_code for answer in answers) == {200: 2, status: 3}
    assert {answer.headers.get("Retry-After") for answer in answers} == {None, "1"}
    assert stats == {"outcomes": {"answered": 2, str(status): 3}, "in_flight": 0, "max_in_flight": 2}


# --- faults ---

STATUSES = {"429": 429, "500": 500, "503": 503, "reset": None, "never": None}  # all others say 200
AT_ONCE = ("429", "500", "503", "reset", "garbage", "half", "halfjson", "empty", "nochoices", "nullcontent")
Sight = httpx.Response | httpx.TransportError


def sight(server: StandIn, prompt: str) -> Sight:
    """What a client sees of a request."""
    try:
        return server.ask(prompt)
    except httpx.TransportError as error:
        return error


@pytest.fixture(scope="module")
def sights(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Sight, object]]:
    """For each fault that ends at once: what the client saw of it, and the status in the log."""
    log = tmp_path_factory.mktemp("faults") / "log.jsonl"
    with stand_in("--faults", ",".join(f"{kind}=0.1" for kind in AT_ONCE), "--log", log) as server:
        seen = [sight(server, row["user_prompt"]) for row in rows[:80]]
    lines = log_lines(log)
    assert [line["event_id"] for line in lines] == [row["event_id"] for row in rows[:80]]
    return {str(line["outcome"]): (one, line["status"]) for line, one in zip(lines, seen, strict=True)}


def is_error(seen: Sight, status: int, retry_after: str | None) -> bool:
    assert isinstance(seen, httpx.Response)
    assert seen.json()["error"]["code"] == status
    return (seen.status_code, seen.headers.get("Retry-After")) == (status, retry_after)


def is_unreadable(seen: Sight, match: str) -> bool:
    assert isinstance(seen, httpx.Response)
    with pytest.raises(ValueError, match=match):
        seen.json()
    return seen.status_code == 200


def is_answer(seen: Sight, wanted: Callable[[httpx.Response], bool]) -> bool:
    return isinstance(seen, httpx.Response) and seen.status_code == 200 and wanted(seen)


SHOWS: dict[str, Callable[[Sight], bool]] = {
    "429": partial(is_error, status=429, retry_after="1"),
    "500": partial(is_error, status=500, retry_after=None),
    "503": partial(is_error, status=503, retry_after=None),
    "reset": lambda seen: isinstance(seen, httpx.ReadError) and "reset" in str(seen),
    "garbage": partial(is_unreadable, match="decode"),
    "half": lambda seen: isinstance(seen, httpx.RemoteProtocolError) and "complete message body" in str(seen),
    "halfjson": partial(is_unreadable, match=r"Unterminated|Expecting"),
    "empty": partial(is_answer, wanted=lambda answer: answer.content == b""),
    "nochoices": partial(is_answer, wanted=lambda answer: answer.json() == {"choices": []}),
    "nullcontent": partial(
        is_answer,
        wanted=lambda answer: answer.json()["choices"][0]["message"] == {"role": "assistant", "content": None},
    ),
}


@pytest.mark.parametrize("kind", AT_ONCE)
def test_a_fault_that_ends_at_once_shows_at_the_client_and_in_the_log(
    kind: str, sights: dict[str, tuple[Sight, object]]
) -> None:
    seen, logged = sights[kind]
    assert SHOWS[kind](seen)
    assert logged == STATUSES.get(kind, 200)


def check_never(server: StandIn, body: object) -> None:
    with pytest.raises(httpx.ReadTimeout):
        server.client.post(CHAT, json=body, timeout=0.2)


def check_slow(server: StandIn, body: object) -> None:
    with server.client.stream("POST", CHAT, json=body) as response:
        assert response.status_code == 200
        assert int(response.headers["Content-Length"]) > 100
        pieces = response.iter_raw()
        assert (next(pieces), next(pieces)) == (b"{", b'"')


def check_huge(server: StandIn, body: object) -> None:
    with server.client.stream("POST", CHAT, json=body) as response:  # one client leaves in the middle
        next(response.iter_raw())
    length, tail = 0, b""
    with server.client.stream("POST", CHAT, json=body) as response:
        for piece in response.iter_raw():
            length += len(piece)
            tail = (tail + piece)[-10_000:]
    assert length >= 100 * 1024 * 1024
    assert json.loads(tail)["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("kind", "check"),
    [("never", check_never), ("slow", check_slow), ("huge", check_huge)],
    ids=["never", "slow", "huge"],
)
def test_a_fault_that_does_not_end_holds_its_client_alone(
    kind: str, check: Callable[[StandIn, object], None], rows: list[Row], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    with stand_in("--faults", f"{kind}=1", "--log", log) as server:
        check(server, {"messages": [{"role": "user", "content": rows[0]["user_prompt"]}]})
        assert server.client.get("/models").status_code == 200
        eventually(lambda: any(line["outcome"] == kind for line in log_lines(log)))
    faulty = [line for line in log_lines(log) if line["kind"] == "student"]
    assert {(line["event_id"], line["outcome"], line["status"]) for line in faulty} == {
        ("evt-00001", kind, STATUSES.get(kind, 200))
    }


def outcomes(log: Path, prompts: list[str], *options: object) -> dict[str, list[object]]:
    """What became of each event's requests, in their order."""
    with stand_in("--faults", "500=0.3,empty=0.1", "--log", log, *options) as server:
        for prompt in prompts:
            server.ask(prompt)
    found: dict[str, list[object]] = {}
    for line in log_lines(log):
        found.setdefault(str(line["event_id"]), []).append(line["outcome"])
    return found


def test_faults_depend_on_seed_and_attempt_but_not_on_the_order_of_questions(rows: list[Row], tmp_path: Path) -> None:
    prompts = [row["user_prompt"] for row in rows[:40]] * 3
    shuffled = random.Random(1).sample(prompts, len(prompts))
    first = outcomes(tmp_path / "1", prompts, "--seed", 5)
    assert outcomes(tmp_path / "2", shuffled, "--seed", 5) == first
    assert outcomes(tmp_path / "3", prompts, "--seed", 6) != first
    counts = Counter(outcome for several in first.values() for outcome in several)
    assert 18 < counts["500"] < 60
    assert 3 < counts["empty"] < 28
    assert any(len(set(several)) > 1 for several in first.values())  # a retry may help


def test_faults_that_stick_are_not_helped_by_asking_again(rows: list[Row], tmp_path: Path) -> None:
    prompts = [row["user_prompt"] for row in rows[:60]] * 2
    found = outcomes(tmp_path / "log", prompts, "--faults-stick")
    assert {len(set(several)) for several in found.values()} == {1}
    assert len({several[0] for several in found.values()}) == 3


@pytest.mark.parametrize(
    "options",
    [
        ["--faults", "oops=0.1"],
        ["--faults", "429=0.6,500=0.6"],
        ["--retry-after", "soon"],
        ["--port", "70000"],
    ],
)
def test_a_wrong_option_ends_with_status_2(options: list[str]) -> None:
    result = subprocess.run([sys.executable, str(STAND_IN), *options], capture_output=True, check=False)
    assert (result.returncode, result.stdout) == (2, b"")


# --- the outage, the log and the end ---


def test_it_goes_away_and_comes_back_on_the_same_port(rows: list[Row], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    options = ("--outage-after", 2, "--outage-s", 0.4, "--latency-ms", 150, "--log", log)
    with stand_in(*options) as server, ThreadPoolExecutor(2) as pool:
        assert server.ask(rows[0]["user_prompt"]).status_code == 200
        answered = pool.submit(server.ask, rows[1]["user_prompt"])
        time.sleep(0.05)
        cut = pool.submit(server.ask, rows[2]["user_prompt"])
        assert content(answered.result()) == rows[1]["student_response"]
        with pytest.raises(httpx.TransportError):
            cut.result()
        assert refuses_connections(server.port)
        eventually(lambda: not refuses_connections(server.port))
        assert content(server.ask(rows[3]["user_prompt"])) == rows[3]["student_response"]
    assert [line["outcome"] for line in log_lines(log)] == ["answered", "answered", "outage", "answered"]


def test_the_log_tells_of_each_request_what_the_client_saw(rows: list[Row], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    faults = "429=0.1,500=0.1,reset=0.1,half=0.1,garbage=0.1,nullcontent=0.1"

    def seen(row: Row) -> tuple[str, int | None]:
        try:
            return row["event_id"], server.ask(row["user_prompt"], temperature=0.5, seed=3).status_code
        except httpx.TransportError:
            return row["event_id"], None

    with stand_in("--faults", faults, "--latency-ms", 1, "--latency-jitter-ms", 2, "--log", log) as server:
        with ThreadPoolExecutor(8) as pool:
            at_client = Counter(pool.map(seen, rows[:100] * 3))
        lines = log_lines(log)
        stats = server.client.get(server.url.removesuffix("/v1") + "/stand-in/stats").json()
    broken = {"reset", "half"}
    assert Counter((x["event_id"], None if x["outcome"] in broken else x["status"]) for x in lines) == at_client
    assert Counter(line["outcome"] for line in lines) == stats["outcomes"]
    assert {"answered", "429", "500", "reset", "half", "garbage", "nullcontent"} == set(stats["outcomes"])
    assert max(int(str(line["in_flight"])) for line in lines) == stats["max_in_flight"] <= 8
    assert list(lines[0]) == ["t", "event_id", "kind", "sample", "outcome", "status", "in_flight", "temperature"]
    assert {(line["kind"], line["sample"], line["temperature"]) for line in lines} == {("student", 3, 0.5)}
    assert all(0 <= float(str(line["t"])) < 60 for line in lines)


def test_the_log_names_the_event_of_a_refused_request_too(rows: list[Row], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with stand_in("--api-key", "k", "--model", "m", "--log", log) as server:
        server.ask(rows[4]["user_prompt"])
        server.client.headers["Authorization"] = "Bearer k"
        server.ask("?", system="Extract.", event_id="évt/4 %")
        server.client.get("/models")
    found = [(line["event_id"], line["kind"], line["outcome"], line["status"]) for line in log_lines(log)]
    assert found == [
        ("evt-00005", "student", "401", 401),
        ("évt/4 %", "teacher", "404", 404),
        (None, "models", "answered", 200),
    ]


def test_a_client_that_leaves_early_is_logged_as_gone(rows: list[Row], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with stand_in("--latency-ms", 60_000, "--log", log) as server:
        with pytest.raises(httpx.ReadTimeout):
            server.client.post(
                CHAT, json={"messages": [{"role": "user", "content": rows[0]["user_prompt"]}]}, timeout=0.1
            )
        eventually(lambda: len(log_lines(log)) == 1)
    assert (log_lines(log)[0]["outcome"], log_lines(log)[0]["status"]) == ("gone", None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_a_whole_log(number: int, rows: list[Row], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with stand_in("--latency-ms", 60_000, "--log", log) as server, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(server.ask, row["user_prompt"]) for row in rows[:3]]
        root = server.url.removesuffix("/v1")
        eventually(lambda: server.client.get(root + "/stand-in/stats").json()["in_flight"] == 3)
        assert server.stop(number) == 0
        assert all(isinstance(one.exception(), httpx.TransportError) for one in waiting)
    assert [line["outcome"] for line in log_lines(log)] == ["stopped"] * 3


def test_it_ends_when_its_parent_has_ended() -> None:
    starter = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)\n"
        "print(child.stdout.readline())\n"
    )
    command = [sys.executable, "-c", starter, sys.executable, str(STAND_IN), "--exit-with-parent"]
    port = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)["port"]
    eventually(lambda: refuses_connections(port))


def test_a_port_that_is_taken_is_said_so(plain: StandIn) -> None:
    command = [sys.executable, str(STAND_IN), "--port", str(plain.port)]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert str(plain.port) in result.stderr


def test_it_runs_from_inside_a_package_too() -> None:
    command = [sys.executable, "-m", "fixtures.stand_in", "--help"]
    result = subprocess.run(command, cwd=FIXTURES.parent, capture_output=True, check=True, text=True)
    assert "--faults-stick" in result.stdout
