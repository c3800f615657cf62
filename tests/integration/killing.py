"""``cascade kill on`` while two workers write without a pause, and when the student decided for the last time.

What happened when is read from the commit times that the server keeps, so it needs one that tracks them.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
from live_rig import Stage, stage
from restarting import restart
from shadowing import start

from cascade_cli.extraction import parse_extraction
from cascade_cli.postgres import apply_migrations, embedded_postgres
from cascade_cli.postgres.graph import Graph, GraphWrite
from cascade_cli.postgres.graph.writing import gathered
from cascade_cli.records import Event

PATIENCE_S = 120.0
# The teacher's recorded answers about these can all be read.
ORIGINALS = 1_500
COMMITTED = "SELECT coalesce(extract(epoch FROM max(pg_xact_commit_timestamp(xmin)))::float8, 0)"
LAST_WRITTEN = f"{COMMITTED} FROM event_distillations WHERE producer = 'student'"
LAST_DECIDED = f"{COMMITTED} FROM cascade_student_answers"
WRITTEN = "SELECT count(*) FROM event_distillations WHERE producer = 'student'"
BY_STUDENT = (
    "SELECT event_id, response FROM cascade_student_answers"
    " WHERE event_id IN (SELECT event_id FROM event_distillations WHERE producer = 'student')"
)
CARRIED = " UNION ALL ".join(
    f"SELECT '{table}', id::text, ARRAY[{key}], unnest(provenance_event_ids) FROM {table}"
    for table, key in (
        ("entities", "arena, type, name"),
        ("facts", "arena, category, statement"),
        ("relationships", "arena, source, type, target"),
    )
)


@dataclass(frozen=True)
class Killed:
    """Moments in seconds since 1970.

    Attributes:
        began_at: the command was started.
        ended_at: it had returned.
        written_at: the last transaction in which a student's write was committed.
        decided_at: the last one in which what the student said was recorded, escalations included.
        asked_at: the student was asked for the last time.
    """

    began_at: float
    ended_at: float
    written_at: float
    decided_at: float
    asked_at: float


@contextmanager
def tracked_stage(folder: Path, events: int) -> Iterator[Stage]:
    """A server of one's own that keeps commit times, so many events in its queue, and endpoints that do not wait."""
    with embedded_postgres() as server:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        restart(server)
        apply_migrations(server.dsn, with_team_tables=True)
        with stage(server.dsn, folder, ORIGINALS) as live:
            live.enqueue_copies(events - ORIGINALS, "copy-")
            # Copies of one bad answer would look like a student that has gone bad.
            live.configure("[live]\nmost_parse_failures = 1\nmost_ungrounded = 1\n")
            yield live


def kill_under_load(live: Stage, switches: Mapping[str, str], after: int) -> Killed:
    """Let two workers begin, kill once the student has written so many events, and let the workers finish.

    Args:
        live: with its queue full.
        switches: the environment that names a kill file, or empty for the control row alone.
        after: how many events.
    """
    zero = _clock_of(live)
    workers = [_worker(live, f"w{number}", switches) for number in range(2)]
    try:
        _wait_for_writes(live, after)
        began_at = time.time()
        command = start(live.folder, None, "kill", "on", "--json", env=live.environment(switches))
        said, complaint = command.communicate(timeout=PATIENCE_S)
        ended_at = time.time()
        assert command.returncode == 0, said + complaint
        for worker in workers:
            worker.communicate(timeout=PATIENCE_S)
        assert [worker.returncode for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
    asked = max(float(str(line["t"])) for line in live.endpoint.asked() if line["event_id"] != _PROBE)
    written, decided = (float(str(live.value(query))) for query in (LAST_WRITTEN, LAST_DECIDED))
    return Killed(began_at, ended_at, written, decided, zero + asked)


def check_nothing_is_half_written(live: Stage, events: int) -> None:
    """Each event is done, by one of the two, and the graph holds what that one said and nothing else."""
    assert live.rows("SELECT status, count(*) FROM distillation_queue GROUP BY 1") == [("done", events)]
    student = {str(event_id): str(response) for event_id, response in live.rows(BY_STUDENT)}
    traces = live.rows("SELECT event_id, raw_response FROM distillation_traces")
    teacher = {str(event_id): str(response) for event_id, response in traces}
    assert len(traces) == len(teacher)
    assert not student.keys() & teacher.keys()
    assert len(student) + len(teacher) == events
    assert len(student) == live.value(WRITTEN)
    carried = live.rows(CARRIED)
    said = {link for answers in (student, teacher) for link in _links(live, answers)}
    assert {(section, tuple(key), event_id) for section, _, key, event_id in carried} == said  # type: ignore[arg-type]
    touched = live.rows("SELECT table_name, row_key ->> 0, event_id FROM cascade_touched_rows")
    assert set(touched) == {(section, row_id, event) for section, row_id, _, event in carried if event in student}


def _links(live: Stage, answers: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Which rows carry which events, by what was answered about these."""
    graph = Graph()
    events = {str(row[0]): Event(str(row[0]), str(row[1])) for row in live.rows("SELECT id, arena FROM events")}
    for event_id, answer in answers.items():
        write = GraphWrite(events[event_id], parse_extraction(answer) or {})
        for section, rows in gathered(graph.mapping, [write]).items():
            yield from ((section, key, event_id) for key in rows)


def _worker(live: Stage, name: str, switches: Mapping[str, str]) -> subprocess.Popen[str]:
    with (live.folder / f"{name}.log").open("ab") as log:
        return live.start("--flip", "--once", "--log", "json", "--worker-name", name, env=switches, stderr=log)


def _wait_for_writes(live: Stage, count: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while int(str(live.value(WRITTEN))) < count:
        assert time.monotonic() < end, "the workers do not write"
        time.sleep(0.02)


_PROBE = "probe"


def _clock_of(live: Stage) -> float:
    """When the endpoint began to count its seconds: it is asked something, and says when that was."""
    question = {"model": "m", "messages": [{"role": "user", "content": _PROBE}]}
    asked_at = time.time()
    httpx.post(
        f"{live.endpoint.url}/chat/completions", json=question, headers={"X-Event-Id": _PROBE}
    ).raise_for_status()
    probes = [line for line in live.endpoint.asked() if line["event_id"] == _PROBE]
    return asked_at - float(str(probes[-1]["t"]))
