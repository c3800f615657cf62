"""An hour without the student, without the teacher, without both, while events go on arriving."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from live_rig import Stage, stage
from shadowing import environment, stand_in

from cascade_cli.config import load_settings
from cascade_cli.event_loop import Stop, in_background
from cascade_cli.live.assembling import work
from cascade_cli.live.ceilings import Ceiling
from cascade_cli.live.plan import Clock, Voice, Worked
from cascade_cli.live.run import Live, plan_of
from cascade_cli.policy import Policy

HOUR_S = 3_600.0
HOLD_S = 900.0


@dataclass
class FastClock:
    """Time that passes so many times faster, for whoever asks and for whoever waits."""

    speed: float
    began: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        return (time.monotonic() - self.began) * self.speed

    async def within(self, stop: Stop, seconds: float) -> bool:
        return await stop.within(seconds / self.speed)

    async def rest(self, stop: Stop, seconds: float) -> bool:
        return await stop.rest(seconds / self.speed)

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.within, self.rest)


@dataclass
class Watched:
    """What was seen while an hour passed."""

    lines: list[dict[str, object]] = field(default_factory=list)
    passed: list[tuple[float, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def most_in_a_minute(self) -> int:
        """Over every stretch of sixty seconds."""
        return max((sum(n for at, n in self.passed if begin <= at < begin + 60) for begin, _ in self.passed), default=0)


@dataclass(frozen=True)
class Hour:
    """What is to be lived through: who is away, how many events come, how many may be escalated a minute."""

    away: str
    events: int
    ceiling: int
    speed: float


async def live_through(live: Stage, hour: Hour, seen: Watched, endpoints: dict[str, str]) -> Worked:
    """Let events arrive over an hour, and stop when all are done."""
    settings = load_settings(environment=environment(None, live.environment(endpoints)), folder=live.folder)
    plan = plan_of(Live(Policy(), flip=True, name="w"), settings)
    plan = replace(plan, rules=replace(plan.rules, escalations_per_min=hour.ceiling, outage_hold_s=HOLD_S))
    fast, stop = FastClock(hour.speed), Stop()
    voice = Voice(seen.notes.append, lambda line: seen.lines.append(json.loads(line)))
    working = asyncio.create_task(work(plan, voice, stop, fast.clock))
    steps = 20
    for step in range(steps):
        await in_background(lambda step=step: live.enqueue_copies(hour.events // steps, f"e{step}-"))
        await asyncio.sleep(HOUR_S / hour.speed / steps)
    while not working.done() and await in_background(lambda: live.value(LEFT)):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.1)
    stop("done")
    return await working


LEFT = "SELECT count(*) FROM distillation_queue WHERE status IN ('pending', 'claimed')"


def check_hour(live: Stage, hour: Hour, seen: Watched) -> None:
    assert live.rows("SELECT status, max(attempts), count(*) FROM distillation_queue GROUP BY 1") == [
        ("done", 0, hour.events)
    ]
    assert live.value("SELECT count(*) FROM event_distillations") == hour.events
    assert live.value("SELECT count(*) FROM cascade_escalations") == 0
    assert seen.most_in_a_minute() <= hour.ceiling
    reasons = Counter(line["reason"] for line in seen.lines if line["end"] == "escalated")
    # Each persisted decision has passed the ceiling.
    assert reasons.total() <= sum(passing for _, passing in seen.passed)
    # But for the first ones, before anybody could know, no gate mistakes an outage for a bad answer.
    assert reasons["student_parse_fail"] <= 0.03 * hour.events
    if hour.away == "teacher":
        assert not reasons["student_outage"]
    else:
        assert 0 < reasons["student_outage"] <= hour.ceiling * (HOUR_S - HOLD_S + 120) / 60


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched, take = Watched(), Ceiling.take

    def noted(self: Ceiling, wanted: int) -> int:
        passing = take(self, wanted)
        watched.passed += [(self.clock(), passing)] * bool(passing)
        return passing

    monkeypatch.setattr(Ceiling, "take", noted)
    return watched


def _live_through(database: str, tmp_path: Path, hour: Hour, seen: Watched) -> None:
    outage = ("--outage-after", 20, "--outage-s", HOUR_S / hour.speed)
    other = tmp_path / "other"
    other.mkdir()
    with stage(database, tmp_path, 400) as live, stand_in(other, *outage) as leaving:
        live.rows("TRUNCATE distillation_queue")
        live.configure("[student]\ntries = 1\n[teacher]\ntries = 1\n[live]\nmost_parse_failures = 1\n")
        student = leaving.url if hour.away in {"student", "both"} else live.endpoint.url
        teacher = leaving.url if hour.away in {"teacher", "both"} else live.endpoint.url
        endpoints = {"STUDENT_ENDPOINT": student, "LLM_ENDPOINT": teacher}
        began = time.monotonic()
        asyncio.run(asyncio.wait_for(live_through(live, hour, seen, endpoints), 400))
        check_hour(live, hour, seen)
        ends = Counter(f"{line['end']} {line['reason'] or line['producer']}" for line in seen.lines)
        seconds = time.monotonic() - began
        print(f"{hour} in {seconds:.1f} s: {dict(ends)}, at most {seen.most_in_a_minute()} escalations a minute")


@pytest.mark.slow
@pytest.mark.parametrize("away", ["student", "teacher", "both"])
def test_an_hour_without_them_charges_nobody_and_loses_nothing(
    database: str, tmp_path: Path, seen: Watched, away: str
) -> None:
    _live_through(database, tmp_path, Hour(away, events=240, ceiling=3, speed=1_800.0), seen)


@pytest.mark.slow
@pytest.mark.parametrize("away", ["student", "teacher", "both"])
def test_an_hour_without_them_while_5000_events_arrive(database: str, tmp_path: Path, seen: Watched, away: str) -> None:
    _live_through(database, tmp_path, Hour(away, events=5_000, ceiling=30, speed=90.0), seen)
