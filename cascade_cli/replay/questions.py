"""What the student is asked: one event, one prompt, one sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cascade_cli.event_block import event_block
from cascade_cli.workspace import Ahead, OpenEvent, Outcome, Questions, Workspace

NO_PROMPT, PROMPT_TOO_LONG = "no_prompt", "prompt_too_long"


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        event_id: about which event.
        prompt: the event block.
        sample_index: 0 for the answer that counts, 1.. for others.
    """

    event_id: str
    prompt: str
    sample_index: int


def prompt_of(event: OpenEvent, template: str | None) -> str | None:
    """The event block: as the trace holds it, or built from the event.

    Args:
        event: with at least one of both.
        template: builds it for every event; None builds only what no trace holds, or holds empty, from the usual one.

    Returns:
        None where the event is wanted and not at hand.
    """
    if template is None and event.user_prompt and event.user_prompt.strip():
        return event.user_prompt
    if event.event is None or event.event.content is None:
        return None
    return event_block(event.event) if template is None else event_block(event.event, 0, template)


def page_of_questions(
    folder: Path, ahead: Ahead, wanted: Questions, template: str | None
) -> tuple[list[Question | Outcome], Ahead | None]:
    """The next page of what is open, and what comes after it; None where nothing does.

    The workspace is open only while the page is read. What cannot be asked comes as the error that it is.
    """
    with Workspace.open(folder) as workspace:
        page = workspace.page_of_open(ahead, wanted, built=template is not None)
    return [asked for event in page.events for asked in _questions_about(event, wanted, template)], page.ahead


def open_questions(folder: Path, wanted: Questions, template: str | None) -> Iterator[Question | Outcome]:
    """All that is open, one after the other.

    What is answered meanwhile does not come again, for pages go by the order of traces and never back.
    """
    ahead: Ahead | None = Ahead()
    while ahead is not None:
        page, ahead = page_of_questions(folder, ahead, wanted, template)
        yield from page


def _questions_about(event: OpenEvent, wanted: Questions, template: str | None) -> Iterator[Question | Outcome]:
    prompt = prompt_of(event, template)
    for sample in event.samples:
        if prompt is None:
            yield unaskable(event.event_id, sample, wanted, NO_PROMPT, "neither prompt nor event are at hand")
        elif len(prompt) > wanted.most_chars:
            told = f"the prompt is longer than {wanted.most_chars:,} characters"
            yield unaskable(event.event_id, sample, wanted, PROMPT_TOO_LONG, told)
        else:
            yield Question(event.event_id, prompt, sample)


def unaskable(event_id: str, sample_index: int, wanted: Questions, kind: str, detail: str) -> Outcome:
    """The error of a question that is never sent."""
    return Outcome(
        event_id, wanted.student_model, wanted.prompt_shape, sample_index, wanted.run_id, 0, datetime.now(UTC),
        error=kind, detail=detail,
    )  # fmt: skip
