"""Student and teacher of the configuration: where they are, how they are asked, what they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cascade_cli.clients import Endpoint, Limits, StudentRequest
from cascade_cli.config import (
    STUDENT_API_KEY,
    STUDENT_DEADLINE_S,
    STUDENT_ENDPOINT,
    STUDENT_LOGPROBS,
    STUDENT_MAX_ANSWER_BYTES,
    STUDENT_MAX_TOKENS,
    STUDENT_MODEL,
    STUDENT_TEMPERATURE,
    STUDENT_TEMPLATE_FILE,
    STUDENT_TIMEOUT_S,
    STUDENT_TRIES,
    TEACHER_API_KEY,
    TEACHER_DEADLINE_S,
    TEACHER_ENDPOINT,
    TEACHER_MODEL,
    TEACHER_SYSTEM_PROMPT_FILE,
    TEACHER_TIMEOUT_S,
    TEACHER_TRIES,
    Settings,
)
from cascade_cli.errors import UsageError, why_unread
from cascade_cli.event_block import SHAPE, shape_of

_MOST_TEMPLATE_BYTES = 1_000_000
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How an event is shown: the template, None for the traces' own blocks, and the name that keys the answers."""

    template: str | None
    name: str


def read_shape(settings: Settings) -> Shape:
    """The shape of the configuration.

    Raises:
        UsageError: the template cannot be read, or has no place for the event's text.
    """
    file = settings[STUDENT_TEMPLATE_FILE]
    if file is None:
        return Shape(None, SHAPE)
    template = _read(file, STUDENT_TEMPLATE_FILE.key)
    if "{content}" not in template:
        raise UsageError(f"{file} has no place for the event's text.", hint="Write {content} where it belongs.")
    return Shape(template, shape_of(template))


def endpoint_of(settings: Settings) -> Endpoint:
    """Where the student is.

    Raises:
        UsageError: nobody says, or it is no address.
    """
    url = settings[STUDENT_ENDPOINT]
    if url is None:
        raise UsageError("There is no student to ask.", hint="Give its address: STUDENT_ENDPOINT=http://host:port/v1.")
    return Endpoint(url, settings[STUDENT_MODEL], settings[STUDENT_API_KEY])


def request_of(settings: Settings, temperature: float | None = None) -> StudentRequest:
    """What each request holds; the temperature of a resumed run is that of its beginning."""
    warmth = settings[STUDENT_TEMPERATURE] if temperature is None else temperature
    return StudentRequest(settings[STUDENT_MODEL], settings[STUDENT_MAX_TOKENS], warmth, settings[STUDENT_LOGPROBS])


def limits_of(settings: Settings) -> Limits:
    """How long a call may take and how large its answer may be."""
    return Limits(
        timeout_s=settings[STUDENT_TIMEOUT_S],
        connect_s=min(_CONNECT_S, settings[STUDENT_TIMEOUT_S]),
        deadline_s=settings[STUDENT_DEADLINE_S],
        tries=settings[STUDENT_TRIES],
        answer_bytes=settings[STUDENT_MAX_ANSWER_BYTES],
    )


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """The teacher's instructions.

    Attributes:
        text: as the file has it.
        hash: hexadecimal digits of its SHA-256, all 64.
    """

    text: str
    hash: str


def teacher_endpoint_of(settings: Settings) -> Endpoint:
    """Where the teacher is.

    Raises:
        UsageError: nobody says where or who it is, or the address is none.
    """
    url, model = settings[TEACHER_ENDPOINT], settings[TEACHER_MODEL]
    if url is None:
        raise UsageError("There is no teacher to ask.", hint="Give its address: LLM_ENDPOINT=http://host:port/v1.")
    if model is None:
        raise UsageError("The teacher has no name.", hint="Give the model that is to be asked for: LLM_MODEL=name.")
    return Endpoint(url, model, settings[TEACHER_API_KEY])


def teacher_limits_of(settings: Settings) -> Limits:
    """How long a teacher's call may take."""
    return Limits(
        timeout_s=settings[TEACHER_TIMEOUT_S],
        connect_s=min(_CONNECT_S, settings[TEACHER_TIMEOUT_S]),
        deadline_s=settings[TEACHER_DEADLINE_S],
        tries=settings[TEACHER_TRIES],
    )


def read_system_prompt(settings: Settings) -> SystemPrompt:
    """The teacher's instructions, as the file has them now.

    Raises:
        UsageError: no file is named, or it cannot be read.
    """
    file = settings[TEACHER_SYSTEM_PROMPT_FILE]
    if file is None:
        raise UsageError(
            "The teacher has no instructions.", hint="Name the file with them: TEACHER_SYSTEM_PROMPT_FILE=prompt.txt."
        )
    text = _read(file, TEACHER_SYSTEM_PROMPT_FILE.key)
    return SystemPrompt(text, sha256(text.encode()).hexdigest())


def _read(file: Path, setting: str) -> str:
    try:
        if file.stat().st_size > _MOST_TEMPLATE_BYTES:
            raise UsageError(f"{file} is over 1 MB: that is no template.")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}, named by {setting}, cannot be read: {why_unread(error)}.") from error
