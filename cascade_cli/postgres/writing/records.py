"""How the work on one event ends, and what became of a batch of such ends. Frozen; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cascade_cli.policy import Decision
from cascade_cli.postgres.control import Mode
from cascade_cli.postgres.graph import Touched
from cascade_cli.postgres.queue import Claimed, Failure
from cascade_cli.postgres.superseding import Superseded
from cascade_cli.records import StudentAnswer, Trace

MOP_UP: Final = "mop_up"
"""The reason of an escalation that was ordered after the student had written."""


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """What the student said, and what the gates made of it.

    Attributes:
        answer: the student's text with its key.
        parsed: whether an extraction could be read from it.
        decision: with the rate in force; None where no gate was asked.
    """

    answer: StudentAnswer
    parsed: bool
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The student's extraction becomes the graph's."""

    claim: Claimed
    extraction: Mapping[str, object]
    answer: JudgedAnswer


@dataclass(frozen=True, slots=True)
class ToEscalate:
    """The event waits for the teacher from now on, uncharged.

    Attributes:
        claim: whose decision it is.
        reason: the first gate that fired, or ``student_outage``.
        answer: None where the student was not asked.
    """

    claim: Claimed
    reason: str
    answer: JudgedAnswer | None = None


@dataclass(frozen=True, slots=True)
class TeacherWritten:
    """The teacher's extraction becomes the graph's.

    Attributes:
        claim: whose it is.
        extraction: the teacher's.
        escalated: True where gates sent the event, None where every event goes to the teacher.
        reason: the first gate that fired; None where none was asked.
        trace: the teacher's own text, with an id that was never given before; None where none is recorded.
        answer: what the student said beside it, in shadow; None where it was not asked.
    """

    claim: Claimed
    extraction: Mapping[str, object]
    escalated: bool | None = None
    reason: str | None = None
    trace: Trace | None = None
    answer: JudgedAnswer | None = None

    @property
    def mops_up(self) -> bool:
        """Whether it replaces what the student wrote, as was ordered; its ledger row says so whatever else is given."""
        return self.claim.escalation is not None and self.claim.escalation.reason == MOP_UP


Outcome = Standing | ToEscalate | TeacherWritten


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, as it stands in the ledger; the same for every event of a worker.

    Attributes:
        student_model: the student's name.
        llm_model: the teacher's name.
        system_prompt_hash: the teacher prompt in force; None when unknown.
        policy_fingerprint: of the policy by which the worker decides.
        worker_version: compared with the oldest that is admitted.
    """

    student_model: str
    llm_model: str
    system_prompt_hash: str | None
    policy_fingerprint: str
    worker_version: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An outcome of the student's that may not be written; the claim is still held, and the teacher is to do it.

    Attributes:
        outcome: as it was given.
        why: one sentence.
    """

    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Charged:
    """An outcome that can never be written, and was charged to its event.

    Attributes:
        outcome: as it was given.
        error: what the server said.
        failure: what that led to; None where the claim was no longer ours.
    """

    outcome: Outcome
    error: str
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Spared:
    """An outcome that could not be written, for which nobody can be blamed; the claim is still held.

    Attributes:
        outcome: as it was given, to be written again.
        code: the SQLSTATE, or what stands for it; None where only a passing error kept it from its end.
        error: what the server said.
    """

    outcome: Outcome
    code: str | None
    error: str


@dataclass(frozen=True, slots=True)
class LostAudit:
    """A record beside a write that stands: it could not be made, and is missing.

    Attributes:
        event_id: whose.
        record: ``ledger``, ``trace`` or ``answer``.
        error: what the server said.
    """

    event_id: str
    record: str
    error: str


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of a batch; every outcome is in exactly one of the first five.

    Attributes:
        written: committed, now or by an earlier try whose reply was lost.
        lost: the claim is somebody else's by now, or nobody's; nothing was written.
        refused: still held.
        charged: failed for a reason that lies in the event.
        spared: not written, still held, and nobody's fault as far as is known.
        mode: the lowest that was in force while the batch was written.
        touched: what the student's writes did to the graph.
        superseded: what mopping up did, with its receipts.
        lost_audits: records that are missing.
        unrecordable: why what the student did cannot be recorded, so that it may not write; None where it can.
    """

    written: tuple[Outcome, ...] = ()
    lost: tuple[Outcome, ...] = ()
    refused: tuple[Refused, ...] = ()
    charged: tuple[Charged, ...] = ()
    spared: tuple[Spared, ...] = ()
    mode: Mode = Mode.FLIP
    touched: tuple[Touched, ...] = ()
    superseded: tuple[Superseded, ...] = ()
    lost_audits: tuple[LostAudit, ...] = ()
    unrecordable: str | None = None

    def __add__(self, other: WriteReport) -> WriteReport:
        """Return the report of both parts of a batch."""
        return WriteReport(
            self.written + other.written,
            self.lost + other.lost,
            self.refused + other.refused,
            self.charged + other.charged,
            self.spared + other.spared,
            min(self.mode, other.mode),
            self.touched + other.touched,
            self.superseded + other.superseded,
            self.lost_audits + other.lost_audits,
            self.unrecordable or other.unrecordable,
        )
