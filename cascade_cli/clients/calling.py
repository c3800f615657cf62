"""One call: a request, and further ones where they can help. The only place that tries again."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from cascade_cli.clients.answers import Reply, read_reply
from cascade_cli.clients.connections import Connections, NewLane
from cascade_cli.clients.endpoint import Endpoint
from cascade_cli.clients.failures import (
    CUT_OFF,
    GIVEN_UP,
    KEY_REFUSED,
    NO_SUCH_MODEL,
    RATE_LIMITED,
    REFUSED,
    SERVER_ERROR,
    TOO_LARGE,
    TOO_SLOW,
    UNAVAILABLE,
    UNREACHABLE,
    CallFailed,
    EndpointDown,
    KeyRefused,
    Kind,
)
from cascade_cli.clients.pacing import Pace, Rest
from cascade_cli.redaction import redact

_STATUS_KINDS = {
    HTTPStatus.UNAUTHORIZED.value: KEY_REFUSED,
    HTTPStatus.FORBIDDEN.value: KEY_REFUSED,
    HTTPStatus.NOT_FOUND.value: NO_SUCH_MODEL,
    HTTPStatus.TOO_MANY_REQUESTS.value: RATE_LIMITED,
    HTTPStatus.BAD_GATEWAY.value: UNAVAILABLE,
    HTTPStatus.SERVICE_UNAVAILABLE.value: UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT.value: UNAVAILABLE,
    HTTPStatus.REQUEST_TIMEOUT.value: TOO_SLOW,
}
_MOST_LISTED_BYTES, _MOST_EXCUSE_BYTES = 1_000_000, 4_096
_LONGEST_BACKOFF_S = 8.0
_FIRST_BACKOFF_S = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take and how large its answer may be.

    Attributes:
        timeout_s: of one request, from the connection to the last byte.
        connect_s: of the connection alone.
        deadline_s: of all requests for one answer and the pauses between them; waiting while the endpoint asks for
            patience does not count.
        patience_s: how long an endpoint may refuse everybody, or ask to be left alone, before it counts as away.
        tries: requests for one answer, refusals for want of room apart.
        answer_bytes: a longer answer is no answer.
    """

    timeout_s: float = 60.0
    connect_s: float = 10.0
    deadline_s: float = 180.0
    patience_s: float = 120.0
    tries: int = 4
    answer_bytes: int = 8 * 1024 * 1024


class Caller:
    """Sends requests to one endpoint; get one from :meth:`open`."""

    def __init__(
        self,
        endpoint: Endpoint,
        limits: Limits,
        pace: Pace,
        connections: Connections,
        clock: Callable[[], float] = time.monotonic,
        rest: Rest = asyncio.sleep,
    ) -> None:
        self.endpoint = endpoint
        self.limits = limits
        self.pace = pace
        self.requests = 0
        self._connections = connections
        self._clock = clock
        self._rest = rest
        # Read once: reading an address takes as long as sending to it.
        self._chat_url = httpx.URL(endpoint.chat_url)

    @staticmethod
    @asynccontextmanager
    async def open(
        endpoint: Endpoint, limits: Limits, pace: Pace, new_lane: NewLane | None = None, rest: Rest = asyncio.sleep
    ) -> AsyncIterator[Caller]:
        """Keep connections to an endpoint, as many as are in flight.

        Args:
            endpoint: whose they are.
            limits: of each call.
            pace: of all calls together.
            new_lane: makes a transport of one connection; the network's unless given.
            rest: waits between tries; what it cuts short is given up.

        Raises:
            UsageError: the environment names a proxy that cannot be used.
        """
        timeouts = httpx.Timeout(limits.timeout_s, connect=limits.connect_s)
        async with Connections.open(endpoint, timeouts, new_lane) as connections:
            yield Caller(endpoint, limits, pace, connections, rest=rest)

    async def call(self, body: bytes, event_id: str | None = None) -> Reply:
        """Ask until there is an answer, or no further try can help.

        Args:
            body: JSON of a chat completion.
            event_id: travels in a header.

        Raises:
            CallFailed: what the last try gave, with what was asked of others in the message.
        """
        tries, requests, spent_s = 0, 0, 0.0
        while True:
            async with self.pace.turn() as turn:
                if await self._rest(0):
                    raise CallFailed(GIVEN_UP, "nobody wants it any more")
                requests += 1
                began_s = self._clock()
                try:
                    reply = await self._request(body, event_id)
                except CallFailed as failure:
                    failed = failure
                    if failure.kind.slow_down:
                        turn.refused(failure.retry_after_s)
                    elif not failure.kind.outage:
                        turn.accepted()
                else:
                    turn.accepted()
                    return replace(reply, tries=requests, seconds=self._clock() - began_s)
            tries += not failed.kind.slow_down
            spent_s += self._clock() - began_s
            pause_s = self._pause_s(failed, tries)
            if pause_s is None or (not failed.kind.slow_down and spent_s + pause_s > self.limits.deadline_s):
                failed.requests = requests
                raise failed
            spent_s += 0.0 if failed.kind.slow_down else pause_s
            await self._rest(pause_s)

    def _pause_s(self, failed: CallFailed, tries: int) -> float | None:
        """How long to wait before another try; None where none can help."""
        if failed.kind.slow_down:
            helps = self.pace.quiet_s <= self.limits.patience_s
        else:
            helps = failed.kind.again and tries < self.limits.tries
        if not helps:
            return None
        asked_s = failed.retry_after_s or 0.0
        if asked_s > self.limits.patience_s:
            return None
        # Full jitter, so that calls that failed together do not come back together.
        most_s = min(_FIRST_BACKOFF_S * 2 ** max(tries - 1, 0), _LONGEST_BACKOFF_S)
        return asked_s + random.uniform(0, most_s)  # noqa: S311 - spreads retries, guards nothing

    async def check(self) -> list[str]:
        """See whether anybody answers at all; returns the models that are listed, empty where none are.

        Raises:
            EndpointDown: nobody answers, or the key is refused.
        """
        url = self.endpoint.models_url or self.endpoint.chat_url
        try:
            async with (
                asyncio.timeout(self.limits.connect_s),
                self._connections.send("GET", url, self.endpoint.headers()) as response,
            ):
                status, body = response.status_code, await _beginning(response, _MOST_LISTED_BYTES)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError, OSError) as error:
            raise EndpointDown(
                f"Nobody answers at {self.endpoint.shown}: {_reason(error)}.",
                hint="Start the endpoint, or give its address: STUDENT_ENDPOINT=http://host:port/v1.",
            ) from error
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise key_refused(self.endpoint)
        return _models_of(body)

    async def _request(self, body: bytes, event_id: str | None) -> Reply:
        """Send one request.

        Raises:
            CallFailed: there is no answer.
        """
        self.requests += 1
        headers = self.endpoint.headers(event_id)
        try:
            async with (
                asyncio.timeout(self.limits.timeout_s),
                self._connections.send("POST", self._chat_url, headers, body) as response,
            ):
                return read_reply(await self._body(response))
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            raise CallFailed(TOO_SLOW, f"no whole answer within {self.limits.timeout_s:g} s") from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise CallFailed(UNREACHABLE, _reason(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise CallFailed(CUT_OFF, _reason(error)) from None

    async def _body(self, response: httpx.Response) -> bytes:
        """The body of a good answer, as far as it may be long.

        Raises:
            CallFailed: it is longer, or the status is no good one.
        """
        if not response.is_success:
            # Read, so that the connection can be used again; what it says may quote the event.
            await _beginning(response, _MOST_EXCUSE_BYTES)
            raise _refusal(response)
        most = self.limits.answer_bytes
        body = await _beginning(response, most)
        if len(body) > most:
            raise CallFailed(TOO_LARGE, f"the answer is longer than {most:,} bytes")
        return body


def key_refused(endpoint: Endpoint) -> KeyRefused:
    """The endpoint's refusal of our key, with its cure."""
    sent = "the key was refused" if endpoint.api_key else "a key is wanted and none was given"
    return KeyRefused(
        f"{endpoint.shown} does not let us in: {sent}.",
        hint="Put the right one into STUDENT_API_KEY or LLM_API_KEY, or into a file that cascade.toml names.",
    )


def _refusal(response: httpx.Response) -> CallFailed:
    status = response.status_code
    kind = _STATUS_KINDS.get(status)
    if kind is None:
        kind = SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else REFUSED
    return CallFailed(kind, f"the endpoint answers {status}", _retry_after_s(response, kind))


def _retry_after_s(response: httpx.Response, kind: Kind) -> float | None:
    """Seconds until another try is welcome, given as such or as a date; None where nothing usable is said."""
    said = response.headers.get("retry-after", "").strip()
    if not said or not kind.again:
        return None
    try:
        if said.replace(".", "", 1).isdecimal():
            return max(float(said), 0.0)
        return _seconds_until(said, response.headers.get("date"))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _seconds_until(date: str, now: str | None) -> float:
    """By the clock of who says the date, where it tells the time: ours may be wrong."""
    return max((_moment(date) - (_moment(now) if now else datetime.now(UTC))).total_seconds(), 0.0)


def _moment(date: str) -> datetime:
    moment = parsedate_to_datetime(date)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _beginning(response: httpx.Response, most: int) -> bytes:
    """The body, or more than ``most`` bytes of it."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > most:
            break
    return b"".join(parts)


def _models_of(body: bytes) -> list[str]:
    try:
        return [str(each["id"]) for each in json.loads(body)["data"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _reason(error: BaseException) -> str:
    """What a library says, in a line and without what it may not say."""
    return redact(str(error) or type(error).__name__).splitlines()[0][:200]
