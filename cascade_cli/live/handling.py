"""One event from its claim to its end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.event_loop import in_background
from cascade_cli.live.agreeing import Agreements
from cascade_cli.live.breakers import Breaker, RecordBreaker
from cascade_cli.live.ceilings import Ceiling
from cascade_cli.live.ending import Charge, Ended, Ending, Fate, Release
from cascade_cli.live.holding import Held
from cascade_cli.live.judging import VIP_ARENA, Judged
from cascade_cli.live.logs import EventLog
from cascade_cli.live.measures import Measures
from cascade_cli.live.modes import InForce
from cascade_cli.live.rules import Rules
from cascade_cli.live.studying import Latecomers, StudentDesk, Unasked
from cascade_cli.live.switching import Switchboard
from cascade_cli.live.teaching import GivenUpError, Lesson, NotTaughtError, TeacherAwayError, TeacherDesk
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.queue import Claimed
from cascade_cli.postgres.writing import JudgedAnswer, Standing, TeacherWritten, ToEscalate
from cascade_cli.records import Event, StudentAnswer, Trace

STUDENT_OUTAGE: Final = "student_outage"
NEVER_STUDENT: Final = "never_student"
OUTAGE: Final = "outage"
SHUTDOWN: Final = "shutdown"
FAILED: Final = "failed"
UNWRITTEN: Final = "unwritten"
_CEILING_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Teacher:
    """What a teacher's trace says of it.

    Attributes:
        model: its name.
        prompt_hash: of its instructions.
        new_id: gives a text that was never given before; None where no traces are recorded.
    """

    model: str
    prompt_hash: str
    new_id: Callable[[], str] | None

    def trace(self, event_id: str, lesson: Lesson) -> Trace:
        """One answer as it is recorded, or without an id."""
        trace_id = "" if self.new_id is None else self.new_id()
        return Trace(
            event_id, lesson.raw, trace_id, self.prompt_hash, self.model, lesson.block, round(lesson.llm_ms, 3)
        )


_Beside = Callable[[], Awaitable[JudgedAnswer | None]]
"""What the student has said by then."""


@dataclass(frozen=True, slots=True)
class Handling:
    """Takes claimed events to their ends.

    Attributes:
        rules: of the worker.
        switch: what is in force.
        held: the claims in hand.
        student: None where none is configured.
        teacher: the desk of the teacher.
        author: what its traces say.
        end: ends a claim.
        ceiling: of escalations.
        breakers: told of each answer while the student writes.
        records: told of each write of the student that leaves no record.
        trip: takes the flip away, with the reason.
        wait: so many seconds; true where the worker is to stop at once.
        agreements: told of what the teacher writes; None where nobody shows them.
        look_up: what the student has said already, by event id, of claims that were given back; blocks.
        log: told of each end.
        measures: counts.
        latecomers: waits in shadow for what the student says after the teacher.
        ends: how often each word of the log occurred.
        unanswered: events that the teacher wrote in shadow without the student's answer, by why.
    """

    rules: Rules
    switch: Switchboard
    held: Held
    student: StudentDesk | None
    teacher: TeacherDesk
    author: Teacher
    end: Ending
    ceiling: Ceiling
    breakers: tuple[Breaker, ...]
    trip: Callable[[str], Awaitable[None]]
    wait: Callable[[float], Awaitable[bool]]
    agreements: Agreements | None
    look_up: Callable[[Sequence[Claimed]], Mapping[str, StudentAnswer]]
    log: EventLog
    measures: Measures
    latecomers: Latecomers
    ends: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    records: RecordBreaker = field(default_factory=RecordBreaker)
    _recalled: dict[str, StudentAnswer] = field(default_factory=dict)

    async def recall(self, claims: Sequence[Claimed]) -> None:
        """Find what the student said of claims before the teacher went away, so that it is asked once."""
        # It can be asked again.
        with suppress(DependencyError, UsageError):
            self._recalled.update(await in_background(lambda: self.look_up(claims)))

    async def first(self, claim: Claimed) -> None:
        """An event of the student's lane, which everything comes through first."""
        said = self._recalled.pop(claim.event_id, None)
        if (event := claim.event) is None:
            await self._charge(claim, claim.problem or "there is no event")
            return
        force = await self.switch.now()
        self._see_to_breakers(force)
        if self.student is None or not force.asks_student:
            await self._teach(claim, event)
        elif (past := self._past(event, self.student)) is not None:
            await self._past_student(claim, event, past, force)
        elif said is not None:
            await self._recalled_answer(claim, event, self.student.judge.again(event, said), force)
        elif force.mode is Mode.FLIP:
            await self._ask(claim, event, self.student)
        else:
            await self._in_shadow(claim, event, self.student)

    async def from_teacher_lane(self, claim: Claimed) -> None:
        """An event of which it was decided that the teacher does it; the student is never asked again."""
        if claim.event is None:
            await self._charge(claim, claim.problem or "there is no event")
        else:
            await self._teach(claim, claim.event)

    async def without_student(self, claim: Claimed) -> None:
        """An event that has waited long enough for a student that is away."""
        await self._escalate(claim, ToEscalate(claim, STUDENT_OUTAGE))

    async def give_back(self, claim: Claimed, reason: str, answer: JudgedAnswer | None = None) -> None:
        """Give a claim back uncharged, with what the student said meanwhile."""
        ended = await self.end(Release(claim, None if reason == SHUTDOWN else reason, _kept(answer)))
        self.measures.released(reason)
        self._told(claim, ended.word, reason=reason)

    def _past(self, event: Event, student: StudentDesk) -> str | None:
        if self.rules.goes_past_student(event):
            return NEVER_STUDENT
        return VIP_ARENA if student.judge.needs_no_answer(event) else None

    async def _recalled_answer(self, claim: Claimed, event: Event, judged: Judged, force: InForce) -> None:
        if force.mode is Mode.FLIP:
            await self._judged(claim, event, judged)
        else:
            await self._teach(claim, event, judged.answer)

    async def _past_student(self, claim: Claimed, event: Event, reason: str, force: InForce) -> None:
        if force.mode is Mode.FLIP:
            await self._escalate(claim, ToEscalate(claim, reason))
        else:
            await self._teach(claim, event)

    async def _ask(self, claim: Claimed, event: Event, student: StudentDesk) -> None:
        judged = await student.judged(event)
        if isinstance(judged, Judged):
            await self._judged(claim, event, judged)
        elif judged is Unasked.OFF:
            await self._teach(claim, event)
        else:
            await self.give_back(claim, judged.value)

    async def _in_shadow(self, claim: Claimed, event: Event, student: StudentDesk) -> None:
        """Ask both at once; the teacher's answer ends the event, whatever has become of the student's."""
        asking = asyncio.create_task(student.judged(event))
        try:
            if (lesson := await self._lesson(claim, event, lambda: self._beside(asking))) is None:
                return
            said = await self.latecomers.said(asking)
            if isinstance(said, Judged):
                await self._taught(claim, lesson, said.answer)
                return
            if said is Unasked.LATE:
                self.measures.called("student", said.value)
            await self._taught(claim, lesson, None, unasked=said)
        finally:
            asking.cancel()

    async def _beside(self, asking: asyncio.Task[Judged | Unasked]) -> JudgedAnswer | None:
        """What the student said, for an event that the teacher does not end."""
        said = await self.latecomers.said(asking)
        return said.answer if isinstance(said, Judged) else None

    async def _judged(self, claim: Claimed, event: Event, judged: Judged) -> None:
        if judged.tells:
            await self._watch_quality(judged)
        if judged.decision.reason is not None:
            await self._escalate(claim, ToEscalate(claim, judged.decision.reason, judged.answer))
            return
        assert judged.extraction is not None  # noqa: S101 - a gate fires where there is none
        ended = await self.end(Standing(claim, judged.extraction, judged.answer))
        if ended.fate is Fate.REFUSED:
            await self._see_to_records(ended)
            await self._teach(claim, event, judged.answer)
            return
        if ended.fate is Fate.WRITTEN:
            self.measures.wrote("student", "flip")
        student_ms = judged.answer.answer.student_ms
        self._ended(claim, ended, producer="student", extraction=judged.extraction, student_ms=student_ms)

    async def _escalate(self, claim: Claimed, outcome: ToEscalate) -> None:
        while not self.ceiling.take(1):
            if await self.wait(_CEILING_PAUSE_S):
                await self.give_back(claim, SHUTDOWN)
                return
        ended = await self.end(outcome)
        if ended.fate is Fate.REFUSED and claim.event is not None:
            await self._see_to_records(ended)
            await self._teach(claim, claim.event, outcome.answer)
            return
        if ended.fate is Fate.WRITTEN:
            self.measures.escalated(outcome.reason)
        self._ended(claim, ended, "escalated", reason=outcome.reason)

    async def _teach(self, claim: Claimed, event: Event, answer: JudgedAnswer | None = None) -> None:
        async def said() -> JudgedAnswer | None:
            return answer

        if (lesson := await self._lesson(claim, event, said)) is not None:
            await self._taught(claim, lesson, answer)

    async def _lesson(self, claim: Claimed, event: Event, beside: _Beside) -> Lesson | None:
        """What the teacher says; None where it says nothing, and the claim has ended for that.

        Args:
            claim: to be ended where it says nothing.
            event: of the claim.
            beside: what the student has said, which is kept then.
        """
        try:
            return await self.teacher.teach(claim, event)
        except TeacherAwayError:
            await self.give_back(claim, OUTAGE, await beside())
        except GivenUpError:
            await self.give_back(claim, SHUTDOWN, await beside())
        except NotTaughtError as error:
            await self._charge(claim, str(error), await beside())
        return None

    async def _taught(
        self, claim: Claimed, lesson: Lesson, answer: JudgedAnswer | None, unasked: Unasked | None = None
    ) -> None:
        escalation = claim.escalation
        reason = None if escalation is None else escalation.reason
        trace = self.author.trace(claim.event_id, lesson)
        outcome = TeacherWritten(
            claim,
            lesson.extraction,
            None if escalation is None else True,
            reason,
            trace if trace.trace_id else None,
            answer,
        )
        ended = await self.end(outcome)
        if ended.fate is Fate.WRITTEN:
            self.measures.wrote("teacher", ended.mode.name.lower())
            if unasked is not None:
                self.unanswered[unasked.value] += 1
            if self.agreements is not None and ended.mode is not Mode.OFF:
                self.agreements.taught(claim, replace(trace, event=claim.event), answer)
        llm_ms = round(lesson.llm_ms, 1)
        self._ended(
            claim,
            ended,
            producer="teacher",
            reason=reason,
            extraction=lesson.extraction,
            llm_ms=llm_ms,
            student=None if unasked is None else unasked.value,
        )

    async def _charge(self, claim: Claimed, error: str, answer: JudgedAnswer | None = None) -> None:
        ended = await self.end(Charge(claim, error, _kept(answer)))
        self._ended(claim, ended, reason=error.partition(":")[0])

    def _ended(self, claim: Claimed, ended: Ended, written: str = Fate.WRITTEN.value, **more: object) -> None:
        """Count and tell how a claim ended; what could not be written may have been charged, or given back."""
        if ended.failure is not None:
            self.measures.charged(final=ended.failure.final)
        if ended.fate is Fate.RELEASED:
            self.measures.released(UNWRITTEN)
        if ended.fate is not Fate.WRITTEN:
            # Nobody wrote it.
            more.pop("producer", None)
        self._told(claim, written if ended.fate is Fate.WRITTEN else ended.word, **more)

    async def _watch_quality(self, judged: Judged) -> None:
        for breaker in self.breakers:
            breaker.saw(judged.decision.fired)
            if (why := breaker.opens) is not None:
                # Answers that come meanwhile would open it once more.
                breaker.forget()
                await self.trip(why)
                self.measures.breaker(breaker.reason, is_open=True)

    async def _see_to_records(self, ended: Ended) -> None:
        if ended.unrecordable is not None and self.records.opens():
            await self.trip(f"what the student writes cannot be recorded: {ended.unrecordable}")
            self.measures.breaker(self.records.reason, is_open=True)

    def _see_to_breakers(self, force: InForce) -> None:
        """While the student writes none is open; while it does not, none sees anything that could count later."""
        watching: tuple[Breaker | RecordBreaker, ...] = (*self.breakers, self.records)
        for breaker in watching:
            if force.mode is Mode.FLIP:
                self.measures.breaker(breaker.reason, is_open=False)
            else:
                breaker.forget()

    def _told(self, claim: Claimed, end: str, **more: object) -> None:
        self.ends[end if more.get("producer") is None else f"{end}_by_{more['producer']}"] += 1
        if end == Fate.LOST.value:
            self.measures.lost_claims(1)
        self.log(claim, end, **more)  # type: ignore[arg-type]


def _kept(answer: JudgedAnswer | None) -> JudgedAnswer | None:
    """A call that failed said nothing that is worth keeping: it is made again."""
    return answer if answer is not None and answer.answer.response is not None else None


async def guarded(handling: Handling, claim: Claimed, way: Callable[[Claimed], Awaitable[None]]) -> None:
    """Take one claim its way; a mistake of ours counts against the event, so that it stops no worker for ever."""
    try:
        await way(claim)
    except Exception as error:  # noqa: BLE001 - the message may quote the event, its type does not
        await handling.end(Charge(claim, f"internal error: {type(error).__name__}"))
        handling.ends["internal_error"] += 1
        handling.log(claim, "internal_error", reason=type(error).__name__)
    finally:
        handling.held.drop([claim])
