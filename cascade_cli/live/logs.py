"""One line of JSON an event: ids, who wrote, why, counts and milliseconds; never anything of its content."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from cascade_cli.extraction import SECTIONS
from cascade_cli.postgres.queue import Claimed

Write = Callable[[str], object]
_LONGEST_ID: Final = 200


class EventLog:
    """Writes lines.

    Args:
        write: takes a line with its end; None writes none.
        worker: stands in every line.
    """

    def __init__(self, write: Write | None, worker: str) -> None:
        self._write = write
        self._worker = worker

    def __call__(
        self,
        claim: Claimed,
        end: str,
        *,
        producer: str | None = None,
        reason: str | None = None,
        extraction: Mapping[str, object] | None = None,
        **more: object,
    ) -> None:
        """Tell how one claim ended.

        Args:
            claim: which.
            end: in a word.
            producer: who wrote; None where nobody did.
            reason: of an escalation, or why nothing was written.
            extraction: what was written, of which the items are counted.
            more: further numbers and short words; those that are None are left out.
        """
        if self._write is None:
            return
        line: dict[str, object] = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "worker": self._worker,
            "event_id": claim.event_id[:_LONGEST_ID],
            "queue_id": claim.queue_id,
            "end": end,
            "producer": producer,
            "reason": reason,
            "attempts": claim.attempts,
            "interruptions": claim.interruptions,
            **{name: value for name, value in more.items() if value is not None},
            **_counts(extraction),
        }
        self._write(json.dumps(line) + "\n")


def _counts(extraction: Mapping[str, object] | None) -> dict[str, int]:
    found = {} if extraction is None else {name: extraction.get(name) for name in SECTIONS}
    return {name: len(items) for name, items in found.items() if isinstance(items, list)}
