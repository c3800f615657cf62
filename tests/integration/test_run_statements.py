"""Switched off, the worker is the teacher alone: every statement and every request, one by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from live_rig import Stage, stage
from psycopg.pq import TransactionStatus

from cascade_cli.live import ending

EVENTS = 12
# So that nothing depends on what happens to gather: one event a call, one call at a time.
ONE_BY_ONE = {"EVENTS_PER_LLM_CALL": "1", "CONCURRENT_LLM_CALLS": "1"}
SWITCH = re.compile(r"FROM \"public\"\.\"cascade_control\"\s+WHERE only_row")
FIRST = re.compile(r"set_config\('timezone'")
# Before anything is claimed each statement is planned once, in transactions of its own.
REHEARSAL = re.compile(r"Planning a statement")
SHARED_LOCK = re.compile(r"pg_advisory_xact_lock_shared")
FENCE = re.compile(r"\bw/[0-9a-f]{32}\b")
ID = re.compile(r"\b[0-9a-f]{32}\b")
MILLISECONDS = re.compile(r'("llm_chunk_ms": )[0-9.]+')
OURS = ("event_distillations", "cascade_student_answers", "cascade_touched_rows", "cascade_control")


@dataclass
class Recorded:
    """Statements with their values, connection by connection; those of one transaction together.

    Attributes:
        transactions: statement for statement, in the order in which they were sent.
        single: sent outside any transaction.
    """

    transactions: list[list[str]] = field(default_factory=list)
    single: list[str] = field(default_factory=list)
    _open: dict[int, list[str]] = field(default_factory=dict)

    def note(self, connection: psycopg.Connection, statement: str) -> None:
        if connection.info.transaction_status is TransactionStatus.IDLE:
            self._open.pop(id(connection), None)
            self.single.append(statement)
        elif id(connection) in self._open and not FIRST.search(statement):
            self._open[id(connection)].append(statement)
        else:
            self._open[id(connection)] = [statement]
            self.transactions.append(self._open[id(connection)])

    def written(self) -> Counter[tuple[str, ...]]:
        """How often each transaction occurred, whatever is new every time left out."""
        return Counter(tuple(map(_plain, statements)) for statements in self.transactions)

    def kinds(self) -> set[str]:
        """Every statement without its values."""
        everything = [*self.single, *(each for statements in self.transactions for each in statements)]
        return {statement.partition(" <- ")[0] for statement in everything}


def _plain(statement: str) -> str:
    return MILLISECONDS.sub(r"\1…", ID.sub("…", FENCE.sub("…", statement)))


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """Note what every connection of this process sends while the body runs."""
    recorded, execute = Recorded(), psycopg.Cursor.execute

    def noted(self: psycopg.Cursor, query: object, params: object = None, **more: object) -> object:
        text = (
            query.decode() if isinstance(query, bytes) else query if isinstance(query, str) else query.as_string(None)
        )
        values = "" if params is None else f" <- {params}"
        recorded.note(self.connection, f"{text}{values}")
        return execute(self, query, params, **more)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", noted)
        patched.setattr(ending, "MOST_AT_ONCE", 1)
        yield recorded


def worked(live: Stage, monkeypatch: pytest.MonkeyPatch, *words: str, **env: str) -> tuple[Recorded, list[object]]:
    """What one run over the same queue sends to the database, and to the endpoints."""
    live.enqueue_again()
    before = len(live.requests())
    with recording(monkeypatch) as recorded:
        done = live.run("--once", "--worker-name", "w", *words, env=ONE_BY_ONE | env)
    assert done.code == 0, done.err
    asked = [(each["kind"], each["event_id"], each["outcome"]) for each in live.requests()[before:]]
    return recorded, asked


@pytest.fixture
def live(database: str, tmp_path: Path) -> Iterator[Stage]:
    with stage(database, tmp_path, EVENTS) as opened:
        yield opened


@pytest.mark.parametrize("by", ["row", "file"])
def test_killed_sends_what_a_teacher_alone_sends(live: Stage, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    alone, asked_alone = worked(live, monkeypatch, CASCADE_ENABLED="", STUDENT_ENDPOINT="")
    if by == "row":
        live.rows("UPDATE cascade_control SET killed = true")
        killed, asked = worked(live, monkeypatch)
    else:
        (live.folder / "kill").touch()
        killed, asked = worked(live, monkeypatch, CASCADE_KILL_FILE=str(live.folder / "kill"))
    assert asked == asked_alone
    assert len(asked) == EVENTS
    assert alone.written() == killed.written()
    assert sum(count for sent, count in alone.written().items() if not REHEARSAL.search(sent[0])) == EVENTS
    # The row is looked at, but where the file is enough.
    assert {each for each in killed.kinds() if not SWITCH.search(each)} == alone.kinds()
    assert not [kind for kind in alone.kinds() if any(name in kind for name in OURS)]


def test_without_a_student_the_ledger_is_all_that_is_added(live: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, asked_alone = worked(live, monkeypatch, CASCADE_ENABLED="", STUDENT_ENDPOINT="")
    ledger, asked = worked(live, monkeypatch, STUDENT_ENDPOINT="")
    assert asked == asked_alone
    added = Counter(
        tuple(each for each in sent if not (SHARED_LOCK.search(each) or SWITCH.search(each) or _is_ledger(each)))
        for sent in ledger.written().elements()
    )
    assert added == alone.written()
    rows = [each for sent in ledger.written().elements() for each in sent if _is_ledger(each)]
    assert len(rows) == EVENTS
    assert all("'escalated': [None]" in row and "'reasons': [None]" in row for row in rows)


def _is_ledger(statement: str) -> bool:
    return 'INSERT INTO "public"."event_distillations"' in statement
