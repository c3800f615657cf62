"""Recorded pairs -> one line an event: what the gates see, whether the student agreed, what both answers took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from cascade_cli.errors import UsageError
from cascade_cli.policy import EVERY_CATEGORY, Policy, sample_unit
from cascade_cli.records import Row
from cascade_cli.scoring import Observer, Scored, answered, shown_event

NO_LABEL, DISAGREES, AGREES = 0, 1, 2
"""What is known of an event: nothing, or what the score says."""

VERIFIER = "verifier"

_MOST_KEPT = 64
"""Columns of categories, a megabyte each for a million events."""

COSTS = ("teacher_ms", "student_ms", "prompt_chars", "teacher_chars", "student_chars")
"""What an event's two answers took; unknown milliseconds are NaN."""


def read_observation(row: Row) -> tuple[object, ...]:
    """The values of :data:`OBSERVER` for one recorded pair."""
    trace, answer = row.trace, answered(row)
    event = shown_event(trace)
    return (
        event.arena,
        # A teacher that is slower on hard events would make the order in which its answers come look like a fall.
        answer.decided_at or trace.created_at,
        trace.llm_ms,
        answer.student_ms,
        len(trace.user_prompt or event.content or ""),
        len(trace.raw_response),
        len(answer.response or ""),
        answer.signals.get(VERIFIER),
        answer.decided_at is not None,
    )


OBSERVER = Observer(
    {
        "arena": pl.String,
        "created_at": pl.Datetime("us", "UTC"),
        "teacher_ms": pl.Float64,
        "student_ms": pl.Float64,
        "prompt_chars": pl.Int32,
        "teacher_chars": pl.Int32,
        "student_chars": pl.Int32,
        VERIFIER: pl.Float64,
        "decided": pl.Boolean,
    },
    read_observation,
)
"""The columns that a simulation needs beside the score."""
_READ = (
    "pair", "event_id", "system_prompt_hash", "sample_index", "cluster", "agrees", "missing_output", "invalid_json",
    "empty", "ungrounded", "categories", *OBSERVER.schema,
)  # fmt: skip
"""The columns of scored pairs that become events: the others are many."""


@dataclass(frozen=True)  # without slots: some of it is worked out once and kept
class Events:
    """One line an event, in the order of the input; all columns have the same length.

    Attributes:
        ids: event ids, each once.
        prompt_hashes: of the teacher's prompt; None when unknown.
        clusters: what an event shares with others, of its own where it shares nothing.
        created_at: when a live worker decided about it, else of the trace; aware UTC; null when unknown.
        arenas: null when unknown.
        parse_fail: no usable extraction; likewise the next two.
        empty: an extraction without items.
        ungrounded: an address that stands nowhere in the event.
        categories: a list of texts an event.
        labels: ``NO_LABEL``, ``DISAGREES`` or ``AGREES``. A call that failed has no label, nor has an event whose
            teacher's answer cannot be read; text from which no extraction can be read disagrees.
        verifier: scores in [0, 1]; NaN where there is none.
        costs: a column for each of :data:`COSTS`.
        decided: whether a live worker decided about it, so that ``created_at`` is the moment of that.
        repeated: pairs that a later one of the same event replaced.
    """

    ids: pl.Series
    prompt_hashes: pl.Series
    clusters: pl.Series
    created_at: pl.Series
    arenas: pl.Series
    parse_fail: npt.NDArray[np.bool_]
    empty: npt.NDArray[np.bool_]
    ungrounded: npt.NDArray[np.bool_]
    categories: pl.Series
    labels: npt.NDArray[np.int8]
    verifier: npt.NDArray[np.float64]
    costs: dict[str, npt.NDArray[np.float64]]
    decided: npt.NDArray[np.bool_]
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def per_day(self) -> float | None:
        """How many dated ones come in a day; None where none is dated, or all are at once."""
        dated = self.created_at.drop_nulls()
        span_s = (dated.max() - dated.min()).total_seconds() if len(dated) else 0.0  # type: ignore[union-attr, operator]
        return len(dated) / span_s * 86_400 if span_s else None

    @property
    def per_min(self) -> float | None:
        """How many dated ones come in a minute of the busiest hour; None where none is dated."""
        hours = self.created_at.drop_nulls().dt.truncate("1h")
        return max(hours.value_counts()["count"].to_list()) / 60 if len(hours) else None

    @cached_property
    def cluster_codes(self) -> npt.NDArray[np.int64]:
        """A number for each event that those of its cluster share, shape (n,)."""
        return self.clusters.cast(pl.Categorical).to_physical().cast(pl.Int64).to_numpy()

    @cached_property
    def clustered(self) -> bool:
        """Whether any two events share a cluster."""
        return self.clusters.n_unique() < len(self)

    @property
    def newest_prompt_hash(self) -> str | None:
        """That of the last event; None where it has none, or there is no event."""
        return self.prompt_hashes[int(self.claim_order[-1])] if len(self) else None

    def under(self, prompt_hash: str | None) -> Events:
        """The events of one prompt hash."""
        wanted = self.prompt_hashes.is_null() if prompt_hash is None else self.prompt_hashes == prompt_hash
        return self.among(np.flatnonzero(wanted.fill_null(value=False).to_numpy()))

    def among(self, places: npt.NDArray[np.int64]) -> Events:
        """The events of some places, in their order."""
        names = [column.name for column in fields(self) if column.name not in {"costs", "repeated"}]
        costs = {name: column[places] for name, column in self.costs.items()}
        return Events(**{name: getattr(self, name)[places] for name in names}, costs=costs)

    def units(self, salt: str) -> npt.NDArray[np.int64]:
        """The sampler's unit of each event, shape (n,)."""
        if salt not in self._units:
            self._units[salt] = np.fromiter((sample_unit(each, salt) for each in self.ids), np.int64, len(self))
        return self._units[salt]

    def has_category(self, name: str) -> npt.NDArray[np.bool_]:
        """Whether each event has a category, or any for `*`, shape (n,); kept, for policies list the same few."""
        found = self._by_category.get(name)
        if found is None:
            lists = self.categories.list
            has = lists.eval(pl.element() != "").list.any() if name == EVERY_CATEGORY else lists.contains(name)
            found = has.fill_null(value=False).to_numpy()
            if len(self._by_category) >= _MOST_KEPT:
                self._by_category.clear()
            self._by_category[name] = found
        return found

    @cached_property
    def _by_category(self) -> dict[str, npt.NDArray[np.bool_]]:
        return {}

    @cached_property
    def latest_masks(self) -> list[tuple[Policy, npt.NDArray[np.int64]]]:
        """What fired under the policy that was asked about last: several figures ask one after the other."""
        return []

    @cached_property
    def _units(self) -> dict[str, npt.NDArray[np.int64]]:
        return {}

    @cached_property
    def claim_order(self) -> npt.NDArray[np.int64]:
        """The places of the events in the order of their moments, shape (n,); undated ones first, else as they came."""
        moments = self.created_at.dt.epoch("us").fill_null(np.iinfo(np.int64).min).to_numpy()
        return np.argsort(moments, kind="stable")


def events_of(scored: Scored, *, by_hash: bool = False) -> Events:
    """The events of scored pairs whose request had :data:`OBSERVER`.

    Of several pairs of one event the last counts, but a first answer comes before further samples: the live worker
    decides once about an event.

    Args:
        scored: with the columns of the observer.
        by_hash: an event counts once for each prompt hash under which the teacher answered it.

    Raises:
        UsageError: the answers are of several students.
    """
    students = sorted(scored.figures["student_model"].unique().to_list())
    if len(students) > 1:
        named = ", ".join(name or 'one without a name ("")' for name in students[:5])
        raise UsageError(
            f"There are answers of {len(students)} students: {named}.", hint="Choose one with --student-model."
        )
    key = ["event_id", "system_prompt_hash"] if by_hash else ["event_id"]
    frame = _one_of_each(scored.figures.select(_READ), key)
    return events_from(frame, repeated=len(scored.figures) - len(frame))


def _one_of_each(pairs: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The last first answer of each key; where hashes tell that every key is there once, the frame as it is."""
    if not pairs.select(pl.struct(key).hash()).to_series().is_duplicated().any():
        return pairs
    ranked = pairs.sort("sample_index", descending=True, maintain_order=True)
    return ranked.unique(key, keep="last", maintain_order=True).sort("pair")


def events_from(frame: pl.DataFrame, repeated: int = 0) -> Events:
    """Events from a frame with the columns of the score and of :data:`OBSERVER`, one line an event."""
    unlabelled = pl.col("agrees").is_null() | pl.col("missing_output")
    label = pl.when(unlabelled).then(NO_LABEL).when(pl.col("agrees")).then(AGREES).otherwise(DISAGREES)
    own = pl.concat_str(pl.lit("\0"), pl.col("event_id"))
    return Events(
        ids=frame["event_id"],
        prompt_hashes=frame["system_prompt_hash"],
        clusters=frame.select(pl.col("cluster").fill_null(own)).to_series(),
        created_at=frame["created_at"],
        arenas=frame["arena"],
        parse_fail=(frame["missing_output"] | frame["invalid_json"]).to_numpy(),
        empty=frame["empty"].to_numpy(),
        ungrounded=frame["ungrounded"].to_numpy(),
        categories=frame["categories"],
        labels=frame.select(label.cast(pl.Int8)).to_series().to_numpy(),
        verifier=frame[VERIFIER].fill_null(np.nan).to_numpy(),
        costs={name: frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in COSTS},
        decided=frame["decided"].to_numpy(),
        repeated=repeated,
    )
