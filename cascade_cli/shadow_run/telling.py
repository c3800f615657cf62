"""What came of a shadow run: figures for programs, tables for people, the exit status, the command that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from cascade_cli.clients import EndpointDown, key_refused
from cascade_cli.console import Column, Result, Table, shown
from cascade_cli.errors import CascadeError, DependencyError, Interrupted, Terminated, TooManyItemErrors
from cascade_cli.event_loop import Stop
from cascade_cli.replay import ENDPOINT_GONE
from cascade_cli.shadow_run.asked import other_command
from cascade_cli.shadow_run.replaying import Plan, Replayed, listed
from cascade_cli.token_prices import cost_usd, student_prices
from cascade_cli.workspace import Failure, Totals

Figures = dict[str, object]
_LONGEST_ID, _THREE_DIGITS, _FOUR_DIGITS = 16, 10, 1000
NOTHING_OPEN = "Nothing was open: every event has an answer of this student already, or an error."


@dataclass(frozen=True, slots=True)
class Told:
    """All that is known in the end.

    Attributes:
        plan: what was to be done.
        stop: why it ended, where it ended early.
        replayed: what this process did.
        totals: what came of the questions of the whole run, its earlier parts included.
        requests: of the whole run, as far as is known: for settled questions, or as the parts counted that ended by
            themselves, whichever is more.
        left: questions that are open still.
        errors: some of those that got no answer.
        pulled: the counts of the pull before; None where nothing was pulled.
        warnings: of the pull.
        resume: the command that goes on.
        retry: the command that asks once more what got no answer.
    """

    plan: Plan
    stop: Stop
    replayed: Replayed
    totals: Totals
    requests: int
    left: int
    errors: tuple[Failure, ...]
    pulled: Mapping[str, object] | None
    warnings: tuple[str, ...]
    resume: str
    retry: str

    @property
    def stopped_by(self) -> str | None:
        """What ended it early: a limit that was reached with the last question did not."""
        is_early = self.left or self.stop.failure is not None or self.plan.asked.follow
        return self.stop.reason if is_early else None

    @property
    def partial(self) -> bool:
        """Whether there is something to go on with."""
        return self.stopped_by is not None or (self.left > 0 and not self.plan.asked.follow)


def tell(told: Told) -> Result:
    """The result of a run."""
    data = _figures(told)
    return Result(
        data,
        (_done_table(data), *_error_tables(told), _next_lines(told)),
        warnings=told.warnings,
        hints=(f"{told.left:,} questions are left; go on with: {told.resume}",) if _is_hinted(told) else (),
        run_id=told.plan.wanted.questions.run_id,
        partial=told.partial,
        failure=_failure(told),
    )


def status_of(told: Told) -> str:
    """How the run is recorded: ``finished``, ``partial`` where it can go on, ``failed`` where it could not."""
    if isinstance(told.stop.failure, EndpointDown):
        return "failed"
    return "partial" if told.partial else "finished"


_ESTIMATES = {
    "calls": "calls",
    "unaskable": "questions that cannot be asked",
    "prompt_tokens_estimated": "prompt tokens, about",
    "completion_tokens_estimated": "answer tokens, about",
    "cost_usd": "dollars, about",
    "seconds_estimated": "seconds, about",
}


def tell_estimate(data: Figures, pulled: Mapping[str, object] | None, warnings: tuple[str, ...]) -> Result:
    """The result of a dry run."""
    records = [{"what": name, "amount": data[name]} for name in _ESTIMATES]
    columns = (
        Column("what", "", lambda name: _ESTIMATES[str(name)]),
        Column("amount", "", _number, align="right"),
    )
    note = "Nothing was asked. --json shows the first three requests as they would be sent."
    if not data["requests"] and not data["unaskable"]:
        warnings = (*warnings, NOTHING_OPEN)
    return Result(data | {"pulled": pulled}, (Table(columns, records, "What would be asked"), note), warnings=warnings)


def _figures(told: Told) -> Figures:
    plan, replayed, questions = told.plan, told.replayed, told.plan.wanted.questions
    tally, prices = replayed.tally, student_prices(told.plan.settings)
    return {
        "run_id": questions.run_id,
        "student_model": questions.student_model,
        "prompt_shape": questions.prompt_shape,
        "samples": questions.samples,
        "pulled": told.pulled,
        "pulled_meanwhile": replayed.pulled,
        "open_before": plan.open_before,
        "answered": tally.answered,
        "errors": dict(sorted(tally.failed.items())),
        "requests": replayed.requests,
        "refusals": replayed.refusals,
        "prompt_tokens": tally.prompt_tokens,
        "completion_tokens": tally.completion_tokens,
        "cost_usd": cost_usd(tally.prompt_tokens, tally.completion_tokens, prices),
        "seconds": replayed.seconds,
        "answers_per_s": tally.answered / replayed.seconds if tally.answered else None,
        "left": told.left,
        "stopped_by": told.stopped_by,
        "whole_run": {
            "answered": told.totals.answered,
            "errors": dict(told.totals.failed),
            "requests": told.requests,
            "prompt_tokens": told.totals.prompt_tokens,
            "completion_tokens": told.totals.completion_tokens,
            "cost_usd": cost_usd(told.totals.prompt_tokens, told.totals.completion_tokens, prices),
        },
        "first_errors": [asdict(error) for error in told.errors],
    }


def _failure(told: Told) -> CascadeError | None:
    stopped = told.stop.failure
    saved = f"{told.totals.answered:,} answers are saved, {told.left:,} questions are left."
    going_on = f"Go on with: {told.resume}"
    if isinstance(stopped, Interrupted | Terminated):
        return type(stopped)(f"{stopped.message.rstrip('.')} after a clean save: {saved}", hint=going_on)
    if isinstance(stopped, EndpointDown):
        return _refused(told, stopped)
    if told.stop.reason == ENDPOINT_GONE:
        gone = f"{told.plan.endpoint.shown} went away: {saved}"
        kind = TooManyItemErrors if _has_too_many(told) else DependencyError
        return kind(gone, hint=f"Once it is back, go on with: {told.resume}")
    if stopped is not None:
        return type(stopped)(f"{stopped.message.rstrip('.')}: {saved}", hint=stopped.hint or going_on)
    return _too_many(told) if _has_too_many(told) else None


def _refused(told: Told, stopped: EndpointDown) -> EndpointDown:
    endpoint, models = told.plan.endpoint, told.replayed.models
    if told.stop.reason == "key_refused":
        return key_refused(endpoint)
    if told.stop.reason != "no_such_model":
        return stopped
    there = f"It has {listed(models)}: choose with --student-model." if models else "See its address and the model."
    return EndpointDown(f"{endpoint.shown} has no model {endpoint.model}, or is no such endpoint.", hint=there)


def _has_too_many(told: Told) -> bool:
    failed = sum(told.totals.failed.values())
    return failed > told.plan.asked.max_error_rate * (failed + told.totals.answered)


def _too_many(told: Told) -> CascadeError:
    failed = sum(told.totals.failed.values())
    going_on = f"; the {told.left:,} questions that are left: {told.resume}" if told.left else ""
    return TooManyItemErrors(
        f"{failed:,} of {failed + told.totals.answered:,} questions got no answer, more than "
        f"{told.plan.asked.max_error_rate:.1%}; {told.left:,} questions are left.",
        hint=f"Ask those {failed:,} once more: {told.retry}{going_on}",
    )


def _is_hinted(told: Told) -> bool:
    """Whether going on is told as a hint: where the process fails, the failure tells it."""
    return told.partial and told.left > 0 and _failure(told) is None


def _done_table(data: Figures) -> Table:
    part, whole = data, data["whole_run"]
    assert isinstance(whole, dict)  # noqa: S101 - made above
    records = [
        {"what": name, "now": _amount(part.get(name)), "whole_run": _amount(whole.get(name))} for name in _LABELS
    ]
    columns = (
        Column("what", "", lambda name: _LABELS[str(name)]),
        Column("now", "now", _number, align="right"),
        Column("whole_run", "whole run", _number, align="right"),
    )
    return Table(columns, records, f"What {data['student_model']} was asked")


_LABELS = {
    "answered": "answers",
    "errors": "questions without an answer",
    "requests": "requests",
    "refusals": "… refused for want of room",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "answer tokens",
    "cost_usd": "dollars",
    "seconds": "seconds of asking",
    "answers_per_s": "answers a second",
    "left": "questions left",
}


def _amount(value: object) -> object:
    return sum(value.values()) if isinstance(value, Mapping) else value


def _number(value: object) -> str:
    """A count with its commas, a measure with three digits at least."""
    if isinstance(value, float):
        if abs(value) >= _FOUR_DIGITS:
            return f"{value:,.0f}"
        return f"{value:,.2f}" if abs(value) >= _THREE_DIGITS else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else shown(value)


def _error_tables(told: Told) -> tuple[Table, ...]:
    if not told.totals.failed:
        return ()
    examples = {error.kind: error for error in reversed(told.errors)}
    records = [
        {
            "kind": kind,
            "questions": count,
            "detail": getattr(examples.get(kind), "detail", None),
            "event_id": getattr(examples.get(kind), "event_id", None),
        }
        for kind, count in sorted(told.totals.failed.items())
    ]
    columns = (
        Column("kind", "error"),
        Column("questions", "questions", _number, align="right"),
        Column("detail", "for example"),
        Column("event_id", "of event", _short),
    )
    return (Table(columns, records, "Questions without an answer (whole run)"),)


def _next_lines(told: Told) -> str:
    settings = told.plan.settings
    steps = [(told.resume, "the questions that are left")] if told.left else []
    if told.totals.failed:
        steps.append((told.retry, "the errors once more"))
    steps += [
        (other_command(settings, "score", "--by-prompt-hash"), "how far the student agrees"),
        (other_command(settings, "simulate"), "what the policy would escalate"),
    ]
    return "\n".join(["What next", *(f"  {typed}\n      {what}" for typed, what in steps[:2])])


def _short(value: object) -> str:
    text = shown(value)
    return text if len(text) <= _LONGEST_ID else f"{text[: _LONGEST_ID - 1]}…"
