"""Events into the queue, and a worker that empties it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cascade_cli.console import Result
from cascade_cli.demonstration.stage import Stage
from cascade_cli.live.run import Live, run_live
from cascade_cli.postgres import enqueue
from cascade_cli.records import Row


def work_off(stage: Stage, rows: Sequence[Row], *, flip: bool = False) -> Result:
    """Enqueue some events and work until nothing is left in any lane.

    Args:
        stage: whose database and endpoints are used.
        rows: new ones; may be empty where something else waits.
        flip: the student writes what the gates let stand.

    Returns:
        What the worker did, with the ids of the events.

    Raises:
        CascadeError: it failed, or was interrupted.
    """
    event_ids = [row.trace.event_id for row in rows]
    enqueue(stage.dsn, [row.trace.event for row in rows if row.trace.event is not None])
    live = Live(stage.policy, flip=flip, once=True, name="demo", yes=True)
    worked = run_live(live, stage.settings, stage.silent)
    if worked.failure is not None:
        raise worked.failure
    assert isinstance(worked.data, dict)  # noqa: S101 - a worker returns nothing else
    return replace(worked, data={"event_ids": event_ids, **worked.data})
