"""Clients believe nothing that comes over the wire, send what they promise, and find the pace of the other side."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from itertools import pairwise
from math import exp
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.clients import (
    Caller,
    CallFailed,
    Endpoint,
    EndpointDown,
    Limits,
    Pace,
    Reply,
    StudentClient,
    StudentRequest,
    TeacherClient,
    align_events,
)
from cascade_cli.clients import calling as calling_module
from cascade_cli.clients.answers import read_reply
from cascade_cli.clients.failures import UNAVAILABLE
from cascade_cli.clients.pacing import Turn
from cascade_cli.errors import UsageError
from cascade_cli.event_block import DEFAULT_TEMPLATE, SHAPE, event_block, shape_of
from cascade_cli.records import Event

URL = "http://127.0.0.1:9/v1"
Respond = Callable[[httpx.Request], httpx.Response]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)


def _answer(text: object, **more: object) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}], **more}).encode()


@asynccontextmanager
async def _caller(respond: Respond, limits: Limits | None = None, key: str | None = None) -> AsyncIterator[Caller]:
    endpoint = Endpoint(URL, "m", key)
    async with Caller.open(endpoint, limits or Limits(), Pace(4), lambda: httpx.MockTransport(respond)) as caller:
        yield caller


def _called(respond: Respond, limits: Limits | None = None) -> Reply:
    async def call() -> Reply:
        async with _caller(respond, limits) as caller:
            return await caller.call(b"{}", "e1")

    return asyncio.run(call())


# What comes back


def test_both_shapes_of_answers_are_read() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    theirs = json.loads(_answer("hi", usage=usage))
    theirs["choices"][0]["finish_reason"] = "length"
    assert read_reply(json.dumps(theirs).encode()) == Reply("hi", 7, 3, "length")
    ollama = {"message": {"content": "hi"}, "prompt_eval_count": 7, "eval_count": 3, "done_reason": "stop"}
    assert read_reply(json.dumps(ollama).encode()) == Reply("hi", 7, 3, "stop")


def test_nothing_said_is_no_text_and_parts_are_joined() -> None:
    assert read_reply(_answer(None)).text is None
    assert read_reply(b'{"choices": [{"message": {"tool_calls": []}}]}').text is None
    assert read_reply(_answer("")).text == ""
    assert read_reply(_answer([{"text": "a"}, {"image": 1}, {"text": "b"}, 7])).text == "ab"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "unreadable_answer"),
        (b"\xff\xfe\x00", "unreadable_answer"),
        (b"[" * 100_000, "unreadable_answer"),
        (b'{"choices": [{"message": {"content": "half', "unreadable_answer"),
        (b'{"n": ' + b"9" * 5_000 + b"}", "unreadable_answer"),
        (b"[1]", "unreadable_answer"),
        (b'"text"', "unreadable_answer"),
        (b"{}", "no_choices"),
        (b'{"choices": []}', "no_choices"),
        (b'{"choices": [7]}', "no_choices"),
        (b'{"choices": {"0": 1}}', "no_choices"),
        (b'{"choices": [{"message": "hi"}]}', "no_choices"),
    ],
)
def test_an_answer_that_holds_none_is_told_by_kind(body: bytes, kind: str) -> None:
    with pytest.raises(CallFailed) as failed:
        read_reply(body)
    assert failed.value.kind.name == kind


@given(JSON, JSON, JSON)
def test_whatever_stands_beside_the_text_does_no_harm(usage: object, logprobs: object, reason: object) -> None:
    choice = {"message": {"content": "x"}, "logprobs": logprobs, "finish_reason": reason}
    reply = read_reply(json.dumps({"choices": [choice], "usage": usage}).encode())
    assert reply.text == "x"
    assert all(0 <= value <= 1 for value in reply.signals.values())
    assert reply.finish_reason is None or len(reply.finish_reason) <= 100


@given(st.lists(st.one_of(st.floats(), st.integers(), st.just(10**400)), max_size=5))
def test_signals_are_shares_whatever_the_probabilities_claim(values: list[float]) -> None:
    tokens = [{"logprob": value, "top_logprobs": [{"logprob": value}, {"logprob": -1}]} for value in values]
    choice = {"message": {"content": "x"}, "logprobs": {"content": tokens}}
    reply = read_reply(json.dumps({"choices": [choice]}).encode())
    assert all(0 <= value <= 1 for value in reply.signals.values())


def test_signals_are_the_mean_probability_and_the_mean_lead() -> None:
    tokens = [
        {"logprob": -1.0, "top_logprobs": [{"logprob": -1.0}, {"logprob": -2.0}]},
        {"logprob": -3.0, "top_logprobs": [{"logprob": -3.0}]},
    ]
    choice = {"message": {"content": "x"}, "logprobs": {"content": tokens}}
    signals = read_reply(json.dumps({"choices": [choice]}).encode()).signals
    assert signals == pytest.approx({"token_probability": exp(-2), "token_margin": exp(-1) - exp(-2)})


# The teacher's several events


@given(st.permutations(range(5)), st.booleans())
def test_events_are_aligned_by_index_whatever_their_order(order: list[int], fenced: bool) -> None:
    text = json.dumps({"events": [{"index": place, "facts": [str(place)]} for place in order]})
    text = f"Here:\n```json\n{text}\n```" if fenced else text
    assert align_events(text, 5) == [{"facts": [str(place)]} for place in range(5)]


@given(st.lists(st.sampled_from([0, 1, 2, 7, -1, True, "0", None]), max_size=5))
def test_alignment_never_gives_an_event_to_the_wrong_place(indexes: list[object]) -> None:
    said = [{"index": index, "n": number} for number, index in enumerate(indexes)]
    places = align_events(json.dumps({"events": said}), 3)
    assert len(places) == 3
    for place, found in enumerate(places):
        if found is not None:
            assert "index" not in found
            index = indexes[found["n"]]
            assert index is None or (index == place and index is not True)
    kept = [found["n"] for found in places if found is not None]
    assert len(kept) == len(set(kept))


def test_nameless_events_fill_what_is_left_only_where_that_is_certain() -> None:
    assert align_events('{"events": [{"a": 1}, {"b": 2}]}', 2) == [{"a": 1}, {"b": 2}]
    assert align_events('{"events": [{"a": 1}]}', 2) == [None, None]
    # One that is asked again alone keeps the number that its block had.
    assert align_events('{"events": [{"index": 3, "a": 1}]}', 1) == [{"a": 1}]
    assert align_events('{"events": [{"index": 1, "a": 1}, {"b": 2}]}', 2) == [{"b": 2}, {"a": 1}]
    assert align_events('{"entities": []}', 1) == [{"entities": []}]
    assert align_events("no", 3) == [None, None, None]


def test_one_bad_event_costs_the_others_nothing() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        block = json.loads(request.content)["messages"][1]["content"]
        if "poison" in block:
            return httpx.Response(400)
        events = [{"index": n, "facts": [part]} for n, part in enumerate(block.split("\n\n"))]
        return httpx.Response(200, content=_answer(json.dumps({"events": events})))

    async def ask() -> list[object]:
        async with _caller(respond) as caller:
            return list(await TeacherClient(caller, "system").ask(["a", "poison", "c"], ["1", "2", "3"]))

    first, second, third = asyncio.run(ask())
    assert (first, third) == ({"facts": ["a"]}, {"facts": ["c"]})
    assert isinstance(second, CallFailed)


def test_an_endpoint_that_goes_away_between_two_calls_takes_no_answer_back() -> None:
    calls = []

    def respond(request: httpx.Request) -> httpx.Response:
        block = json.loads(request.content)["messages"][1]["content"]
        calls.append(block)
        if len(calls) > 1:
            return httpx.Response(404)
        return httpx.Response(200, content=_answer('{"events": [{"index": 0, "facts": []}]}'))

    async def ask() -> list[object]:
        async with _caller(respond) as caller:
            return list(await TeacherClient(caller, "system").ask(["a", "b", "c"], ["1", "2", "3"]))

    first, *others = asyncio.run(ask())
    assert first == {"facts": []}
    assert [each.kind.name for each in others] == ["no_such_model", "no_such_model"]
    # The third was not even asked about.
    assert calls == ["a\n\nb\n\nc", "b"]


# What is sent


@pytest.mark.parametrize(
    ("url", "chat", "models"),
    [
        ("http://h:1", "http://h:1/chat/completions", "http://h:1/models"),
        ("http://h:1/", "http://h:1/chat/completions", "http://h:1/models"),
        ("https://h/v1", "https://h/v1/chat/completions", "https://h/v1/models"),
        ("https://h/api/v1/", "https://h/api/v1/chat/completions", "https://h/api/v1/models"),
        ("https://h/v1?key=1", "https://h/v1/chat/completions?key=1", "https://h/v1/models?key=1"),
        ("http://h/api/chat", "http://h/api/chat", None),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions", "http://h/v1/models"),
    ],
)
def test_only_an_empty_path_or_v1_is_completed(url: str, chat: str, models: str | None) -> None:
    endpoint = Endpoint(url, "m")
    assert (endpoint.chat_url, endpoint.models_url) == (chat, models)


@pytest.mark.parametrize("url", ["h:8000", "ftp://h", "http://", "http://h:99999", "http://[::1", "http://h:x/v1", ""])
def test_what_is_no_address_is_an_error_of_usage(url: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        Endpoint(url, "m")


def test_an_address_with_a_user_is_refused_and_one_with_a_key_is_shown_without_it() -> None:
    with pytest.raises(UsageError, match="would not be sent") as refused:
        Endpoint("http://ann:sentinel@h/v1", "m")
    assert "sentinel" not in f"{refused.value.message}{refused.value.hint}"
    assert Endpoint("https://h/v1?api-key=sentinel", "m").shown == "https://h/v1?***"


@pytest.mark.parametrize("key", ["sentinel\n", "sent\rinel", "sentinël"])
def test_a_key_that_cannot_be_sent_is_refused_unquoted(key: str) -> None:
    with pytest.raises(UsageError) as refused:
        Endpoint(URL, "m", key)
    assert "sent" not in str(refused.value) + (refused.value.hint or "")
    assert "sentinel" not in repr(Endpoint(URL, "m", "sentinel"))


@given(st.text(max_size=300))
def test_any_event_id_travels_in_a_header_and_can_be_read_back(event_id: str) -> None:
    headers = Endpoint(URL, "m", "key").headers(event_id)
    httpx.Request("POST", URL, headers=headers)
    assert headers["X-Event-Id"].isascii()
    if len(headers["X-Event-Id"]) < 1_000:
        assert unquote(headers["X-Event-Id"]) == event_id.encode("utf-8", "replace").decode()
    assert headers["Authorization"] == "Bearer key"
    assert headers["X-API-Key"] == "key"


def test_the_student_is_sent_one_turn_and_no_system_prompt() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=_answer("{}"))

    async def ask() -> None:
        async with _caller(respond) as caller:
            client = StudentClient(caller, StudentRequest("m", 99, 0.5, logprobs=True))
            await client.ask("e/1", "lone \ud800")
            await client.ask("e/1", "prompt", 2)

    asyncio.run(ask())
    first, second = (json.loads(request.content) for request in seen)
    assert first == {
        "model": "m",
        "messages": [{"role": "user", "content": "lone ?"}],
        "temperature": 0,
        "max_tokens": 99,
        "logprobs": True,
        "top_logprobs": 2,
    }
    assert (second["temperature"], isinstance(second["seed"], int)) == (0.5, True)
    assert seen[0].headers["x-event-id"] == "e%2F1"
    assert "authorization" not in seen[0].headers


# Trying again


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("nan", None),
        ("1e3", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_in_all_its_forms(said: str, seconds: float | None) -> None:
    response = httpx.Response(429, headers={"retry-after": said.encode()})
    assert calling_module._refusal(response).retry_after_s == seconds


def test_retry_after_may_be_a_date_to_come() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    found = calling_module._refusal(httpx.Response(503, headers={"retry-after": date})).retry_after_s
    assert found is not None
    assert 85 < found <= 90


@given(st.binary(max_size=60).filter(lambda said: b"\n" not in said and b"\r" not in said))
def test_a_hostile_retry_after_is_none_or_seconds(said: bytes) -> None:
    found = calling_module._refusal(httpx.Response(429, headers=[(b"retry-after", said)])).retry_after_s
    assert found is None or found >= 0


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (400, "refused", 1),
        (302, "refused", 1),
        (413, "refused", 1),
        (401, "key_refused", 1),
        (403, "key_refused", 1),
        (404, "no_such_model", 1),
        (500, "server_error", 2),
        (599, "server_error", 2),
        (799, "server_error", 2),
        (408, "too_slow", 2),
    ],
)
def test_only_what_may_get_better_is_tried_again(status: int, kind: str, requests: int) -> None:
    with pytest.raises(CallFailed) as failed:
        _called(lambda _: httpx.Response(status), Limits(tries=2))
    assert (failed.value.kind.name, failed.value.requests) == (kind, requests)


def test_refusals_for_want_of_room_do_not_use_up_the_tries() -> None:
    left = [429] * 3 + [200]
    reply = _called(
        lambda _: httpx.Response(left.pop(0), headers={"retry-after": "0"}, content=_answer("x")), Limits(tries=1)
    )
    assert (reply.text, reply.tries) == ("x", 4)


def test_who_asks_for_more_patience_than_there_is_counts_as_away() -> None:
    with pytest.raises(CallFailed) as failed:
        _called(lambda _: httpx.Response(429, headers={"retry-after": "9999"}))
    assert (failed.value.kind.outage, failed.value.requests, failed.value.retry_after_s) == (True, 1, 9999.0)


def test_a_date_to_come_back_at_is_judged_by_the_clock_of_who_says_it() -> None:
    theirs = datetime.now(UTC) + timedelta(hours=5)
    said = {"retry-after": format_datetime(theirs + timedelta(seconds=500)), "date": format_datetime(theirs)}
    with pytest.raises(CallFailed) as failed:
        _called(lambda _: httpx.Response(429, headers=said))
    assert failed.value.retry_after_s == 500


def test_what_the_endpoint_says_of_the_event_is_not_repeated() -> None:
    with pytest.raises(CallFailed) as failed:
        _called(lambda _: httpx.Response(400, content=b"bad prompt: secret text of the event"))
    assert failed.value.detail == "the endpoint answers 400"


def test_the_check_lists_models_and_survives_nonsense() -> None:
    def models(content: bytes, status: int = 200) -> list[str]:
        async def check() -> list[str]:
            async with _caller(lambda _: httpx.Response(status, content=content)) as caller:
                return await caller.check()

        return asyncio.run(check())

    assert models(b'{"data": [{"id": "a"}, {"id": 7}]}') == ["a", "7"]
    for nonsense in (b"", b"[]", b'{"data": 1}', b'{"data": [1]}', b"[" * 99_999, b"\xff"):
        assert models(nonsense) == []
    assert models(b"", 405) == []
    with pytest.raises(EndpointDown, match="a key is wanted"):
        models(b"", 401)


# The pace


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now


def _answer_many(pace: Pace, clock: Clock, count: int, every_s: float, crowd: int = 1) -> None:
    for _ in range(count):
        clock.now += every_s
        pace.accept(Turn(pace, clock.now, crowd))


def _refuse(pace: Pace, began_at: float, crowd: int = 1, retry_after_s: float | None = None) -> None:
    pace.refuse(Turn(pace, began_at, crowd), retry_after_s)


def test_without_refusals_there_is_no_rate_and_all_places_are_used_soon() -> None:
    clock = Clock()
    pace = Pace(32, clock)
    assert (pace.allowed, pace.per_s) == (16, None)
    _answer_many(pace, clock, 16, 0.001)
    assert (pace.allowed, pace.per_s, pace.quiet_s) == (32, None, 0.0)
    assert Pace(1, clock).allowed == 1


def test_a_refusal_among_no_more_than_usual_spaces_requests_wider_than_what_was_accepted() -> None:
    clock = Clock()
    pace = Pace(32, clock)
    _answer_many(pace, clock, 200, 0.01, crowd=20)
    _refuse(pace, clock.now, crowd=20)
    assert pace.per_s == pytest.approx(95, rel=0.02)
    assert pace.allowed == 32


def test_a_refusal_among_more_than_were_accepted_lately_narrows_and_leaves_the_rate() -> None:
    clock = Clock()
    pace = Pace(32, clock)
    _answer_many(pace, clock, 200, 0.01, crowd=8)
    _refuse(pace, clock.now, crowd=9)
    assert (pace.per_s, pace.allowed) == (None, 8)


def test_what_was_sent_before_a_cut_does_not_cut_again() -> None:
    clock = Clock()
    pace = Pace(32, clock)
    _answer_many(pace, clock, 200, 0.01)
    sent = clock.now
    _refuse(pace, sent)
    before = pace.per_s
    clock.now += 1
    for _ in range(9):
        _refuse(pace, sent)
    assert (pace.per_s, pace.refusals) == (before, 10)
    assert pace._resume_at < clock.now


def test_the_pace_recovers_the_faster_the_longer_nothing_was_refused() -> None:
    clock = Clock()
    pace = Pace(64, clock)
    _answer_many(pace, clock, 200, 0.01)
    _refuse(pace, clock.now)
    rates = [pace.per_s or 0]
    for _ in range(4):
        _answer_many(pace, clock, 100, 0.01)
        rates.append(pace.per_s or 0)
    growth = [after / before for before, after in pairwise(rates)]
    assert growth == sorted(growth)
    assert 1 < growth[0] < 1.1
    assert growth[-1] > 1.3
    _answer_many(pace, clock, 1, 100_000.0)
    assert pace.allowed == 64


def test_one_refusal_pauses_nobody_and_many_in_a_row_pause_all_as_long_as_is_asked() -> None:
    clock = Clock()
    pace = Pace(4, clock)
    for number in range(4):
        clock.now += 1
        assert pace._resume_at <= clock.now
        _refuse(pace, clock.now, retry_after_s=2.0)
        assert (pace._resume_at == clock.now + 2) == (number == 3)
    clock.now += 1
    _refuse(pace, clock.now, retry_after_s=9_999.0)
    assert pace._resume_at == clock.now + 30
    clock.now += 36
    assert pace.quiet_s == 40
    pace.accept(Turn(pace, clock.now, 1))
    assert pace.quiet_s == 0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once wherever it would wait."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_s = 0.0
        look = self._selector.select

        def select(timeout: float | None = None) -> object:
            self._virtual_s += max(timeout or 0.0, 0.0)
            return look(0)

        self._selector.select = select

    def time(self) -> float:
        """Seconds that would have passed."""
        return self._virtual_s


def test_who_refuses_everybody_for_minutes_counts_as_away() -> None:
    asked = 0

    def refuse(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(503)

    async def call() -> None:
        loop = asyncio.get_running_loop()
        lane = partial(httpx.MockTransport, refuse)
        async with Caller.open(Endpoint(URL, "m"), Limits(), Pace(4, loop.time), lane) as caller:
            await caller.call(b"{}", "e1")

    with closing(VirtualLoop()) as loop, pytest.raises(CallFailed) as failed:
        loop.run_until_complete(call())
    assert failed.value.kind is UNAVAILABLE
    assert failed.value.requests == asked
    assert Limits().patience_s < loop.time() < 2 * Limits().patience_s


@dataclass
class Limited:
    """An endpoint that takes so many a second or so many at once; counts what came."""

    per_s: float | None = None
    burst: float = 10.0
    at_once: int | None = None
    latency_s: float = 0.0
    sent: int = 0
    answered_at: list[float] = field(default_factory=list)
    in_hand: int = 0
    tokens: float = 10.0
    filled_at: float = 0.0

    async def ask(self) -> bool:
        """Whether a request is taken."""
        self.sent += 1
        await asyncio.sleep(0.002)
        now = asyncio.get_running_loop().time()
        if self.per_s is not None:
            self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.per_s)
            self.filled_at = now
            if self.tokens < 1:
                return False
            self.tokens -= 1
        if self.at_once is not None and self.in_hand >= self.at_once:
            return False
        self.in_hand += 1
        await asyncio.sleep(self.latency_s)
        self.in_hand -= 1
        self.answered_at.append(asyncio.get_running_loop().time())
        return True


@pytest.mark.parametrize(
    ("server", "permitted_per_s", "questions"),
    [
        (Limited(per_s=100), 100, 2_000),
        (Limited(per_s=20, burst=2, tokens=2), 20, 600),
        (Limited(per_s=300, burst=30, latency_s=0.05), 300, 6_000),
        (Limited(at_once=8, latency_s=0.05), 8 / 0.052, 2_000),
        (Limited(at_once=24, latency_s=0.05), 24 / 0.052, 5_000),
        (Limited(at_once=2, latency_s=0.2), 2 / 0.202, 300),
        (Limited(latency_s=0.05), 32 / 0.052, 5_000),
    ],
    ids=["100 a second", "20 a second", "300 a second", "8 at once", "24 at once", "2 at once", "no limit"],
)
def test_the_pace_settles_within_a_tenth_of_what_is_permitted_without_a_storm(
    server: Limited, permitted_per_s: float, questions: int
) -> None:
    dice = random.Random(1)

    async def crowd(pace: Pace) -> None:
        left = iter(range(questions))

        async def work() -> None:
            for _ in left:
                taken = False
                while not taken:
                    async with pace.turn() as turn:
                        taken = await server.ask()
                        if taken:
                            turn.accepted()
                        else:
                            turn.refused(1.0)
                    if not taken:
                        await asyncio.sleep(1.0 + dice.uniform(0, 0.5))

        await asyncio.gather(*(work() for _ in range(64)))

    with closing(VirtualLoop()) as loop:
        loop.run_until_complete(crowd(Pace(32, loop.time)))
    # The very last ones wait for nothing but their own pause.
    settled = sorted(server.answered_at)[questions // 3 : questions * 99 // 100]
    assert (len(settled) - 1) / (settled[-1] - settled[0]) >= 0.9 * permitted_per_s
    assert server.sent / questions <= 1.2


@pytest.mark.parametrize(("latency_s", "all_within_s"), [(0.0, 0.0), (0.05, 0.047), (5.0, 0.059)])
def test_a_burst_is_spread_over_most_of_a_round_and_never_wider_than_two_milliseconds_each(
    latency_s: float, all_within_s: float
) -> None:
    async def burst(pace: Pace) -> list[float]:
        async with pace.turn() as turn:
            await asyncio.sleep(latency_s)
            turn.accepted()
        # The first two come together: a loop that was late may catch up with two milliseconds.
        await asyncio.sleep(1)
        pace._allowed = 32.0
        began: list[float] = []

        async def one() -> None:
            async with pace.turn():
                began.append(pace._clock())
                await asyncio.sleep(10)

        await asyncio.gather(*(one() for _ in range(32)))
        return began

    with closing(VirtualLoop()) as loop:
        began = loop.run_until_complete(burst(Pace(32, loop.time)))
    assert max(began) - min(began) == pytest.approx(all_within_s, abs=0.003)
    assert max(after - before for before, after in pairwise(began)) <= 0.0021


def test_no_more_than_allowed_are_in_flight_and_a_cancelled_one_gives_its_place_back() -> None:
    async def crowd() -> int:
        pace, most = Pace(3), 0

        async def one(number: int) -> None:
            nonlocal most
            async with pace.turn() as turn:
                most = max(most, pace.in_flight)
                await asyncio.sleep(0.001)
                if number % 3:
                    turn.accepted()

        tasks = [asyncio.create_task(one(number)) for number in range(60)]
        await asyncio.sleep(0.004)
        for task in tasks[::4]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert pace.in_flight == 0
        return most

    assert asyncio.run(crowd()) == 3


# The block


def test_a_template_puts_each_part_in_its_place_and_braces_of_the_event_mean_nothing() -> None:
    event = Event("e1", "sales", "text {id} {x}", {"to_emails": ["a@b.c", "d@e.f"], "subject": "S", "other": 1})
    assert event_block(event, 3, "{index}|{arena}|{envelope}|{content}|{nothing}") == (
        "3|sales|subject: S\nto_emails: a@b.c, d@e.f|text {id} {x}|{nothing}"
    )
    assert shape_of(DEFAULT_TEMPLATE) == SHAPE
    assert shape_of("{content}") != shape_of("{content} ")
