"""The team's queue table as a queue with leases and fences: at least once in execution, exactly once in effect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from random import Random
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import psycopg
from psycopg import errors, sql
from psycopg.rows import class_row

from cascade_cli.errors import CascadeError, UsageError
from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.cleansing import cleansed
from cascade_cli.postgres.connection import compose, is_passing, redacted, told
from cascade_cli.postgres.decoding import StoredEvent, UnreadableError, event_of
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.queue.records import (
    Claimed,
    Escalation,
    Failure,
    Lane,
    LaneState,
    QueueSettings,
    Reaped,
)
from cascade_cli.postgres.tables import (
    check_events_table,
    check_queue_table,
    lengths_of_columns,
    may_insert,
    types_of_columns,
)

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

QUERIES: Final = read_named_sql(files("cascade_cli.postgres.queue") / "queue.sql")
LONGEST_ERROR: Final = 1_024
"""Characters of ``last_error``."""
MOST_BYTES: Final = 16_000_000
"""Of the events of one claim: a batch of very large ones must fit into memory."""
_READY: Final = {Lane.STUDENT: "ready_for_student", Lane.TEACHER: "ready_for_teacher"}
_REAPED_AT_ONCE: Final = 1_000
_EMPTY: Final = LaneState(0, 0, 0, None, None)
_TYPES: Final = (
    "Of the columns under [postgres.queue], status is a text or an enum of pending, claimed, done and failed,"
    " attempts a number, claimed_by a text of 100 characters or more, and event_id of the type that id has under"
    " [postgres.events]."
)


class Queue:
    """A worker's hold on the queue; its methods may be called from several threads.

    Get one from `Queue.open`. A connection that breaks leaves nothing half-done: what was claimed without our knowing
    expires, and every other call may be repeated, for its fence is spent once it has worked.

    Attributes:
        settings: the rules.
        mops_up: whether it may replace what a student wrote; else that is left to workers that may.
        names: what stands for each name in braces of the statements; the writing ones share them.
    """

    def __init__(
        self,
        pool: Pool,
        mapping: ColumnMapping,
        names: Mapping[str, sql.Composable],
        longest_error: int,
        mops_up: bool,
        settings: QueueSettings,
        worker: str,
        random: Random,
        new_id: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.mops_up = mops_up
        self.names = names
        self._pool = pool
        self._mapping = mapping
        self._longest_error = longest_error
        self._worker = worker
        self._random = random
        self._new_id = new_id
        # As bytes, for composing takes longer than most of these statements do.
        self._queries = {
            name: compose(text, _parts(names)).as_bytes(None) for name, text in QUERIES.items() if name not in _PARTS
        }
        self._claims = {
            lane: compose(QUERIES["claim"], _parts(names, ready)).as_bytes(None) for lane, ready in _READY.items()
        }

    @staticmethod
    def open(
        pool: Pool,
        mapping: ColumnMapping,
        settings: QueueSettings,
        worker: str,
        *,
        random: Random,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> Queue:
        """Look at the queue table, and be ready to claim from it.

        Args:
            pool: of the database.
            mapping: what the tables are called.
            settings: the rules.
            worker: a name that tells people which worker holds a row.
            random: spreads retries.
            new_id: gives a text that was never given before.

        Raises:
            UsageError: the table or a column is not there; says which setting to write.
            DependencyError: the server cannot be reached, or the table may not be read.
        """
        with pool.explained() as connection:
            mapping = check_queue_table(connection, mapping)
            types = types_of_columns(connection, mapping, mapping.queue.table)
            lengths = lengths_of_columns(connection, mapping, mapping.queue.table)
            mops_up = may_insert(connection, mapping, "cascade_receipts")
        names = {
            **mapping.event_names(),
            **mapping.queue_names(),
            "id_type": sql.Identifier(*types[mapping.queue.id]),
            "status_type": sql.Identifier(*types[mapping.queue.status]),
            "marks": mapping.table("cascade_queue_marks"),
            "escalations": mapping.table("cascade_escalations"),
            "orders": mapping.table("cascade_mop_up_orders"),
        }
        longest_error = min(LONGEST_ERROR, lengths.get(mapping.queue.last_error, LONGEST_ERROR))
        return Queue(pool, mapping, names, longest_error, mops_up, settings, worker, random, new_id)

    def rehearse(self) -> None:
        """Have the server plan every statement, so that one that it would refuse is found before anything is claimed.

        Raises:
            UsageError: a table or column is missing, or of a type with which nothing can be claimed; says the cure.
            DependencyError: the server cannot be reached, or a privilege is missing.
        """
        with self._pool.explained() as connection:
            check_events_table(connection, self._mapping)
            try:
                for query in (*self._claims.values(), *self._queries.values()):
                    connection.execute(b"EXPLAIN " + query, self._values_to_rehearse())
            except (errors.UndefinedTable, errors.InsufficientPrivilege):
                raise
            except psycopg.Error as error:
                if is_passing(error):
                    raise
                refused = f"{redacted(self._pool.dsn)}: the queue cannot be worked on: {told(error)}."
                raise UsageError(refused, hint=_TYPES) from error

    def claim(self, lane: Lane, limit: int) -> tuple[Claimed, ...]:
        """Take up to ``limit`` waiting events of a lane for the length of a lease; attempts stay as they are.

        Args:
            lane: an event that waits for the teacher is never given out in the student's.
            limit: at least 1.

        Returns:
            By id; fewer where fewer wait, where others are just claiming, or where the events together are larger than
            ``MOST_BYTES``; one alone where its workers died before.

        Raises:
            DependencyError: the server cannot be reached or refuses; what it had given out by then is given back, or
                expires.
            UsageError: a table or a column of the events is not there; what was given out is given back.
        """
        fence = f"{self._worker}/{self._new_id()}"
        rules = {
            "max_attempts": self.settings.max_attempts,
            "alone_from": self.settings.alone_from,
            "mops_up": self.mops_up,
        }
        values = {"fence": fence, "limit": limit, "lease_s": self.settings.lease_s, **rules}
        with self._pool.explained() as connection:
            taken = [queue_id for (queue_id,) in connection.execute(self._claims[lane], values)]
            claims = self._fetched_or_given_back(connection, taken, fence) if taken else []
        # The largest events of a claim that is too large, and what another worker escalated between our look at the
        # decisions and our lock on the row, are for whoever comes next.
        kept = [claim for claim in claims if lane is Lane.TEACHER or claim.escalation is None]
        self._give_back(set(taken) - {claim.queue_id for claim in kept}, fence)
        return tuple(kept)

    def renew(self, claims: Collection[Claimed]) -> frozenset[str]:
        """Hold claims for the length of another lease.

        Returns:
            The queue ids of those that are still ours; what came of the others is somebody else's to write.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        return self._held("renew", claims, {"lease_s": self.settings.lease_s})

    def release(self, claims: Collection[Claimed], reason: str | None = None) -> frozenset[str]:
        """Give claims back uncharged, as in an outage or at the end of a worker.

        Args:
            claims: those that are no longer ours are left alone.
            reason: becomes the row's last error; None leaves that as it is.

        Returns:
            The queue ids of those that were still ours.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        return self._held("release", claims, {"reason": self._told(reason)})

    def fail(self, claim: Claimed, error: str, *, final: bool = False) -> Failure | None:
        """Charge a genuine failure: the event waits with full jitter, or has failed for good at the last attempt.

        A mopping up that has failed for good leaves the student's write as it stands: the row is done as before, and
        the order is closed, so that it may be given again.

        Args:
            claim: what was tried.
            error: what went wrong; cut to ``LONGEST_ERROR`` characters, or what the column holds.
            final: no further try can end otherwise.

        Returns:
            None where the claim is no longer ours, and nothing was charged.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        wait_s = self._random.uniform(0, self.settings.longest_wait_s(claim.attempts))
        values = {"queue_id": claim.queue_id, "fence": claim.fence, "wait_s": wait_s, "error": self._told(error)}
        rules = {"max_attempts": self.settings.max_attempts, "final": final}
        with self._pool.explained() as connection:
            charged = connection.execute(self._queries["fail"], values | rules).fetchone()
        if charged is None:
            return None
        attempts, has_failed = charged
        return Failure(attempts, has_failed, 0.0 if has_failed else wait_s)

    def reap(self) -> tuple[Reaped, ...]:
        """Take back claims whose lease has expired, whoever held them: one interruption more, and no attempt.

        Returns:
            At most a thousand, longest expired first.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        rules = {"max_attempts": self.settings.max_attempts, "quarantine_at": self.settings.quarantine_at}
        values = {"limit": _REAPED_AT_ONCE, "longest_error": self._longest_error}
        with self._pool.explained() as connection, connection.cursor(row_factory=class_row(Reaped)) as cursor:
            cursor.execute(self._queries["reap"], values | rules)
            return tuple(cursor)

    def lanes(self) -> Mapping[Lane, LaneState]:
        """How much each lane holds; it reads all that is pending or claimed, so ask every few seconds at most.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        with self._pool.explained() as connection:
            rules = {"max_attempts": self.settings.max_attempts, "mops_up": self.mops_up}
            found = connection.execute(self._queries["lane_states"], rules)
            states = {Lane.TEACHER if escalated else Lane.STUDENT: LaneState(*state) for escalated, *state in found}
        return {lane: states.get(lane, _EMPTY) for lane in Lane}

    def _fetched_or_given_back(self, connection: Connection, queue_ids: Sequence[str], fence: str) -> list[Claimed]:
        try:
            return self._fetched(connection, queue_ids, fence)
        except Exception:
            # Whatever it was: held to the end of their lease, they would be taken for events that kill workers.
            with suppress(CascadeError):
                self._give_back(queue_ids, fence)
            raise

    def _fetched(self, connection: Connection, queue_ids: Sequence[str], fence: str) -> list[Claimed]:
        values = {"queue_ids": queue_ids, "fence": fence, "most_bytes": MOST_BYTES}
        with connection.cursor(row_factory=class_row(_StoredClaim)) as cursor:
            cursor.execute(self._queries["fetch_claimed"], values)
            return [stored.claimed(fence) for stored in cursor]

    def _give_back(self, queue_ids: Collection[str], fence: str) -> None:
        if queue_ids:
            values = {"queue_ids": list(queue_ids), "fences": [fence] * len(queue_ids), "reason": None}
            with self._pool.explained() as connection:
                connection.execute(self._queries["release"], values)

    def _told(self, text: str | None) -> str | None:
        return None if text is None else cleansed(text)[: self._longest_error]

    def _values_to_rehearse(self) -> dict[str, object]:
        return {
            **dict.fromkeys(("alone_from", "limit", "longest_error", "max_attempts", "most_bytes", "quarantine_at"), 1),
            **dict.fromkeys(("lease_s", "wait_s"), 1.0),
            **dict.fromkeys(("queue_id", "error", "reason")),
            "queue_ids": [],
            "fences": [],
            "fence": f"{self._worker}/{self._new_id()}",
            "final": False,
            "mops_up": True,
        }

    def _held(self, query: str, claims: Collection[Claimed], values: Mapping[str, object]) -> frozenset[str]:
        if not claims:
            return frozenset()
        ours = {"queue_ids": [claim.queue_id for claim in claims], "fences": [claim.fence for claim in claims]}
        with self._pool.explained() as connection:
            return frozenset(queue_id for (queue_id,) in connection.execute(self._queries[query], {**ours, **values}))


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredClaim(StoredEvent):
    """A row of ``fetch_claimed``."""

    queue_id: str
    event_id: str
    attempts: int
    interruptions: int
    reason: str | None
    decided_at: datetime | None

    def claimed(self, fence: str) -> Claimed:
        try:
            event = event_of(self)
            problem = "the event is not in the table of events" if event is None else None
        except UnreadableError as error:
            event, problem = None, f"the event cannot be read: {error}"
        return Claimed(
            self.queue_id,
            self.event_id,
            fence,
            self.attempts,
            self.interruptions,
            event,
            problem,
            self._escalation(),
        )

    def _escalation(self) -> Escalation | None:
        if self.reason is None or self.decided_at is None:
            return None
        return Escalation(self.reason, self.decided_at.astimezone(UTC))


# Queries that are parts of others.
_PARTS: Final = frozenset({"held", "claim", "closed", *_READY.values()})


def _parts(names: Mapping[str, sql.Composable], ready: str = "ready_for_student") -> dict[str, sql.Composable]:
    return {**names, "ready": compose(QUERIES[ready], names)} | {
        part: compose(QUERIES[part], names) for part in ("held", "closed")
    }
