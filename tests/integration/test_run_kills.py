"""kill -9 again and again, faults, restarts, replies that are cut off: every event is done exactly once."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg
import pytest
from cutting import Cutter
from live_rig import Stage, stage
from restarting import restart

from cascade_cli.postgres import apply_migrations, embedded_postgres

FAULTS = "500=0.02,503=0.02,reset=0.02,garbage=0.02,half=0.01,halfjson=0.01,empty=0.01,nochoices=0.01,nullcontent=0.01"
# What the journal has that the ledger, which keeps the last row of a key, has not: each committed write.
JOURNAL = """
CREATE TABLE journal (event_id text, what text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION note_ledger() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO journal VALUES (NEW.event_id, NEW.producer); RETURN NEW; END';
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON event_distillations FOR EACH ROW EXECUTE FUNCTION note_ledger();
CREATE FUNCTION note_done() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO journal VALUES (NEW.event_id, ''done''); RETURN NEW; END';
CREATE TRIGGER noted AFTER UPDATE ON distillation_queue FOR EACH ROW
    WHEN (NEW.status = 'done' AND OLD.status <> 'done') EXECUTE FUNCTION note_done();
"""
NOTED = (
    "SELECT event_id, count(*) FILTER (WHERE what = 'done'), count(*) FILTER (WHERE what = 'student'),"
    " count(*) FILTER (WHERE what = 'teacher') FROM journal GROUP BY 1"
)
# One that has hardly begun is ended by the signal itself, before it has claimed anything.
ENDED = {143, -signal.SIGTERM}
HELD = "SELECT count(*) FROM distillation_queue WHERE status = 'claimed' AND claimed_by LIKE %s"
LEFT = "SELECT count(*) FROM distillation_queue WHERE status IN ('pending', 'claimed')"


@dataclass
class Mayhem:
    """Workers that are killed and replaced; says in the end how often what happened."""

    live: Stage
    dsns: list[str]
    random: Random = field(default_factory=lambda: Random(7))
    workers: list[subprocess.Popen[str]] = field(default_factory=list)
    kills: int = 0
    interrupted: int = 0

    def start(self, number: int) -> subprocess.Popen[str]:
        env = {"DATABASE_URL": self.dsns[number], "MAX_ATTEMPTS": "10"}
        log = (self.live.folder / f"worker-{number}.log").open("ab")
        with log:
            return self.live.start("--flip", "--log", "json", "--worker-name", f"w{number}", env=env, stderr=log)

    def begin(self) -> None:
        self.workers = [self.start(number) for number in range(len(self.dsns))]

    def kill_one(self) -> None:
        number = self.random.randrange(len(self.workers))
        worker = self.workers[number]
        # Most of them in the midst of it, some wherever they are.
        if self.random.random() < 0.9:
            self.wait_until_busy(number)
        assert worker.poll() is None, "a worker ended by itself"
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        self.kills += 1
        self.interrupted += self.held(number)
        self.workers[number] = self.start(number)

    def held(self, number: int) -> int:
        with suppress(psycopg.Error):
            return int(str(self.live.value(HELD, f"w{number}/%")))
        return 0

    def wait_until_busy(self, number: int) -> None:
        end = time.monotonic() + 6
        while not self.held(number) and left(self.live) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(self.random.uniform(0, 0.3))

    def end(self) -> list[int]:
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.communicate(timeout=60)
        return [worker.returncode for worker in self.workers]


@contextmanager
def mayhem(live: Stage, dsns: list[str]) -> Iterator[Mayhem]:
    opened = Mayhem(live, dsns)
    opened.begin()
    try:
        yield opened
    finally:
        for worker in opened.workers:
            worker.kill()
            worker.communicate()


def check(live: Stage, events: int) -> Counter[object]:
    live.check_each_written_once(events)
    noted = live.rows(NOTED)
    assert len(noted) == events
    assert {done for _, done, *_ in noted} == {1}
    # A student's row is written once; the teacher's, an audit, again where the reply to its COMMIT was lost.
    assert {(by_student, by_teacher > 0) for *_, by_student, by_teacher in noted} <= {(1, False), (0, True)}
    # A charge is always a teacher's answer about this event that was worth nothing; a kill is none.
    bad = Counter(
        each["event_id"] for each in live.requests() if each["kind"] == "teacher" and each["outcome"] != "answered"
    )
    attempts = dict(live.rows("SELECT event_id, attempts FROM distillation_queue WHERE attempts > 0"))
    assert all(count <= bad[event_id] for event_id, count in attempts.items())
    return Counter(dict(live.rows("SELECT producer, count(*) FROM event_distillations GROUP BY 1")))


def left(live: Stage) -> int:
    try:
        return int(str(live.value(LEFT)))
    except psycopg.Error:
        return 1


CONFIGURATION = (
    "[live]\nlease_s = 3\nbatch = 16\nstop_s = 5\nmost_parse_failures = 1\nmost_ungrounded = 1\n"
    "[student]\ntries = 2\n[teacher]\ntries = 2\n"
)


@pytest.mark.slow
def test_workers_that_are_killed_lose_and_double_nothing(database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, 80, "--latency-ms", 250) as live:
        live.rows(JOURNAL)
        live.configure(CONFIGURATION)
        with mayhem(live, [database] * 2) as trouble:
            for _ in range(3):
                time.sleep(1.0)
                trouble.kill_one()
            end = time.monotonic() + 60
            while left(live):
                assert time.monotonic() < end, "it never ended"
                time.sleep(0.1)
            assert set(trouble.end()) <= ENDED
        check(live, 80)
        assert trouble.interrupted
        assert live.value("SELECT max(attempts) FROM distillation_queue") == 0


@pytest.mark.slow
def test_2000_events_survive_50_kills_2_restarts_10_cut_replies_and_faults_everywhere(tmp_path: Path) -> None:
    events, began = 2_000, time.monotonic()
    with embedded_postgres() as server, Cutter(server.dsn) as cutter:
        apply_migrations(server.dsn, with_team_tables=True)
        with stage(server.dsn, tmp_path, events, "--latency-ms", 120, "--faults", FAULTS) as live:
            live.rows(JOURNAL)
            live.configure(CONFIGURATION)
            with mayhem(live, [server.dsn, server.dsn, cutter.dsn, cutter.dsn]) as trouble:
                time.sleep(3)
                while trouble.kills < 55 or left(live):
                    time.sleep(trouble.random.uniform(0.1, 0.5))
                    if trouble.kills < 55:
                        trouble.kill_one()
                    if trouble.kills % 5 == 0 and cutter.cuts < 12:
                        cutter.cut_after_commits(1)
                    if trouble.kills in {20, 40}:
                        restart(server)
                        trouble.kills += 1
                    assert time.monotonic() - began < 500, "it never ended"
                codes = trouble.end()
            producers = check(live, events)
            charged = live.value("SELECT count(*) FROM distillation_queue WHERE attempts > 0")
            kills, cuts = trouble.kills - 2, cutter.cuts
    assert set(codes) <= ENDED
    assert kills >= 50
    assert cuts >= 10
    ends = Counter(
        json.loads(line)["end"]
        for file in tmp_path.glob("worker-*.log")
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.startswith("{") and line.endswith("}")
    )
    print(
        f"{events} events, {kills} kills, 2 restarts, {cuts} cuts in {time.monotonic() - began:.0f} s:"
        f" {dict(producers)}, {trouble.interrupted} claims interrupted, {charged} events charged, {dict(ends)}"
    )
