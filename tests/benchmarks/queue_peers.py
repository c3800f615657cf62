"""Other job queues with jobs that do nothing: ``queue_peers.py NAME DSN JOBS`` is one worker, until nothing is left.

Each is used as its own documentation shows, with its usual batch and concurrency. They are no part of any extra; by
hand: ``pip install procrastinate pgqueuer asyncpg``. A worker prints when it began, when it ended, and its CPU seconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version

from psycopg.conninfo import conninfo_to_dict

PEERS = ("procrastinate", "pgqueuer")
_ENQUEUED_AT_ONCE = 1_000


def missing() -> dict[str, str]:
    """Peers that are not installed, with what brings them."""
    found = {}
    for name in PEERS:
        try:
            version(name)
        except PackageNotFoundError:
            found[name] = f"pip install {name}"
    return found


async def _procrastinate(dsn: str, jobs: int | None) -> None:
    """Make the schema and so many jobs, or work them off."""
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))

    @app.task(name="nothing")
    async def nothing() -> None:
        """Do nothing."""

    async with app.open_async():
        if jobs is None:
            await app.run_worker_async(wait=False, install_signal_handlers=False)
        else:
            await app.schema_manager.apply_schema_async()
            await nothing.batch_defer_async(*({} for _ in range(jobs)))


async def _pgqueuer(dsn: str, jobs: int | None) -> None:
    import asyncpg
    from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries
    from pgqueuer.types import QueueExecutionMode

    place = conninfo_to_dict(dsn)
    connection = await asyncpg.connect(
        host=place["host"], user=place["user"], password=place.get("password"), database=place["dbname"]
    )
    try:
        if jobs is not None:
            queries = Queries(AsyncpgDriver(connection))
            await queries.install()
            for first in range(0, jobs, _ENQUEUED_AT_ONCE):
                count = min(_ENQUEUED_AT_ONCE, jobs - first)
                await queries.enqueue(["nothing"] * count, [None] * count, [0] * count)
            return
        worker = PgQueuer(AsyncpgDriver(connection))

        @worker.entrypoint("nothing")
        async def nothing(_job: Job) -> None:
            """Do nothing."""

        await worker.run(batch_size=100, mode=QueueExecutionMode.drain)
    finally:
        await connection.close()


_RUN: dict[str, Callable[[str, int | None], Awaitable[None]]] = {
    "procrastinate": _procrastinate,
    "pgqueuer": _pgqueuer,
}


LEFT = {
    "procrastinate": "SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'",
    "pgqueuer": "SELECT count(*) FROM pgqueuer",
}
"""How many jobs are not done."""


def enqueue(name: str, dsn: str, jobs: int) -> None:
    """Make a peer's tables in an empty database, and so many jobs."""
    asyncio.run(_RUN[name](dsn, jobs))  # type: ignore[arg-type]


def main(name: str, dsn: str) -> None:
    """Work, and tell about it."""
    logging.disable(logging.ERROR)
    began_at, began_cpu_s = time.time(), time.process_time()
    asyncio.run(_RUN[name](dsn, None))  # type: ignore[arg-type]
    print(json.dumps({"began_at": began_at, "ended_at": time.time(), "cpu_s": time.process_time() - began_cpu_s}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
