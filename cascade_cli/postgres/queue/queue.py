"""The team's queue table as a queue with leases and fences: at least once in execution, exactly once in effect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from random import Random
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from psycopg import sql
from psycopg.rows import class_row

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.cleansing import cleansed
from cascade_cli.postgres.connection import compose
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
from cascade_cli.postgres.tables import check_queue_table, types_of_columns

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

QUERIES: Final = read_named_sql(files("cascade_cli.postgres.queue") / "queue.sql")
LONGEST_ERROR: Final = 1_024
"""Characters of ``last_error``."""
MOST_BYTES: Final = 16_000_000
"""Of the events of one claim, before decompression: a batch of very large ones must fit into memory."""
_READY: Final = {Lane.STUDENT: "ready_for_student", Lane.TEACHER: "ready_for_teacher"}
_REAPED_AT_ONCE: Final = 1_000
_EMPTY: Final = LaneState(0, 0, 0, None, None)


class Queue:
    """A worker's hold on the queue; its methods may be called from several threads.

    Get one from `Queue.open`. A connection that breaks leaves nothing half-done: what was claimed without our knowing
    expires, and every other call may be repeated, for its fence is spent once it has worked.

    Attributes:
        settings: the rules.
        names: what stands for each name in braces of the statements; the writing ones share them.
    """

    def __init__(
        self,
        pool: Pool,
        names: Mapping[str, sql.Composable],
        settings: QueueSettings,
        worker: str,
        random: Random,
        new_id: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.names = names
        self._pool = pool
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
        names = {
            **mapping.event_names(),
            **mapping.queue_names(),
            "id_type": sql.Identifier(*types[mapping.queue.id]),
            "marks": mapping.table("cascade_queue_marks"),
            "escalations": mapping.table("cascade_escalations"),
        }
        return Queue(pool, names, settings, worker, random, new_id)

    def claim(self, lane: Lane, limit: int) -> tuple[Claimed, ...]:
        """Take up to ``limit`` waiting events of a lane for the length of a lease; attempts stay as they are.

        Args:
            lane: an event that waits for the teacher is never given out in the student's.
            limit: at least 1.

        Returns:
            By id; fewer where fewer wait, where others are just claiming, or where the events together are larger than
            ``MOST_BYTES``; one alone where its workers died before.

        Raises:
            DependencyError: the server cannot be reached or refuses; what it had given out by then expires.
        """
        fence = f"{self._worker}/{self._new_id()}"
        rules = {"max_attempts": self.settings.max_attempts, "alone_from": self.settings.alone_from}
        values = {"fence": fence, "limit": limit, "lease_s": self.settings.lease_s, **rules}
        with self._pool.explained() as connection:
            taken = [queue_id for (queue_id,) in connection.execute(self._claims[lane], values)]
            claims = self._fetched(connection, taken, fence) if taken else []
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
        return self._held("release", claims, {"reason": _told(reason)})

    def fail(self, claim: Claimed, error: str) -> Failure | None:
        """Charge a genuine failure: the event waits with full jitter, or has failed for good at the last attempt.

        Args:
            claim: what was tried.
            error: what went wrong; cut to ``LONGEST_ERROR`` characters.

        Returns:
            None where the claim is no longer ours, and nothing was charged.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        wait_s = self._random.uniform(0, self.settings.longest_wait_s(claim.attempts))
        values = {"queue_id": claim.queue_id, "fence": claim.fence, "wait_s": wait_s, "error": _told(error)}
        with self._pool.explained() as connection:
            charged = connection.execute(
                self._queries["fail"], {**values, "max_attempts": self.settings.max_attempts}
            ).fetchone()
        if charged is None:
            return None
        attempts, final = charged
        return Failure(attempts, final, 0.0 if final else wait_s)

    def reap(self) -> tuple[Reaped, ...]:
        """Take back claims whose lease has expired, whoever held them: one interruption more, and no attempt.

        Returns:
            At most a thousand, longest expired first.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        rules = {"max_attempts": self.settings.max_attempts, "quarantine_at": self.settings.quarantine_at}
        with self._pool.explained() as connection, connection.cursor(row_factory=class_row(Reaped)) as cursor:
            cursor.execute(self._queries["reap"], {"limit": _REAPED_AT_ONCE, **rules})
            return tuple(cursor)

    def lanes(self) -> Mapping[Lane, LaneState]:
        """How much each lane holds; it reads all that is pending or claimed, so ask every few seconds at most.

        Raises:
            DependencyError: the server cannot be reached or refuses.
        """
        with self._pool.explained() as connection:
            found = connection.execute(self._queries["lane_states"], {"max_attempts": self.settings.max_attempts})
            states = {Lane.TEACHER if escalated else Lane.STUDENT: LaneState(*state) for escalated, *state in found}
        return {lane: states.get(lane, _EMPTY) for lane in Lane}

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
_PARTS: Final = frozenset({"held", "claim", *_READY.values()})


def _parts(names: Mapping[str, sql.Composable], ready: str = "ready_for_student") -> dict[str, sql.Composable]:
    return {**names, "held": compose(QUERIES["held"], names), "ready": compose(QUERIES[ready], names)}


def _told(text: str | None) -> str | None:
    return None if text is None else cleansed(text)[:LONGEST_ERROR]
