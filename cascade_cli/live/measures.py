"""What a worker counts, and shows at ``/metrics``: plain numbers that any thread may change at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from cascade_cli.live.exposition import Counter, Gauge, Histogram
from cascade_cli.token_prices import TokenPrices, cost_usd

if TYPE_CHECKING:
    from cascade_cli.postgres.control import Switch
    from cascade_cli.postgres.queue import Lane, LaneState

MODEL_BOUNDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0)
"""Upper ends of the buckets of a model's answers: a small model answers in a tenth, a fleet that boots in minutes."""
WRITE_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
"""The same for a transaction that ends a batch."""
MODES: Final = ("off", "teacher", "shadow", "flip")
"""The words for how far a worker goes, from nothing of the cascade to all of it."""
MOST_HASHES: Final = 20
"""Prompt hashes that are counted apart; a worker sees a handful."""


class Measures:
    """The worker's counters and gauges.

    A label has at most fifty values (a prompt hash twenty), then ``other``; an unknown one is ``none``. No method
    raises on any text or number, or waits for anything but another thread's addition.
    """

    def __init__(self) -> None:
        self._info = Gauge("cascade_worker_info", "1, of this worker.", ("worker", "version", "policy"))
        self._mode = Gauge("cascade_mode", "1 for the mode in force, 0 for the others.", ("mode",))
        self._switch = Gauge(
            "cascade_switch_off", "1 where a switch holds the student, or its writing, off.", ("switch",)
        )
        self._breaker = Gauge("cascade_breaker_open", "1 where a quality breaker is open.", ("breaker",))
        self._away = Gauge("cascade_endpoint_away", "1 during an outage of an endpoint.", ("endpoint",))
        self._events = Counter("cascade_events_total", "Events written.", ("producer", "mode"))
        self._escalations = Counter("cascade_escalations_total", "Decisions to escalate, by reason.", ("reason",))
        self._sampled = Counter(
            "cascade_sampled_answers_total",
            "Sampled standing events of which both answers are known, by whether they agree.",
            ("prompt_hash", "verdict"),
            MOST_HASHES,
        )
        self._depth = Gauge("cascade_lane_events", "Events waiting and claimed.", ("lane",))
        self._claimed = Gauge("cascade_lane_claimed_events", "Events that some worker holds.", ("lane",))
        self._delayed = Gauge("cascade_lane_delayed_events", "Events that wait for another try.", ("lane",))
        self._age = Gauge("cascade_lane_oldest_age_seconds", "Age of the oldest event of a lane.", ("lane",))
        self._models = Histogram(
            "cascade_answer_seconds", "From the call to a model's answer.", ("model",), bounds=MODEL_BOUNDS_S
        )
        self._writes = Histogram("cascade_write_seconds", "Transactions that end a batch.", (), bounds=WRITE_BOUNDS_S)
        self._calls = Counter("cascade_calls_total", "Calls of a model, by how they ended.", ("model", "outcome"))
        self._tokens = Counter("cascade_tokens_total", "Tokens read and written.", ("model", "direction"))
        self._cost = Counter("cascade_cost_usd_total", "What the tokens cost, where prices are set.", ("model",))
        self._charged = Counter("cascade_attempts_charged_total", "Genuine failures charged to events.")
        self._failed = Counter("cascade_failed_events_total", "Events that failed for good.")
        self._released = Counter("cascade_released_claims_total", "Claims given back uncharged.", ("reason",))
        self._interruptions = Counter("cascade_interruptions_total", "Expired claims taken back, of any worker.")
        self._quarantined = Counter("cascade_quarantined_events_total", "Events that seem to kill workers.")
        self._lost = Counter("cascade_lost_claims_total", "Results whose claim was somebody else's by then.")
        self._audits = Counter("cascade_lost_audits_total", "Records beside a write that are missing.", ("record",))
        self._lines = Counter("cascade_lost_log_lines_total", "Lines about an event that could not be written.")

    def describe(self, worker: str, version: str, policy_fingerprint: str) -> None:
        """Say who this is; once, at the start."""
        self._info.set(worker, version, policy_fingerprint, to=1)

    def in_mode(self, mode: str, switch: Switch, *, kill_file: bool) -> None:
        """Say what is in force now, one of ``MODES``, and what the kill file and the control row say."""
        for each in MODES:
            self._mode.set(each, to=each == mode)
        self._switch.set("kill_file", to=kill_file)
        self._switch.set("control_row", to=switch.killed)
        self._switch.set("flip", to=not switch.flip_allowed)

    def breaker(self, reason: str, *, is_open: bool) -> None:
        """Say whether a quality breaker is open."""
        self._breaker.set(reason, to=is_open)

    def endpoint(self, name: str, *, is_away: bool) -> None:
        """Say whether an endpoint, ``student`` or ``teacher``, has an outage."""
        self._away.set(name, to=is_away)

    def wrote(self, producer: str, mode: str, events: int = 1) -> None:
        """Count events whose write was committed, by ``student`` or ``teacher``, in one of ``MODES``."""
        self._events.add(producer, mode, by=events)

    def escalated(self, reason: str, events: int = 1) -> None:
        """Count decisions to escalate, when they are persisted."""
        self._escalations.add(reason, by=events)

    def sampled(self, prompt_hash: str | None, *, agrees: bool | None) -> None:
        """Count a sampled standing event that the teacher has written.

        Args:
            prompt_hash: of the teacher's prompt; None when unknown.
            agrees: the scorer's verdict; None where the two were not compared.
        """
        verdict = {True: "agrees", False: "disagrees", None: None}[agrees]
        self._sampled.add(prompt_hash, verdict)

    def lanes(self, states: Mapping[Lane, LaneState]) -> None:
        """Say how much each lane holds."""
        for lane, state in states.items():
            self._depth.set(lane.value, to=state.depth)
            self._claimed.set(lane.value, to=state.claimed)
            self._delayed.set(lane.value, to=state.delayed)
            self._age.set(lane.value, to=state.oldest_age_s)

    def called(self, model: str, outcome: str, seconds: float | None = None) -> None:
        """Count one call of ``student`` or ``teacher``.

        Args:
            model: which.
            outcome: ``answered``, or the kind of its failure.
            seconds: until the answer; None where there was none.
        """
        self._calls.add(model, outcome)
        if seconds is not None:
            self._models.observe(model, value=seconds)

    def used(
        self, model: str, prompt_tokens: int | None, completion_tokens: int | None, prices: TokenPrices | None = None
    ) -> None:
        """Count tokens of ``student`` or ``teacher``, and dollars where there are prices.

        Args:
            model: which.
            prompt_tokens: that it read, as its endpoint counted them; None is not known and counts nothing.
            completion_tokens: that it wrote, likewise.
            prices: of a million; None where nobody says.
        """
        read, written = prompt_tokens or 0, completion_tokens or 0
        self._tokens.add(model, "prompt", by=read)
        self._tokens.add(model, "completion", by=written)
        if (dollars := cost_usd(read, written, prices)) is not None:
            self._cost.add(model, by=dollars)

    def wrote_batch(self, seconds: float) -> None:
        """Note how long a transaction took that ended a batch."""
        self._writes.observe(value=seconds)

    def charged(self, *, final: bool) -> None:
        """Count a genuine failure; the last one that an event may have is final."""
        self._charged.add()
        self._failed.add(by=final)

    def released(self, reason: str, claims: int = 1) -> None:
        """Count claims given back uncharged, by ``outage``, ``shutdown`` and the like."""
        self._released.add(reason, by=claims)

    def reaped(self, failed: Iterable[bool]) -> None:
        """Count expired claims that this worker took back; of each, whether its event counts as failed now."""
        for in_quarantine in failed:
            self._interruptions.add()
            self._quarantined.add(by=in_quarantine)

    def lost_claims(self, claims: int) -> None:
        """Count results that nobody could use: another worker holds, or finished, their events."""
        self._lost.add(by=claims)

    def lost_audit(self, record: str) -> None:
        """Count a record, ``ledger``, ``trace`` or ``answer``, that is missing beside a write that stands."""
        self._audits.add(record)

    def lost_line(self) -> None:
        """Count a line about an event that could not be written: a full disk, or nobody reads."""
        self._lines.add()

    def render(self) -> str:
        """All of it as text; a few hundred lines, in well under a millisecond each."""
        return "".join(line for family in vars(self).values() for line in family.lines())
