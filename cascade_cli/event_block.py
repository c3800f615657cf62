"""The event block: the text that a model is given about one event."""

from __future__ import annotations

import re
from hashlib import sha256

from cascade_cli.records import Event

DEFAULT_TEMPLATE = "[{index}] {source_kind} in {arena}, {emitted_at}\n{envelope}\n{content}"
"""The index is 0 for the student and the position in the batch for the teacher."""
SHAPE = "event_block"
"""The name of the usual shape; answers to another template are other answers."""
_PLACE = re.compile(r"\{(index|id|arena|source_kind|emitted_at|envelope|content)\}")
PLACES = ("index", "id", "arena", "source_kind", "emitted_at", "envelope", "content")
# What of the attributes a model is told: who wrote to whom about what.
_ENVELOPE = ("subject", "author", "to_emails", "cc_emails", "contact_email", "user_id")


def event_block(event: Event, index: int = 0, template: str = DEFAULT_TEMPLATE) -> str:
    """Fill a template with an event; braces in the event's own text mean nothing.

    Args:
        event: whose block it is.
        index: its place among the events of one call.
        template: with places in braces, each of :data:`PLACES`; others stay as they are.
    """
    values = {
        "index": str(index),
        "id": event.id,
        "arena": event.arena or "unknown",
        "source_kind": event.source_kind or "event",
        "emitted_at": "undated" if event.emitted_at is None else event.emitted_at.isoformat().replace("+00:00", "Z"),
        "envelope": "\n".join(_envelope(event)),
        "content": event.content or "",
    }
    return _PLACE.sub(lambda place: values[place[1]], template)


def shape_of(template: str) -> str:
    """The name of a template's shape: part of the key of every answer to it."""
    if template == DEFAULT_TEMPLATE:
        return SHAPE
    return f"template-{sha256(template.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _envelope(event: Event) -> list[str]:
    """One line for each attribute that is there, lists parted by commas."""
    there = {name: event.attributes[name] for name in _ENVELOPE if event.attributes.get(name)}
    return [
        f"{name}: {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for name, value in there.items()
    ]
