"""How many requests may be under way, and how fast they may follow each other: as many as the endpoint will take.

Endpoints refuse (429, 503) for two reasons, and a refusal does not say which. One serves so many at once, the other so
many a second. What tells them apart is how many others were under way: if nearly all that was accepted lately had fewer
beside it, the number in flight falls a tenth below what was refused, and at least by one; else requests are spaced a
little wider than those that were accepted lately. Cutting both for either would cost a tenth of what the endpoint
permits.

Both grow again until the next refusal, additive increase and multiplicative decrease (Chiu and Jain, "Analysis of the
increase and decrease algorithms for congestion avoidance", 1989), the faster the longer ago the last cut was, as in
CUBIC (Ha, Rhee and Xu, 2008): near the limit they feel their way, and when the endpoint permits more they are there in
seconds. A first refusal comes before the rate could be measured; from there it doubles every second, as it should where
nothing is known, until it can be. Without any refusal the number in flight grows by one with each answer, which doubles
it every round, until it is what was asked for.

Without any refusal requests still keep a hair's breadth apart, as packets do (Aggarwal, Savage and Anderson,
"Understanding the performance of TCP pacing", 2000): answers that arrive together are handled in turns, each ends when
all do, and the next requests leave together once more. At 50 ms and 32 in flight such bursts cost 5 ms a request.

A refused request itself waits as long as the endpoint says. The others only pause when nothing is accepted any more:
one refusal now and then is how the limit is found, and pausing for each would waste what the endpoint permits. What was
sent before a cut says nothing of the pace after it and is not counted again.

Requests wait in one row and are let in from its front, several at once where there is room for several: handing a lock
from one to the next would let in one a turn of the event loop, and hold back those that a burst of answers made room
for. Moment and place are looked at together: a place that is held while a moment is waited for would count as in flight
and be none, and a moment that is reserved far ahead would still have the rate of then.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import exp, inf

_SHARE_FIRST_IN_FLIGHT, _FEWEST_FIRST_IN_FLIGHT = 0.5, 4
_CUT_IN_FLIGHT, _CUT_RATE = 0.9, 0.95
# A second after a cut the number in flight grows by this much a second, and the rate by this share; twice as much
# after two seconds.
_IN_FLIGHT_GROWTH, _RATE_GROWTH = 1.0, 0.1
_GROWTH_UNMEASURED, _FASTEST_GROWTH, _HIGHEST_RATE = 1.2, 0.7, 1e6
_SECONDS_BETWEEN_CUTS = 0.25
# A refusal speaks of the number in flight if no more of what was accepted lately had as many beside it.
_SHARE_AS_CROWDED = 0.2
_REFUSALS_THAT_PAUSE = 4
# A rate is measured over a second, or over so many answers where they come slowly.
_MEASURED_S, _MEASURED_ANSWERS = 1.0, 10
# A loop that is late may catch up so much: of a rate, and of a hair's breadth.
_CATCH_UP_S, _CATCH_UP_BREADTH_S = 0.05, 0.002
# At most the time in which every place is used once, evenly parted, and no wider than handling an answer may take.
_WIDEST_APART_S = 0.002
# A timer may be a millisecond late: a shorter wait than half of that is none.
_SHORTEST_WAIT_S = 0.0005
# The shortest answer of late: each further one that is longer lets it grow by so much.
_SHORTEST_GROWTH = 1.01
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


Rest = Callable[[float], Awaitable[object]]
"""Waits so many seconds; true where it ends early because nothing is wanted any more."""


class Turn:
    """Permission to send one request; say what became of it before it ends.

    Attributes:
        began_at: when it was given, monotonic seconds.
        crowd: requests that were in flight then, this one included.
    """

    def __init__(self, pace: Pace, began_at: float, crowd: int) -> None:
        self.began_at = began_at
        self.crowd = crowd
        self._pace = pace

    def accepted(self) -> None:
        """The endpoint took the request, whatever it answered."""
        self._pace.accept(self)

    def refused(self, retry_after_s: float | None) -> None:
        """The endpoint asks for fewer requests."""
        self._pace.refuse(self, retry_after_s)


class Pace:
    """Lets requests go one by one.

    Attributes:
        most: requests that may be in flight at the same time, at least 1.
        in_flight: those that are.
        refusals: how many there were so far.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic, rest: Rest = asyncio.sleep) -> None:
        """Start carefully.

        Args:
            most: requests in flight, at least 1.
            clock: monotonic seconds.
            rest: waits for a moment.
        """
        self.most = most
        self.in_flight = 0
        self.refusals = 0
        self._clock = clock
        self._rest = rest
        self._allowed = min(max(_SHARE_FIRST_IN_FLIGHT * most, _FEWEST_FIRST_IN_FLIGHT), float(most))
        self._rate: float | None = None
        self._is_measured = False
        self._next_at = self._resume_at = self._grown_at = clock()
        self._narrowed_at: float | None = None
        self._slowed_at: float | None = None
        self._accepted: deque[tuple[float, int]] = deque(maxlen=2_048)
        self._refused_in_a_row = 0
        self._refused_since: float | None = None
        self._shortest_s = 0.0
        self._row: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.Task[None] | None = None

    @property
    def allowed(self) -> int:
        """Requests that may be in flight now."""
        return int(self._allowed)

    @property
    def per_s(self) -> float | None:
        """Requests a second that may be sent now; None where nothing limits them."""
        return self._rate

    @property
    def quiet_s(self) -> float:
        """Seconds since the endpoint began to refuse everybody; 0 while it does not."""
        return 0.0 if self._refused_since is None else self._clock() - self._refused_since

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for the moment and for a place."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._row.append(place)
        self._let_in()
        try:
            await place
            yield Turn(self, self._clock(), self.in_flight)
        finally:
            # Nobody is let in whose wait was cancelled before.
            if not place.cancelled():
                self.in_flight -= 1
            self._let_in()

    def accept(self, turn: Turn) -> None:
        """A request was taken."""
        now = self._clock()
        self._accepted.append((now, turn.crowd))
        self._refused_in_a_row = 0
        self._refused_since = None
        self._shortest_s = min(now - turn.began_at, self._shortest_s * _SHORTEST_GROWTH or inf)
        seconds, self._grown_at = now - self._grown_at, now
        if self._narrowed_at is None:
            self._allowed = min(self._allowed + 1, self.most)
        else:
            growth = _IN_FLIGHT_GROWTH * (now - self._narrowed_at) * seconds
            self._allowed = min(self._allowed + growth, self.most)
        if self._rate is not None and self._slowed_at is not None:
            growth = _RATE_GROWTH * (now - self._slowed_at) if self._is_measured else _GROWTH_UNMEASURED
            self._rate = min(self._rate * exp(min(growth * seconds, _FASTEST_GROWTH)), _HIGHEST_RATE)

    def refuse(self, turn: Turn, retry_after_s: float | None) -> None:
        """A request was not taken."""
        now = self._clock()
        self.refusals += 1
        if self._refused_since is None:
            self._refused_since = now
        last_cut_at = max((at for at in (self._narrowed_at, self._slowed_at) if at is not None), default=-inf)
        lately = self._lately(now)
        as_crowded = sum(crowd >= turn.crowd for _, crowd in lately)
        if turn.crowd > 1 and as_crowded <= _SHARE_AS_CROWDED * len(lately):
            self._narrow(turn, now)
        else:
            self._slow(turn, now, [moment for moment, _ in lately])
        if turn.began_at > last_cut_at:
            self._pause(now, retry_after_s)

    def _narrow(self, turn: Turn, now: float) -> None:
        if self._narrowed_at is None or turn.began_at > self._narrowed_at:
            self._allowed = max(1.0, min(self._allowed, _CUT_IN_FLIGHT * turn.crowd, turn.crowd - 1))
            self._narrowed_at = now

    def _slow(self, turn: Turn, now: float, lately: list[float]) -> None:
        slowed_at = self._slowed_at
        if slowed_at is not None and (turn.began_at <= slowed_at or now - slowed_at < _SECONDS_BETWEEN_CUTS):
            return
        seconds = now - lately[0] if lately else 0.0
        self._is_measured = seconds >= _MEASURED_S / 2 and len(lately) >= _MEASURED_ANSWERS
        if self._is_measured:
            self._rate = _CUT_RATE * len(lately) / seconds
        elif slowed_at is None:
            self._rate = max(len(lately), 1) / _MEASURED_S
        else:
            self._rate = max((self._rate or 1.0) / 2, 0.1)
        self._slowed_at = now

    def _pause(self, now: float, retry_after_s: float | None) -> None:
        self._refused_in_a_row += 1
        if self._refused_in_a_row >= _REFUSALS_THAT_PAUSE:
            doublings = min(self._refused_in_a_row - _REFUSALS_THAT_PAUSE, 10) // self.most
            pause_s = min(retry_after_s or _SHORTEST_PAUSE_S * 2**doublings, _LONGEST_PAUSE_S)
            self._resume_at = max(self._resume_at, now + pause_s)

    def _lately(self, now: float) -> list[tuple[float, int]]:
        """What was accepted in the last second, or the last few where that was longer ago."""
        recent = [each for each in self._accepted if now - each[0] <= _MEASURED_S]
        return recent if len(recent) >= _MEASURED_ANSWERS else list(self._accepted)[-_MEASURED_ANSWERS:]

    def _let_in(self) -> None:
        """Let in as many as may go now; see to it that the next one is thought of when its moment comes."""
        while self._row and self.in_flight < self.allowed:
            if self._row[0].done():
                self._row.popleft()
                continue
            if (pause_s := max(self._resume_at, self._next_at) - self._clock()) > _SHORTEST_WAIT_S:
                self._wake_in(pause_s)
                return
            self._next_at = self._after(self._clock())
            self.in_flight += 1
            self._row.popleft().set_result(None)

    def _after(self, now: float) -> float:
        """The moment of the request that follows one of now."""
        if self._rate is not None:
            return max(self._next_at, now - _CATCH_UP_S) + 1 / self._rate
        apart_s = min(self._shortest_s / self._allowed, _WIDEST_APART_S)
        return max(self._next_at, now - _CATCH_UP_BREADTH_S) + apart_s

    def _wake_in(self, pause_s: float) -> None:
        if self._alarm is None or self._alarm.done():
            self._alarm = asyncio.create_task(self._ring(pause_s))

    async def _ring(self, pause_s: float) -> None:
        if await self._rest(pause_s):
            self._resume_at = self._next_at = -inf
        self._alarm = None
        self._let_in()
