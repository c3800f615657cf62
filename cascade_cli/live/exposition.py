"""Counters, gauges and histograms in the text format of Prometheus (version 0.0.4); nothing in here knows the worker.

Label values come from everywhere: names of models, hashes, reasons that a newer worker wrote. They are made visible,
cut and escaped, and each label has only so many of them: what comes later is counted under ``other``, so that no input
can make a scrape grow without end.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

from cascade_cli.console import sanitize

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
"""Stands for every value of a label beyond the most that it may have."""
NONE = "none"
"""Stands for a value that is unknown: an empty one would be no label at all."""
MOST_VALUES = 50
LONGEST_VALUE = 100
"""Characters of a label's value."""

Labels = tuple[str, ...]


@dataclass(slots=True)
class _Family:
    """What all kinds have in common.

    Attributes:
        name: of the metric.
        help: one sentence.
        labels: their names.
        most: values that each label may have.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    most: int = MOST_VALUES
    _known: tuple[set[str], ...] = field(init=False)
    _lock: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self._known = tuple(set() for _ in self.labels)

    def _key(self, values: Sequence[str | None]) -> Labels:
        """The values as they are kept; call it under the lock."""
        return tuple(self._capped(known, value) for known, value in zip(self._known, values, strict=True))

    def _capped(self, known: set[str], value: str | None) -> str:
        shown = sanitize(value or NONE)[:LONGEST_VALUE]
        if shown not in known and len(known) >= self.most:
            return OTHER
        known.add(shown)
        return shown

    def _head(self, kind: str) -> Iterator[str]:
        yield f"# HELP {self.name} {_escaped(self.help)}\n"
        yield f"# TYPE {self.name} {kind}\n"

    def _line(self, labels: Labels, value: float) -> str:
        return _line(self.name, zip(self.labels, labels, strict=True), value)


@dataclass(slots=True)
class Counter(_Family):
    """What only grows; one without labels is 0 from the start."""

    _sums: dict[Labels, float] = field(init=False, default_factory=dict)

    def add(self, *labels: str | None, by: float = 1) -> None:
        """Count; a number that is negative or not finite counts nothing."""
        if by < 0 or not math.isfinite(by):
            return
        with self._lock:
            key = self._key(labels)
            self._sums[key] = self._sums.get(key, 0) + by

    def lines(self) -> Iterator[str]:
        """The family as text."""
        yield from self._head("counter")
        with self._lock:
            sums = dict(self._sums)
        if not self.labels:
            sums = sums or {(): 0}
        yield from (self._line(labels, value) for labels, value in sums.items())


@dataclass(slots=True)
class Gauge(_Family):
    """What is now."""

    _values: dict[Labels, float] = field(init=False, default_factory=dict)

    def set(self, *labels: str | None, to: float | None) -> None:
        """Say what is now; None, or what is not finite, is not known and not shown."""
        with self._lock:
            key = self._key(labels)
            if to is None or not math.isfinite(to):
                self._values.pop(key, None)
            else:
                self._values[key] = to

    def lines(self) -> Iterator[str]:
        """The family as text."""
        yield from self._head("gauge")
        with self._lock:
            values = dict(self._values)
        yield from (self._line(labels, value) for labels, value in values.items())


@dataclass(slots=True)
class _Spread:
    """One histogram: how many fell into each bucket, the last being open, and their sum."""

    counts: list[int]
    sum: float = 0.0


@dataclass(slots=True)
class Histogram(_Family):
    """How values spread over fixed buckets.

    Attributes:
        bounds: upper ends of the buckets, included, ascending; the last bucket is open.
    """

    bounds: tuple[float, ...] = (0.1, 1.0, 10.0)
    _spreads: dict[Labels, _Spread] = field(init=False, default_factory=dict)

    def observe(self, *labels: str | None, value: float) -> None:
        """Count a value; one that is not finite counts nothing."""
        if not math.isfinite(value):
            return
        with self._lock:
            spread = self._spreads.setdefault(self._key(labels), _Spread([0] * (len(self.bounds) + 1)))
            spread.counts[bisect_left(self.bounds, value)] += 1
            spread.sum += value

    def lines(self) -> Iterator[str]:
        """The family as text, buckets cumulative."""
        yield from self._head("histogram")
        with self._lock:
            spreads = {labels: _Spread([*spread.counts], spread.sum) for labels, spread in self._spreads.items()}
        for labels, spread in spreads.items():
            named = list(zip(self.labels, labels, strict=True))
            reached = 0
            for bound, count in zip((*self.bounds, math.inf), spread.counts, strict=True):
                reached += count
                yield _line(f"{self.name}_bucket", [*named, ("le", _number(bound))], reached)
            yield _line(f"{self.name}_sum", named, spread.sum)
            yield _line(f"{self.name}_count", named, reached)


def _line(name: str, labels: zip[tuple[str, str]] | list[tuple[str, str]], value: float) -> str:
    told = ",".join(f'{label}="{_quoted(shown)}"' for label, shown in labels)
    return f"{name}{{{told}}} {_number(value)}\n" if told else f"{name} {_number(value)}\n"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf"
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
