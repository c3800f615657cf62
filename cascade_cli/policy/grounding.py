"""Which e-mail addresses an event itself contains: what a model may say without having made it up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cascade_cli.records import Event
from scorers.strings.emails import find_emails

_ENVELOPE_TEXTS = ("contact_email", "author", "user_id")
_ENVELOPE_LISTS = ("to_emails", "cc_emails")


def known_emails(event: Event | Mapping[str, object]) -> set[str]:
    """The addresses in the content and in the envelope keys that carry addresses, lower case.

    Display names around an address do not matter. Time is linear in the length of the texts.

    Args:
        event: a record, or a mapping with ``content`` and ``attributes``; either may be missing or of another type.
    """
    content, attributes = (
        (event.content, event.attributes)
        if isinstance(event, Event)
        else (event.get("content"), event.get("attributes"))
    )
    envelope = _envelope(attributes) if isinstance(attributes, Mapping) else ()
    return {email for text in (content, *envelope) if isinstance(text, str) for email in find_emails(text)}


def _envelope(attributes: Mapping[str, object]) -> Iterable[object]:
    yield from (attributes.get(key) for key in _ENVELOPE_TEXTS)
    for key in _ENVELOPE_LISTS:
        listed = attributes.get(key)
        yield from listed if isinstance(listed, list | tuple) else (listed,)
