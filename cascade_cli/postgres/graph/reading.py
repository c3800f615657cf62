"""One event's extraction as rows for the graph tables. Pure: whatever a model said, rows or nothing, never an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from cascade_cli.extraction import SECTIONS
from cascade_cli.postgres.cleansing import cleansed
from cascade_cli.records import Event
from scorers.items import SOURCE_KEYS, TARGET_KEYS, TYPE_KEYS, MalformedExtraction, first_present, plain_text
from scorers.strings.emails import find_emails
from scorers.strings.text import fold

Value = str | None | tuple[str, ...]
Row = Mapping[str, Value]
"""Our names of the columns to their values: None where absent; moments are ISO texts in UTC, to the microsecond."""

_COMMON: Final = ("arena", "participant_set", "disclosure_class")
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "entities": (*_COMMON, "type", "name", "aliases", "email"),
    "facts": (*_COMMON, "category", "statement", "subject", "predicate", "object", "source", "effective_until"),
    "relationships": (*_COMMON, "source", "type", "target"),
}
"""What a row of each section has, besides its provenance."""
_JUDGED_CHARS: Final = 512


@dataclass(frozen=True, slots=True)
class GraphWrite:
    """What one event is to become.

    Attributes:
        event: whose arena, participants, class, source and deadline the rows get.
        extraction: in the shape of the contract, in any accepted spelling.
    """

    event: Event
    extraction: Mapping[str, object]

    @property
    def event_id(self) -> str:
        """The id as it stands in ``provenance_event_ids``."""
        return cleansed(self.event.id)


@dataclass(frozen=True, slots=True)
class GraphRows:
    """What was read.

    Attributes:
        rows: section to its rows, in the order in which they were said; two may have the same key.
        left_out: how many items have no name, no statement or not both ends, or no readable shape.
    """

    rows: Mapping[str, tuple[Row, ...]]
    left_out: int


def read_rows(write: GraphWrite) -> GraphRows:
    """Read what a model said about one event.

    Texts are cleansed of what PostgreSQL cannot hold, and white space in them is levelled. A fact without a statement
    is stated by its subject, predicate and object. Deadlines come from ``attributes.due_at`` alone; one that cannot be
    read is none.
    """
    common = _common(write.event)
    readers: Mapping[str, Callable[[object], Row | None]] = {
        "entities": partial(_entity, common),
        "facts": partial(_fact, common | _of_facts(write.event)),
        "relationships": partial(_relationship, common),
    }
    read = {
        section: [_read(readers[section], item) for item in _items(write.extraction.get(section))]
        for section in SECTIONS
    }
    rows = {section: tuple(row for row in found if row is not None) for section, found in read.items()}
    return GraphRows(rows, sum(map(len, read.values())) - sum(map(len, rows.values())))


def _items(section: object) -> Iterable[object]:
    """The items of a section; one that is no list counts as one item that cannot be read."""
    if section is None:
        return ()
    return section if isinstance(section, list | tuple) else (None,)


def _read(reader: Callable[[object], Row | None], item: object) -> Row | None:
    try:
        return reader(item)
    except MalformedExtraction:
        return None


def _common(event: Event) -> dict[str, Value]:
    arena = cleansed(event.arena or "")
    participants = tuple(map(cleansed, event.participant_set)) or ((arena,) if arena else ())
    return {"arena": arena, "participant_set": participants, "disclosure_class": cleansed(event.disclosure_class)}


def _of_facts(event: Event) -> dict[str, Value]:
    return {
        "source": _words(event.attributes.get("source")) or _words(event.source_kind),
        "effective_until": _moment(event.attributes.get("due_at")),
    }


def _entity(common: Mapping[str, Value], item: object) -> Row | None:
    fields: Mapping[str, object] = {"name": item} if isinstance(item, str) else _object(item)
    name = _field(fields, "name")
    if name is None:
        return None
    given = [alias for text in _texts(fields.get("aliases")) if (alias := _words(text))]
    texts = (*_texts(fields.get("email")), *_texts(fields.get("emails")), *given, name)
    emails = [email for text in texts if "@" in text for email in sorted(find_emails(cleansed(text)))]
    aliases = tuple(dict.fromkeys(alias for alias in (*given, *emails[1:]) if alias != name))
    email = emails[0] if emails else None
    return {**common, "type": _field(fields, "type") or "", "name": name, "aliases": aliases, "email": email}


def _fact(common: Mapping[str, Value], item: object) -> Row | None:
    fields: Mapping[str, object] = {"statement": item} if isinstance(item, str) else _object(item)
    triple = {name: _field(fields, name) for name in ("subject", "predicate", "object")}
    statement = _field(fields, "statement") or " ".join(word for word in triple.values() if word)
    if not statement:
        return None
    return {**common, "category": _field(fields, "category") or "", "statement": statement, **triple}


def _relationship(common: Mapping[str, Value], item: object) -> Row | None:
    fields = _object(item)
    source, kind, target = (_words(first_present(fields, keys)) for keys in (SOURCE_KEYS, TYPE_KEYS, TARGET_KEYS))
    if source is None or target is None:
        return None
    return {**common, "source": source, "type": kind or "", "target": target}


def _object(item: object) -> Mapping[str, object]:
    # What JSON gives comes first: asking an abstract type takes ten times as long.
    if not isinstance(item, (dict, Mapping)):
        raise MalformedExtraction(f"an item is {type(item).__name__}, not an object")
    return item


def _field(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if isinstance(value, str):
        return _words(value)
    # An empty list or object says nothing, though its JSON can be seen.
    return _words(plain_text(value)) if value or not isinstance(value, list | dict) else None


def _words(value: object) -> str | None:
    """A text with single spaces; None where nothing of it can be seen, or it is no text."""
    if not isinstance(value, str):
        return None
    text = " ".join(value.split())
    if text.isascii() and "\0" not in text:
        return text or None
    text = cleansed(text)
    # The normal form costs more than reading does; a name whose first hundreds of characters are invisible is none.
    return text if fold(text[:_JUDGED_CHARS]) else None


def _texts(value: object) -> Sequence[str]:
    if isinstance(value, str):
        return (value,)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else ()


def _moment(value: object) -> str | None:
    """An ISO date or time as a text in UTC, one without a zone taken as UTC; None where it is none."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            return None
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return aware.isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return None
