"""Student and teacher: whether they answer, and whether they know the model. Neither is asked about any event."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cascade_cli.config import STUDENT_ENDPOINT, TEACHER_ENDPOINT
from cascade_cli.diagnosis.findings import Finding, failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascade_cli.clients import Endpoint, Limits
    from cascade_cli.config import Settings


def student(settings: Settings) -> Iterator[Finding]:
    """How to name one where none is configured."""
    from cascade_cli.clients import EndpointDown
    from cascade_cli.endpoints import endpoint_of, limits_of, read_shape

    if settings[STUDENT_ENDPOINT] is None:
        yield Finding("student", "ok", "none is configured", "Set STUDENT_ENDPOINT to ask one.")
        return
    read_shape(settings)
    endpoint = endpoint_of(settings)
    try:
        yield _answering("student", endpoint, limits_of(settings))
    except EndpointDown as error:
        yield failed("student", error)


def teacher(settings: Settings) -> Iterator[Finding]:
    """Its instructions and itself; nothing where none is configured."""
    from cascade_cli.clients import EndpointDown, KeyRefused
    from cascade_cli.endpoints import read_system_prompt, teacher_endpoint_of, teacher_limits_of

    if settings[TEACHER_ENDPOINT] is None:
        return
    endpoint = teacher_endpoint_of(settings)
    yield Finding("teacher prompt", "ok", f"its hash is {read_system_prompt(settings).hash[:12]}")
    try:
        yield _answering("teacher", endpoint, teacher_limits_of(settings))
    except KeyRefused as error:
        yield failed("teacher", error)
    except EndpointDown as error:
        cure = "A fleet at zero replicas does not answer either. Else start it, or mend LLM_ENDPOINT."
        yield Finding("teacher", "warn", error.message, cure)


def _answering(subject: str, endpoint: Endpoint, limits: Limits) -> Finding:
    models = asyncio.run(_models(endpoint, limits))
    if models and endpoint.model not in models:
        detail = f"{endpoint.shown} answers, and lists no model {endpoint.model}"
        return Finding(subject, "warn", detail, f"It lists: {', '.join(sorted(models)[:10])}.")
    return Finding(subject, "ok", f"{endpoint.shown} answers")


async def _models(endpoint: Endpoint, limits: Limits) -> list[str]:
    from cascade_cli.clients import Caller, Pace

    async with Caller.open(endpoint, limits, Pace(1)) as caller:
        return await caller.check()
