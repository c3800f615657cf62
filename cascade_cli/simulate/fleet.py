"""What the teacher's fleet does when it scales to zero: a discrete-event simulation over real arrival times.

Below some rate of escalation a fleet is booted for every few events and then idles for its cooldown, so cost does not
fall in proportion to the calls. The loop is checked against closed forms: one server with boots and delayed switching
off, whose first customer after a boot has an exceptional service (Welch, "On a generalized M/G/1 queuing process",
1964), and Erlang's C (1917) for many that are always on.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf

import numpy as np


@dataclass(frozen=True, slots=True)
class Fleet:
    """How the teacher is served.

    Attributes:
        boot_s: from the decision to start a replica until it serves, at least 0.
        cooldown_s: how long an idle replica waits for work before it stops, at least 0.
        events_per_call: events that a replica takes at once, at least 1; together they take the mean of their times.
        max_replicas: at least 1.
        min_replicas: this many never stop.
        target_queue: waiting events a replica before another is started, at least 1.

    Raises:
        ValueError: a setting is out of its range.
    """

    boot_s: float = 240.0
    cooldown_s: float = 300.0
    events_per_call: int = 1
    max_replicas: int = 1
    min_replicas: int = 0
    target_queue: int = 1

    def __post_init__(self) -> None:
        if min(self.boot_s, self.cooldown_s, self.min_replicas) < 0:
            raise ValueError("boot_s, cooldown_s and min_replicas must not be negative")
        if min(self.events_per_call, self.max_replicas, self.target_queue) < 1 or self.min_replicas > self.max_replicas:
            raise ValueError(
                "events_per_call, max_replicas and target_queue are at least 1, min_replicas at most the max"
            )


@dataclass(frozen=True, slots=True)
class FleetUse:
    """What the fleet did.

    Attributes:
        events: how many were served.
        span_s: from the first arrival to the last end of service or stop.
        billed_s: summed over replicas, each from the start of its boot until it stopped.
        busy_s: of that, spent on calls.
        boots: replicas started, those that never stop not counted.
        calls: batches served.
        wait_mean_s: from arrival to the start of the call; None without events, as are the quantiles.
        wait_p50_s: the median.
        wait_p95_s: the 95th percentile.
        wait_p99_s: the 99th.
    """

    events: int
    span_s: float
    billed_s: float
    busy_s: float
    boots: int
    calls: int
    wait_mean_s: float | None
    wait_p50_s: float | None
    wait_p95_s: float | None
    wait_p99_s: float | None

    @property
    def utilisation(self) -> float | None:
        """Share of the billed time that is spent on calls; None where nothing was billed."""
        return self.busy_s / self.billed_s if self.billed_s else None

    @property
    def billed_fraction(self) -> float | None:
        """Billed seconds per second of the span: replicas on, on average; None where there is no span."""
        return self.billed_s / self.span_s if self.span_s else None


def simulate_fleet(arrivals_s: Sequence[float], services_s: Sequence[float], fleet: Fleet) -> FleetUse:
    """Serve events in the order of their arrival.

    Args:
        arrivals_s: seconds on any clock, rising.
        services_s: seconds that each event alone would take, at least 0.
        fleet: how it is served.

    Raises:
        ValueError: the lengths differ, or the arrivals do not rise.
    """
    if len(arrivals_s) != len(services_s):
        raise ValueError(f"{len(arrivals_s)} arrivals but {len(services_s)} services")
    if any(later < earlier for earlier, later in pairwise(arrivals_s)):
        raise ValueError("the arrivals must be in their order")
    loop = _Loop(list(arrivals_s), list(services_s), fleet)
    loop.run()
    return loop.use()


class _Loop:
    """The state of one simulation. A replica is known by when its boot began; that is all that its bill needs."""

    def __init__(self, arrivals_s: list[float], services_s: list[float], fleet: Fleet) -> None:
        self._arrivals_s, self._services_s, self._fleet = arrivals_s, services_s, fleet
        self._begin_s = arrivals_s[0] if arrivals_s else 0.0
        self._queue: deque[int] = deque()
        # Oldest first: they stop first, and the latest to have worked works next.
        self._idle: deque[tuple[float, float]] = deque([(self._begin_s, self._begin_s)] * fleet.min_replicas)
        self._ready: list[tuple[float, float]] = []  # a heap of (when it is ready, when its boot began)
        self._replicas = fleet.min_replicas
        self._waits_s: list[float] = []
        self._billed_s = self._busy_s = 0.0
        self._boots = self._calls = 0
        self._end_s = self._begin_s

    def run(self) -> None:
        arrivals_s, ready, queue, idle = self._arrivals_s, self._ready, self._queue, self._idle
        for event, arrival_s in enumerate([*arrivals_s, inf]):
            while ready and ready[0][0] < arrival_s:
                now_s, booted_s = heapq.heappop(ready)
                if queue:
                    self._serve(now_s, booted_s)
                else:
                    idle.append((now_s, booted_s))
            if arrival_s == inf:
                break
            self._stop_idle(arrival_s)
            queue.append(event)
            if idle:
                self._serve(arrival_s, idle.pop()[1])
            else:
                self._scale_up(arrival_s)
        self._stop_idle(inf)
        self._end_s = max([self._end_s, *(since_s for since_s, _ in idle)])
        self._billed_s += sum(self._end_s - booted_s for _, booted_s in idle)

    def _serve(self, now_s: float, booted_s: float) -> None:
        batch = [self._queue.popleft() for _ in range(min(self._fleet.events_per_call, len(self._queue)))]
        service_s = sum(self._services_s[event] for event in batch) / len(batch)
        self._waits_s += [now_s - self._arrivals_s[event] for event in batch]
        self._busy_s += service_s
        self._calls += 1
        heapq.heappush(self._ready, (now_s + service_s, booted_s))

    def _scale_up(self, now_s: float) -> None:
        wanted = min(self._fleet.max_replicas, ceil(len(self._queue) / self._fleet.target_queue))
        while self._replicas < wanted:
            self._replicas += 1
            self._boots += 1
            heapq.heappush(self._ready, (now_s + self._fleet.boot_s, now_s))

    def _stop_idle(self, now_s: float) -> None:
        while self._idle and self._replicas > self._fleet.min_replicas:
            stop_s = self._idle[0][0] + self._fleet.cooldown_s
            if stop_s > now_s:
                return
            self._billed_s += stop_s - self._idle.popleft()[1]
            self._end_s = max(self._end_s, stop_s)
            self._replicas -= 1

    def use(self) -> FleetUse:
        waits = np.array(self._waits_s)
        mean, quantiles = (
            (float(waits.mean()), np.quantile(waits, [0.5, 0.95, 0.99])) if len(waits) else (None, [None] * 3)
        )
        p50, p95, p99 = (None if value is None else float(value) for value in quantiles)
        span_s = self._end_s - self._begin_s
        return FleetUse(
            len(waits), span_s, self._billed_s, self._busy_s, self._boots, self._calls, mean, p50, p95, p99
        )  # fmt: skip
