"""What a run would ask and cost, without asking anything."""

from __future__ import annotations

from dataclasses import dataclass, field

from cascade_cli.clients import StudentRequest
from cascade_cli.config import STUDENT_CONCURRENCY, Settings
from cascade_cli.replay import Question, Wanted, open_questions
from cascade_cli.token_prices import cost_usd, student_prices
from cascade_cli.workspace import Experience, Workspace

_SHOWN_REQUESTS = 3
_CHARS_PER_TOKEN = 4

Figures = dict[str, object]


@dataclass(slots=True)
class _Seen:
    calls: int = 0
    characters: int = 0
    unaskable: int = 0
    requests: list[dict[str, object]] = field(default_factory=list)


def estimate(wanted: Wanted, request: StudentRequest, settings: Settings) -> Figures:
    """The ``data`` of a dry run; what nothing is known of is None."""
    seen = _Seen()
    for each in open_questions(wanted.folder, wanted.questions, wanted.template):
        if isinstance(each, Question):
            seen.calls += 1
            seen.characters += len(each.prompt)
            if len(seen.requests) < _SHOWN_REQUESTS:
                seen.requests.append(request.body(each.event_id, each.prompt, each.sample_index))
        else:
            seen.unaskable += 1
    with Workspace.open(wanted.folder) as workspace:
        known = workspace.experience(wanted.questions)
    prompt_tokens = -(-seen.characters // _CHARS_PER_TOKEN)
    completion_tokens = _completion_tokens(seen.calls, known)
    dollars = (
        None if completion_tokens is None else cost_usd(prompt_tokens, completion_tokens, student_prices(settings))
    )
    seconds = None if known.student_ms is None else known.student_ms / 1000 * seen.calls / settings[STUDENT_CONCURRENCY]
    return {
        "calls": seen.calls,
        "unaskable": seen.unaskable,
        "prompt_tokens_estimated": prompt_tokens,
        "completion_tokens_estimated": completion_tokens,
        "cost_usd": dollars,
        "seconds_estimated": seconds,
        "requests": seen.requests,
    }


def _completion_tokens(calls: int, known: Experience) -> float | None:
    """By the student's earlier answers, else by the teacher's, which are about as long."""
    if known.completion_tokens is not None:
        return known.completion_tokens * calls
    return None if known.teacher_chars is None else known.teacher_chars / _CHARS_PER_TOKEN * calls
