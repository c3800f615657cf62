"""Why a call gave nothing, in words that decide what to do next.

One failed try is sorted into a kind; the kind says whether another try can help, whether the endpoint as a whole seems
to be away, and whether nothing at all can work until a person has changed something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cascade_cli.errors import DependencyError


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of failure it was.

    Attributes:
        name: as it is stored with the event.
        again: another try may help.
        outage: it speaks of the endpoint, not of this event.
        fatal: no call can succeed before somebody has changed the configuration.
        slow_down: the endpoint asks for fewer calls.
    """

    name: str
    again: bool = False
    outage: bool = False
    fatal: bool = False
    slow_down: bool = False


UNREACHABLE: Final = Kind("unreachable", again=True, outage=True)
RATE_LIMITED: Final = Kind("rate_limited", again=True, outage=True, slow_down=True)
UNAVAILABLE: Final = Kind("unavailable", again=True, outage=True, slow_down=True)
CUT_OFF: Final = Kind("cut_off", again=True)
TOO_SLOW: Final = Kind("too_slow", again=True)
SERVER_ERROR: Final = Kind("server_error", again=True)
UNREADABLE: Final = Kind("unreadable_answer", again=True)
NO_CHOICES: Final = Kind("no_choices", again=True)
TOO_LARGE: Final = Kind("answer_too_large")
REFUSED: Final = Kind("refused")
KEY_REFUSED: Final = Kind("key_refused", fatal=True)
GIVEN_UP: Final = Kind("given_up")
"""Nobody wants the answer any more; never kept."""
NO_SUCH_MODEL: Final = Kind("no_such_model", fatal=True)


class CallFailed(Exception):  # noqa: N818 - the outcome of one call, kept with its event
    """A call gave no answer.

    Attributes:
        kind: what sort of failure.
        detail: one sentence, without the event's text and without secrets.
        retry_after_s: how long the endpoint asks to be left alone; None where it does not say.
        requests: that were sent for the call, once it was given up.
    """

    def __init__(self, kind: Kind, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.requests = 1


class EndpointDown(DependencyError):  # noqa: N818 - reads as the sentence it reports
    """An endpoint cannot be reached, or will not serve us: no call can succeed."""


class KeyRefused(EndpointDown):
    """An endpoint answers, and does not let us in."""
