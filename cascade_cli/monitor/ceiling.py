"""What the teacher reaches with itself: no student can be asked for more.

A small hashed share of events is sent to the teacher twice (domain ``teacher_twice`` of the sampler), so that what is
compared was chosen by nothing but the event's id: events that came twice for another reason, as after an error, are
not like the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cascade_cli.policy import sample_unit, units_below
from cascade_cli.records import BadRow, Row, StudentAnswer, Trace
from cascade_cli.scoring import pair_agrees
from cascade_cli.simulate import rate_figures
from cascade_cli.stats.eprocess import ALPHA, ChangeAlarm, baseline_floor
from cascade_cli.stats.estimates import noise_ceiling
from scorers import ScoringConfig

Figures = dict[str, Any]
DOMAIN = "teacher_twice"
Question = tuple[str, str | None, str | None]
"""What the teacher is asked: event, prompt hash, teacher."""


class Twice:
    """Remembers what the teacher said about the events that it is asked about twice, as all rows pass by."""

    def __init__(self, rate: Decimal, salt: str) -> None:
        """Choose the events.

        Args:
            rate: their share, in [0, 1]; memory grows with it.
            salt: of the sampler.
        """
        self._below = units_below(rate)
        self._salt = salt
        self._said: dict[Question, dict[str, Trace]] = {}

    def watch(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        """Pass all rows on; of an answer without a moment nobody can tell whether it is another one."""
        for row in rows:
            if self._below and isinstance(row, Row):
                self._take(row.trace)
            yield row

    def _take(self, trace: Trace) -> None:
        # An id that was made of the content is the same for two equal answers, unless their moments differ.
        if trace.created_at is not None and sample_unit(trace.event_id, self._salt, DOMAIN) < self._below:
            question = (trace.event_id, trace.system_prompt_hash, trace.llm_model)
            self._said.setdefault(question, {}).setdefault(trace.trace_id, trace)

    def agreements(self, config: ScoringConfig) -> list[bool]:
        """For each question that was asked twice, whether the first two answers agree, in the order of the second."""
        twice = [sorted(said.values(), key=_moment)[:2] for said in self._said.values() if len(said) > 1]
        twice.sort(key=lambda pair: _moment(pair[1]))
        return [agrees for first, second in twice if (agrees := _agree(first, second, config)) is not None]


def _moment(trace: Trace) -> datetime:
    return trace.created_at or datetime.min.replace(tzinfo=UTC)


def _agree(first: Trace, second: Trace, config: ScoringConfig) -> bool | None:
    return pair_agrees(first, StudentAnswer(first.event_id, second.raw_response), config)


def ceiling_figures(same: Sequence[bool], agreement: Figures, baseline_labels: int) -> Figures | None:
    """The student's agreement beside the teacher's with itself, and whether the latter has fallen.

    Args:
        same: whether the teacher's two answers agree, in the order of the events.
        agreement: of the student's standing events; the teacher was asked twice about those that escalate, too.
        baseline_labels: so many of the first of ``same`` make the floor for the rest.

    Returns:
        ``n``, ``self_agreement`` and ``agreement``; their ``ratio``, None where either is undefined or the teacher
        never agrees with itself; ``change_alarm``, None with too few for a floor. None where the teacher was asked
        about nothing twice.
    """
    if not same:
        return None
    own = rate_figures(sum(same), len(same))
    return {
        "n": len(same),
        "self_agreement": own,
        "agreement": agreement,
        "ratio": noise_ceiling(agreement["rate"], own["rate"]),
        "change_alarm": _alarm(same, baseline_labels),
    }


def _alarm(same: Sequence[bool], baseline_labels: int) -> Figures | None:
    first, later = same[:baseline_labels], same[baseline_labels:]
    floor = baseline_floor(sum(first), len(first), ALPHA) if len(first) == baseline_labels else None
    if floor is None:
        return None
    alarm = ChangeAlarm(floor)
    for agrees in later:
        alarm = alarm.after(agrees=agrees)
    return {"floor": floor, "statistic": alarm.statistic, "alarmed_at_label": alarm.alarmed_at}
