"""After a flipped run: what `pull` brings together, and what `monitor` and `simulate` make of it, beside the truth.

The truth is worked out here from the shipped pairs alone: what both say of every event, the unsampled ones too, of
which a live worker never learns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

import pytest
from live_rig import PAIRS, Stage, stage
from shadowing import Json, cascade

from cascade_cli.extraction import parse_extraction
from cascade_cli.policy import Decision, Policy, decide, known_emails, usable_extraction
from cascade_cli.postgres import apply_migrations, embedded_postgres
from cascade_cli.records import Row
from cascade_cli.sources import read_rows
from cascade_cli.stats import wilson
from scorers import score_extraction

EVENTS = 2_400
POLICY = Policy(sample_rate=Decimal("0.3"), salt="live")
SETTINGS = {"STUDENT_SAMPLE_RATE": str(POLICY.sample_rate), "CASCADE_SALT": POLICY.salt}
# Before the prompt changed, the student was good enough to be flipped; what came then is watched, whatever it is.
FLOOR = ("--floor", "0.4")
SALTS = 20


@dataclass(frozen=True)
class Known:
    """One event, with all that is known of it.

    Attributes:
        event_id: its id.
        prompt_hash: of the recorded teacher.
        thread: what it shares with others, or its own id.
        decision: what the policy decides.
        agrees: whether the student agrees with the teacher.
    """

    event_id: str
    prompt_hash: str
    thread: object
    decision: Decision
    agrees: bool

    @property
    def stands(self) -> bool:
        """No gate fires but the sample."""
        return set(self.decision.fired) <= {"random_sample"}

    @property
    def speaks(self) -> bool:
        """It stands and is sampled, so that a label of it is known."""
        return self.stands and self.decision.sampled


def known(policy: Policy, agreeing: dict[str, bool]) -> list[Known]:
    """Every event in the order of time under a policy."""
    return [_known(row, policy, agreeing) for row in _rows()]


def _rows() -> list[Row]:
    """The recorded pairs but two, whose teacher's answer has not the shape of an extraction: nobody could write it."""
    rows = [row for row in islice(read_rows(PAIRS), EVENTS) if isinstance(row, Row)]
    return [row for row in rows if usable_extraction(_gold(row)) is not None]


def _gold(row: Row) -> dict[str, object]:
    """Where the teacher's record is broken, its endpoint finds nothing."""
    return parse_extraction(row.trace.raw_response) or {}


def _known(row: Row, policy: Policy, agreeing: dict[str, bool]) -> Known:
    trace, event = row.trace, row.trace.event
    assert event is not None
    decision = decide(event, parse_extraction(_said(row)), policy)
    shared = (event.attributes.get(name) for name in ("thread_id", "conversation_id", "document_id"))
    thread = next((value for value in shared if value is not None), event.id)
    return Known(event.id, str(trace.system_prompt_hash), thread, decision, agreeing[event.id])


def _said(row: Row) -> str:
    return (row.answer.response if row.answer else None) or ""


def agreements() -> dict[str, bool]:
    """Whether the student agrees, event by event."""
    agreeing = {}
    for row in _rows():
        assert row.trace.event is not None
        emails = known_emails(row.trace.event)
        agreeing[row.trace.event_id] = score_extraction(
            _gold(row), parse_extraction(_said(row)), known_emails=emails
        ).agrees
    return agreeing


def first_of_threads(events: Sequence[Known]) -> list[Known]:
    """Those that speak, the first of each thread."""
    firsts: dict[object, Known] = {}
    for event in events:
        if event.speaks:
            firsts.setdefault(event.thread, event)
    return list(firsts.values())


def by_hash(events: Sequence[Known]) -> dict[str, list[Known]]:
    """The events of each prompt."""
    hashes: dict[str, list[Known]] = {}
    for event in events:
        hashes.setdefault(event.prompt_hash, []).append(event)
    return hashes


def rate(events: Sequence[Known]) -> float:
    """Share that agrees."""
    return sum(event.agrees for event in events) / len(events)


@pytest.fixture(scope="module")
def truth() -> list[Known]:
    """All events under the policy of the run."""
    return known(POLICY, agreements())


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, truth: list[Known]) -> Iterator[Stage]:
    """The events distilled by a flipped worker, each under the prompt of its time, and pulled."""
    folder = tmp_path_factory.mktemp("flipped")
    with embedded_postgres() as server:
        apply_migrations(server.dsn, with_team_tables=True)
        with stage(server.dsn, folder, EVENTS) as opened:
            opened.rows("DELETE FROM distillation_queue")
            for prompt_hash, events in by_hash(truth).items():
                (folder / "prompt.txt").write_text(f"Distil these events, as {prompt_hash} says.", encoding="utf-8")
                _enqueue(opened, [event.event_id for event in events])
                done = opened.run("--once", "--flip", env=SETTINGS)
                assert done.code == 0, done.err
            pulled = cascade(folder, None, "pull", env=opened.environment())
            assert pulled.code == 0, pulled.err
            yield opened


def _enqueue(live: Stage, event_ids: list[str]) -> None:
    live.rows(
        "INSERT INTO distillation_queue (event_id) SELECT id FROM events WHERE id = ANY(%s) ORDER BY emitted_at, id",
        event_ids,
    )


def _data(live: Stage, *words: str) -> Json:
    done = cascade(live.folder, None, *words, "--json", env=live.environment(SETTINGS))
    assert done.code == 0, done.err
    return done.data


@pytest.mark.slow
def test_the_ledger_holds_the_decision_of_every_event(live: Stage, truth: list[Known]) -> None:
    written = live.rows("SELECT event_id, escalate_reason FROM event_distillations ORDER BY event_id")
    assert written == [(event.event_id, event.decision.reason) for event in truth]


@pytest.mark.slow
def test_the_labels_of_each_prompt_are_those_of_its_sampled_standing_events_and_no_others(
    live: Stage, truth: list[Known]
) -> None:
    watched = _data(live, "monitor", *FLOOR)["hashes"]
    assert isinstance(watched, list)
    found = [tuple(each[name] for name in ("events", "standing", "sampled", "missing", "labels")) for each in watched]
    told = [(each["agreement"]["n"], round(each["agreement"]["rate"] * each["agreement"]["n"])) for each in watched]
    expected = by_hash(truth).values()
    escalated = [[event for event in events if event.decision.escalate] for events in expected]
    sampled = [[event for event in events if event.speaks] for events in expected]
    firsts = [first_of_threads(events) for events in expected]
    assert found == [
        (len(taught), len(speaking), len(speaking), 0, len(first))
        for taught, speaking, first in zip(escalated, sampled, firsts, strict=True)
    ]
    assert told == [(len(first), sum(event.agrees for event in first)) for first in firsts]
    # Gates fired on sampled events, too: those are labels that may not speak.
    assert any(event.decision.sampled and not event.stands for event in truth)


@pytest.mark.slow
def test_they_speak_in_the_order_of_the_decisions_however_late_the_teacher_answered(live: Stage) -> None:
    before = _data(live, "monitor", *FLOOR)
    live.rows("UPDATE distillation_traces SET created_at = timestamptz '2026-01-01' + (now() - created_at)")
    late = ("--workspace", str(live.folder / "late"))
    assert cascade(live.folder, None, "pull", *late, env=live.environment()).code == 0
    assert _data(live, "monitor", *FLOOR, *late)["hashes"] == before["hashes"]


@pytest.mark.slow
def test_the_standing_agreement_of_each_prompt_is_the_truth_within_its_interval(
    live: Stage, truth: list[Known]
) -> None:
    data = _data(live, "monitor", *FLOOR)
    watched = data["hashes"]
    assert isinstance(watched, list)
    for each, events in zip(watched, by_hash(truth).values(), strict=True):
        true = rate([event for event in events if event.stands])
        assert each["agreement"]["low"] <= true <= each["agreement"]["high"]


@pytest.mark.slow
def test_a_replay_of_the_log_estimates_what_was_decided_and_what_stands(live: Stage, truth: list[Known]) -> None:
    data = _data(live, "simulate", "--logged-rate", str(POLICY.sample_rate))
    stands = [event for event in truth if event.stands]
    for name, true in (
        ("escalation", sum(event.decision.escalate for event in truth) / len(truth)),
        ("standing_agreement", rate(stands)),
        ("residual_disagreement", sum(not event.agrees for event in stands) * 0.7 / len(truth)),
    ):
        figures = data[name]
        assert isinstance(figures, dict)
        assert figures["low"] <= true <= figures["high"], (name, true, figures)


@pytest.mark.slow
def test_over_many_salts_the_intervals_hold_as_often_as_they_promise() -> None:
    """The live run above is one of them, figure for figure; the others differ in nothing but the sample."""
    agreeing, held, of = agreements(), 0, 0
    for number in range(SALTS):
        policy = Policy(sample_rate=POLICY.sample_rate, salt=f"salt {number}")
        for events in by_hash(known(policy, agreeing)).values():
            labels = first_of_threads(events)
            interval = wilson(sum(event.agrees for event in labels), len(labels))
            assert interval is not None
            held += interval.low <= rate([event for event in events if event.stands]) <= interval.high
            of += 1
    print(f"{held} of {of} intervals at 95 % hold the truth, {SALTS} salts, 3 prompts, rate {POLICY.sample_rate}")
    assert held / of >= 0.9
