"""Moments as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from cascade_cli.errors import UsageError

_SPAN = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def read_span(text: str) -> float:
    """A stretch of time as ``10m``, ``90s`` or ``2h``, in seconds.

    Raises:
        UsageError: it is none, or nothing long.
    """
    span = _SPAN.fullmatch(text.strip())
    if not span or not int(span[1]):
        raise UsageError(f"{text!r} is no stretch of time.", hint="Use one as 90s, 10m or 2h.")
    return float(int(span[1]) * _SECONDS[span[2]])


def read_since(text: str, now: datetime) -> datetime:
    """A span back from now (``7d``, ``12h``, ``30m``) or a date or time in ISO 8601, as aware UTC.

    Args:
        text: as typed; a time without a zone is taken as UTC.
        now: aware.

    Raises:
        UsageError: it is neither.
    """
    span = _SPAN.fullmatch(text.strip())
    try:
        if span:
            return now - timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is no moment.", hint="Use a span as 7d, 12h or 30m, or a date as 2026-06-18."
        ) from None
