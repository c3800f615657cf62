"""When failed calls speak of the endpoint and no longer of the events: an outage, and what follows from it.

One failed call is the event's affair. An endpoint that fails nearly every call for half a minute is away: nothing more
is claimed for it, what is held is given back uncharged, one probe at a time looks whether it has come back. Between
the first failure and the half minute calls that failed so are given back too, for nobody knows yet what they are.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

DECLARED_AFTER_S = 30.0
_MOST_CALLS = 4_096
_SHARE_FAILED = 0.5
# Before half of the last calls have failed, too many events would go to the teacher for nothing they did.
_SUSPICIOUS_ROW = 3
_FIRST_PROBE_S, _LONGEST_PROBE_S = 1.0, 30.0
_TOLD_AGAIN_AFTER_S = 60.0


class Call(Enum):
    """What sort of call it is."""

    USUAL = auto()
    PROBE = auto()
    """The one that looks during an outage whether the endpoint has come back."""


@dataclass(slots=True)
class Outages:
    """Whether one endpoint is there.

    Attributes:
        clock: monotonic seconds.
        declared_after_s: most calls must have failed for so long.
        since: when the present outage began; None while there is none.
        last_failure: what the latest call came to that found nobody, for people; empty before the first.
    """

    clock: Callable[[], float]
    declared_after_s: float = DECLARED_AFTER_S
    since: float | None = None
    last_failure: str = ""
    _calls: deque[tuple[float, bool]] = field(default_factory=deque)
    _lost: int = 0
    _failing_since: float | None = None
    _lost_in_a_row: int = 0
    _probe_at: float = 0.0
    _probe_pause_s: float = _FIRST_PROBE_S
    _is_probing: bool = False

    @property
    def is_away(self) -> bool:
        """Whether there is an outage."""
        return self.since is not None

    @property
    def is_suspected(self) -> bool:
        """Whether calls fail in a row, or most of them of late: then a failure says nothing of its event."""
        return self.is_away or self._failing_since is not None or self._lost_in_a_row >= _SUSPICIOUS_ROW

    @property
    def lasts_s(self) -> float:
        """How long the present outage has lasted, from its first failed call; 0 while there is none."""
        return 0.0 if self.since is None else self.clock() - self.since

    def answered(self) -> None:
        """A call was answered, whatever the answer is worth."""
        self._note(failed=False)
        self._lost_in_a_row = 0
        if self.is_away:
            self._calls.clear()
            self._lost = 0
            self._failing_since = None
        self.since = None
        self._is_probing = False
        self._probe_pause_s = _FIRST_PROBE_S

    def failed(self, call: Call = Call.USUAL, why: str = "") -> None:
        """A call found nobody: refused, no name, no handshake, 429, 502, 503 or 504.

        Args:
            call: what it was; one from before the outage says nothing of how long to wait.
            why: what happened, for people.
        """
        self.last_failure = why
        now = self._note(failed=True)
        self._lost_in_a_row += 1
        if self.is_away:
            if call is Call.PROBE:
                self._is_probing = False
                self._probe_pause_s = min(2 * self._probe_pause_s, _LONGEST_PROBE_S)
                self._probe_at = now + self._probe_pause_s
        elif self._failing_since is not None and now - self._failing_since >= self.declared_after_s:
            self.since = self._failing_since
            self._probe_at = now + self._probe_pause_s

    @property
    def probe_is_due(self) -> bool:
        """Whether a call could be made now, as :meth:`may_call` would permit."""
        return not self.is_away or (not self._is_probing and self.clock() >= self._probe_at)

    def may_call(self) -> Call | None:
        """What a call would be that is made now, to be told to :meth:`ended`; None where none may be made."""
        if not self.is_away:
            return Call.USUAL
        if not self.probe_is_due:
            return None
        self._is_probing = True
        return Call.PROBE

    def ended(self, call: Call) -> None:
        """A call that :meth:`may_call` permitted is over, whatever came of it, or was not made after all."""
        if call is Call.PROBE:
            self._is_probing = False

    def _note(self, *, failed: bool) -> float:
        now = self.clock()
        self._calls.append((now, failed))
        self._lost += failed
        while len(self._calls) > _MOST_CALLS or now - self._calls[0][0] > self.declared_after_s:
            self._lost -= self._calls.popleft()[1]
        most_failed = self._lost > _SHARE_FAILED * len(self._calls)
        # What was before a long silence says nothing of now.
        if not most_failed or len(self._calls) == 1:
            self._failing_since = None
        if most_failed and self._failing_since is None:
            self._failing_since = now
        return now


@dataclass(slots=True)
class Silence:
    """What people are told of one endpoint: that it begins to fail, that it is away, that it is back.

    Attributes:
        name: of the endpoint.
        clock: monotonic seconds.
    """

    name: str
    clock: Callable[[], float]
    _was_away: bool = False
    _was_suspected: bool = False
    _told_at: float = -math.inf

    def told(self, outages: Outages) -> str | None:
        """What is new, as a sentence; that it begins to fail no more than once a minute, for it may come and go."""
        changed = outages.is_away != self._was_away
        begins = outages.is_suspected and not self._was_suspected and not outages.is_away
        self._was_away, self._was_suspected = outages.is_away, outages.is_suspected
        if changed:
            return f"The {self.name} {'is away: its events wait' if outages.is_away else 'is back'}."
        if not begins or self.clock() - self._told_at < _TOLD_AGAIN_AFTER_S:
            return None
        self._told_at = self.clock()
        return f"The {self.name} does not answer: {outages.last_failure.rstrip('.')}. It is asked again."
