"""Calls to OpenAI-compatible endpoints: the student's, one event each, and the teacher's, several at once."""

from cascade_cli.clients.answers import Reply, align_events
from cascade_cli.clients.calling import Caller, Limits, key_refused
from cascade_cli.clients.endpoint import Endpoint
from cascade_cli.clients.failures import GIVEN_UP, CallFailed, EndpointDown, KeyRefused
from cascade_cli.clients.pacing import Pace
from cascade_cli.clients.student import StudentClient, StudentRequest
from cascade_cli.clients.teacher import TeacherClient

__all__ = [
    "GIVEN_UP",
    "CallFailed",
    "Caller",
    "Endpoint",
    "EndpointDown",
    "KeyRefused",
    "Limits",
    "Pace",
    "Reply",
    "StudentClient",
    "StudentRequest",
    "TeacherClient",
    "align_events",
    "key_refused",
]
