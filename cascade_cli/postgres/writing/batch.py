"""Which outcomes of a batch may be written, given what their rows are by now. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cascade_cli.errors import CascadeError
from cascade_cli.extraction import SECTIONS
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.graph import GraphWrite
from cascade_cli.postgres.writing.records import (
    MOP_UP,
    JudgedAnswer,
    Outcome,
    Refused,
    Standing,
    TeacherWritten,
    ToEscalate,
)

T = TypeVar("T")

NEEDED: Final[Mapping[type[Outcome], Mode]] = {
    Standing: Mode.FLIP,
    ToEscalate: Mode.SHADOW,
    TeacherWritten: Mode.OFF,
}
"""The least mode in which an outcome may be written."""


class UnwritableError(CascadeError):
    """There is no event, so nothing can be written for it."""


@dataclass(frozen=True, slots=True)
class RowState:
    """A row of ``lock_rows``.

    Attributes:
        held: by the fence that was given, and not expired.
        finished: by that fence.
        escalated: a decision waits for the teacher.
    """

    held: bool = False
    finished: bool = False
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, sorted out: what is to be written now, and what is not.

    Attributes:
        now: held, and allowed in the mode in force.
        before: written by an earlier try, whose reply was lost.
        lost: no longer ours.
        refused: held, but not allowed.
    """

    now: tuple[Outcome, ...]
    before: tuple[Outcome, ...]
    lost: tuple[Outcome, ...]
    refused: tuple[Refused, ...]

    @property
    def standing(self) -> tuple[Standing, ...]:
        """What the student writes now."""
        return _only(Standing, self.now)

    @property
    def escalating(self) -> tuple[ToEscalate, ...]:
        """What goes to the teacher from now on."""
        return _only(ToEscalate, self.now)

    @property
    def taught(self) -> tuple[TeacherWritten, ...]:
        """What the teacher writes now."""
        return _only(TeacherWritten, self.now)

    @property
    def done(self) -> tuple[Standing | TeacherWritten, ...]:
        """Whose claims end here."""
        return self.standing + self.taught

    @property
    def mopping_up(self) -> list[TeacherWritten]:
        """What replaces a student's write."""
        return [each for each in self.taught if each.mops_up]

    @property
    def taught_before(self) -> tuple[TeacherWritten, ...]:
        """What the teacher wrote in an earlier try, perhaps without its audits."""
        return _only(TeacherWritten, self.before)

    @property
    def writes(self) -> list[GraphWrite]:
        """What is added to the graph, mopping up apart.

        Raises:
            UnwritableError: there is no event.
        """
        return [graph_write(each) for each in self.done if isinstance(each, Standing) or not each.mops_up]

    @property
    def student_answers(self) -> list[JudgedAnswer]:
        """What the student said where that decides what becomes of the event."""
        answers = (each.answer for each in self.now if not isinstance(each, TeacherWritten))
        return [answer for answer in answers if answer is not None]


def sort_out(outcomes: Sequence[Outcome], rows: Mapping[str, RowState], mode: Mode, why: str) -> Batch:
    """Sort a batch out.

    Args:
        outcomes: of distinct claims.
        rows: queue id to what the row is by now; one that is gone is absent.
        mode: in force.
        why: students may not do more, in one sentence.
    """
    states = [(each, rows.get(each.claim.queue_id, RowState())) for each in outcomes]
    held = [each for each, state in states if state.held]
    passed = [(each, _was_written(each, state)) for each, state in states if not state.held]
    return Batch(
        now=tuple(each for each in held if NEEDED[type(each)] <= mode),
        before=tuple(each for each, written in passed if written),
        lost=tuple(each for each, written in passed if not written),
        refused=tuple(Refused(each, why) for each in held if NEEDED[type(each)] > mode),
    )


def _was_written(outcome: Outcome, state: RowState) -> bool:
    return state.escalated if isinstance(outcome, ToEscalate) else state.finished


def graph_write(outcome: Standing | TeacherWritten) -> GraphWrite:
    """What becomes of the graph for one event.

    Raises:
        UnwritableError: there is no event.
    """
    if outcome.claim.event is None:
        raise UnwritableError(outcome.claim.problem or "there is no event")
    return GraphWrite(outcome.claim.event, outcome.extraction)


def tables_of(outcome: Outcome) -> frozenset[str]:
    """The sections of which an outcome has anything to write; what is mopped up writes by statements of its own."""
    if isinstance(outcome, ToEscalate):
        return frozenset()
    said = frozenset(section for section in SECTIONS if outcome.extraction.get(section))
    return said | {MOP_UP} if isinstance(outcome, TeacherWritten) and outcome.mops_up else said


def _only(kind: type[T], outcomes: Iterable[Outcome]) -> tuple[T, ...]:
    return tuple(each for each in outcomes if isinstance(each, kind))
