"""The pairs in the order in which they are browsed, the least agreeing first; filters and pages.

A page begins behind the last line of the one before, which is named by what it is sorted by (keyset paging): it costs
the same wherever it is, and pairs that come meanwhile shift nothing.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import reduce

import numpy as np
import numpy.typing as npt
import polars as pl

from cascade_cli.errors import UsageError
from cascade_cli.policy import REASONS
from scorers import KINDS

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
STOOD = "none"
"""The reason of events that do not escalate."""
UNKNOWN = "unknown"
"""The reason of every event where the policy cannot be replayed."""
VERDICTS = ("disagrees", "agrees")
MOST_CHOICES = 100
"""Values of a filter that are offered, the most frequent first; any other can be asked for by name."""
_LAST_PAIR = 2**31


@dataclass(frozen=True, slots=True)
class Filter:
    """Which pairs to show; None does not restrict.

    Attributes:
        kind: of difference, which the pair must have.
        hash: of the teacher's prompt; the empty text for pairs without one.
        arena: of the event; likewise.
        reason: why the event escalates under the policy in force; ``none`` where it does not.
        verdict: ``agrees`` or ``disagrees``.
    """

    kind: str | None = None
    hash: str | None = None
    arena: str | None = None
    reason: str | None = None
    verdict: str | None = None

    def __post_init__(self) -> None:
        known = {"kind": KINDS, "reason": (*REASONS, STOOD), "verdict": VERDICTS}
        for name, values in known.items():
            if (value := getattr(self, name)) is not None and value not in values:
                raise UsageError(f"There is no {name} {value[:80]!r}.", hint=f"There are: {', '.join(values)}.")

    @property
    def given(self) -> dict[str, str]:
        """What restricts, by name."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the listing, by what the listing is sorted by."""

    agreement: float
    event_id: str
    pair: int

    def __str__(self) -> str:
        return urlsafe_b64encode(json.dumps([self.agreement, self.event_id, self.pair]).encode()).decode()

    @staticmethod
    def read(text: str) -> Place:
        """The place that was written so.

        Raises:
            UsageError: none was.
        """
        try:
            agreement, event_id, pair = json.loads(urlsafe_b64decode(text.encode()))
            str(event_id).encode()  # half a surrogate pair is no text
            return Place(float(agreement), str(event_id), min(int(pair), _LAST_PAIR))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise UsageError("This place in the list does not exist.", hint="Begin again at /events.") from error


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of the listing.

    Attributes:
        records: one a pair, as ``worst`` of ``cascade score --worst``, with student, arena and reason.
        total: how many pairs the filter lets through.
        first: the number of the first record among them, from 1; 0 where there is none.
        before: where the page before ends; None on the first.
        after: where the next one begins; None on the last.
    """

    records: list[dict[str, object]]
    total: int
    first: int
    before: Place | None
    after: Place | None


@dataclass(frozen=True)  # without slots: as records with arrays elsewhere
class Listing:
    """Every scored pair, sorted.

    Attributes:
        frame: by agreement, event id and number of the pair.
        codes: for ``hash``, ``arena``, ``reason``, ``kind``, ``verdict`` and ``event`` a number a line; of kinds one
            bit each.
        values: what the numbers stand for, the most frequent first; None for an absent value.
    """

    frame: pl.DataFrame
    codes: Mapping[str, Ints]
    values: Mapping[str, list[str | None]]

    @staticmethod
    def of(figures: pl.DataFrame, reasons: pl.DataFrame | None) -> Listing:
        """The listing of scored pairs.

        Args:
            figures: of every pair, with the observer of ``simulate``.
            reasons: ``event_id`` and ``reason``, null where it does not escalate; None where nobody knows, as where the
                answers are of several students.
        """
        kinds = [f"kind_{kind}" for kind in KINDS]
        frame = figures.filter("scorable").select("pair", *_SHOWN, "arena", "agreement", "agrees", *kinds)
        if reasons is None:
            frame = frame.with_columns(reason=pl.lit(UNKNOWN))
        else:
            frame = frame.join(reasons, on="event_id", how="left")
        frame = frame.sort("agreement", "event_id", "pair")
        bits = reduce(lambda code, name: code * 2 + (pl.col(name) > 0).cast(pl.Int64), reversed(kinds), pl.lit(0))
        codes = {
            "kind": frame.select(bits).to_series().to_numpy(),
            "verdict": frame["agrees"].cast(pl.Int64).to_numpy(),
            "event": frame["event_id"].rank("dense").cast(pl.Int64).to_numpy(),
        }
        values: dict[str, list[str | None]] = {"kind": list(KINDS), "verdict": list(VERDICTS)}
        for name, column in _COLUMNS.items():
            values[name], codes[name] = _numbered(frame[column])
        return Listing(frame, codes, values)

    def page(self, only: Filter, *, after: Place | None = None, before: Place | None = None, size: int = 50) -> Page:
        """The lines behind a place, or the last ones before another; the first ones without either."""
        found = np.flatnonzero(self._mask(only))
        if before is not None:
            end = int(np.searchsorted(found, self._lines_up_to(before, inclusive=False)))
            start = max(0, end - size)
        else:
            start = int(np.searchsorted(found, self._lines_up_to(after, inclusive=True))) if after else 0
            end = start + size
        chosen = found[start:end]
        records = list(self._records(chosen))
        return Page(
            records,
            len(found),
            start + 1 if records else 0,
            self._place(chosen[0]) if records and start else None,
            self._place(chosen[-1]) if records and end < len(found) else None,
        )

    def neighbours(self, only: Filter, event_id: str) -> tuple[str | None, str | None]:
        """The ids of the events before and behind an event, among those that the filter lets through.

        An event of several pairs stands where the first of them does, so that each comes once.
        """
        ids = self.frame["event_id"]
        lines = np.flatnonzero((ids == event_id).to_numpy())
        if not len(lines):
            return None, None
        firsts = self._firsts(only)
        own = firsts[self.codes["event"][firsts] == self.codes["event"][lines[0]]]
        place = int(np.searchsorted(firsts, own[0] if len(own) else lines[0]))
        before, after = firsts[:place][-1:], firsts[place + len(own) :][:1]
        return next((ids[int(line)] for line in before), None), next((ids[int(line)] for line in after), None)

    def choices(self, name: str) -> list[str | None]:
        """The most frequent values of a filter."""
        return self.values[name][:MOST_CHOICES]

    def _firsts(self, only: Filter) -> Ints:
        """The first line of each event that the filter lets through."""
        found = np.flatnonzero(self._mask(only))
        events = self.codes["event"][found]
        first = np.zeros(int(events.max(initial=0)) + 1, dtype=np.int64)
        # Of what is written to one place the last stays.
        first[events[::-1]] = found[::-1]
        heads: Ints = found[first[events] == found]
        return heads

    def _mask(self, only: Filter) -> Bools:
        mask = np.ones(len(self.frame), dtype=np.bool_)
        for name, value in only.given.items():
            code = self._code(name, value)
            if name == "kind":
                mask &= self.codes[name] >> code & 1 == 1
            else:
                mask &= self.codes[name] == code
        return mask

    def _code(self, name: str, value: str) -> int:
        """The number of a value; -1 where no line has it."""
        wanted = None if value == (STOOD if name == "reason" else "") else value
        return self.values[name].index(wanted) if wanted in self.values[name] else -1

    def _lines_up_to(self, place: Place, *, inclusive: bool) -> int:
        """How many lines stand before a place, and at it."""
        agreements = self.frame["agreement"].to_numpy()
        low, high = (int(np.searchsorted(agreements, place.agreement, side)) for side in ("left", "right"))
        ties = self.frame[low:high]
        at = pl.col("pair") <= place.pair if inclusive else pl.col("pair") < place.pair
        earlier = (pl.col("event_id") < place.event_id) | ((pl.col("event_id") == place.event_id) & at)
        return low + int(ties.select(earlier.sum()).item())

    def _place(self, line: int) -> Place:
        agreement, event_id, pair = self.frame.select("agreement", "event_id", "pair").row(int(line))
        return Place(agreement, event_id, pair)

    def _records(self, lines: Ints) -> Iterator[dict[str, object]]:
        for line in self.frame[lines].iter_rows(named=True):
            yield {
                **{name: line[name] for name in (*_SHOWN, "arena", "agreement", "agrees", "reason")},
                "kinds": {kind: line[f"kind_{kind}"] for kind in KINDS if line[f"kind_{kind}"]},
            }


_SHOWN = ("event_id", "system_prompt_hash", "student_model", "sample_index")
_COLUMNS = {"hash": "system_prompt_hash", "arena": "arena", "reason": "reason"}


def _numbered(column: pl.Series) -> tuple[list[str | None], Ints]:
    """The values of a column, the most frequent first, and the number of each line's among them."""
    counted = column.rename("value").value_counts(sort=True).select("value").with_row_index("number")
    numbers = (
        column.rename("value").to_frame().join(counted, on="value", how="left", nulls_equal=True, maintain_order="left")
    )
    return counted["value"].to_list(), numbers["number"].cast(pl.Int64).to_numpy()
