"""What the metric compares: the items of one extraction, read once into normalised records."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from scorers.config import ScoringConfig
from scorers.emails import find_emails
from scorers.text import fold, skeleton


class MalformedExtraction(ValueError):  # noqa: N818 - names the thing that is malformed
    """A section is not a list, or an item is neither an object nor an accepted string."""


class Entity(NamedTuple):
    """One entity. Two entities are strictly equal when their ``key`` is."""

    key: tuple[str, str]
    """Folded name and type; the type is empty where it is absent."""
    name: str
    aliases: tuple[str, ...]
    emails: tuple[str, ...]


class Fact(NamedTuple):
    """One fact; a component that is absent is the empty string. ``key`` holds everything that strictness compares."""

    key: tuple[str, str, str, str, str]
    """Folded subject, predicate (label form), folded object, category, and the statement where those are absent."""
    subject: str
    predicate: str
    object: str
    category: str
    statement: str
    emails: tuple[str, ...]

    @property
    def is_triple(self) -> bool:
        """Whether it has any of subject, predicate and object."""
        return bool(self.key[0] or self.key[1] or self.key[2])

    @property
    def triple(self) -> tuple[str, str, str]:
        """Subject, predicate in label form, object."""
        return self.subject, self.key[1], self.object


class Relationship(NamedTuple):
    """One relationship, an inverse type rewritten to its counterpart with the ends swapped."""

    key: tuple[str, str, str]
    """Folded source, type (label form), folded target; the ends of a symmetric type in a fixed order."""
    source: str
    type: str
    target: str
    symmetric: bool
    rewritten: bool
    emails: tuple[str, ...]


class Items(NamedTuple):
    """The three sections of one extraction, in the order in which they were given."""

    entities: list[Entity]
    facts: list[Fact]
    relationships: list[Relationship]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many items each section has."""
        return len(self.entities), len(self.facts), len(self.relationships)


_SOURCE_KEYS = ("source", "from", "head", "subject")
_TYPE_KEYS = ("type", "predicate", "relation", "label")
_TARGET_KEYS = ("target", "to", "tail", "object")
_CAMEL = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")


def read_items(extraction: Mapping[str, object], config: ScoringConfig) -> Items:
    """Read the sections of an extraction; an absent section is empty, unknown fields are left alone.

    Raises:
        MalformedExtraction: the extraction breaks the schema of the contract.
    """
    return Items(
        [_entity(item) for item in section(extraction, "entities")],
        [_fact(item) for item in section(extraction, "facts")],
        [_relationship(item, config) for item in section(extraction, "relationships")],
    )


def section(extraction: Mapping[str, object], name: str) -> Sequence[object]:
    """The items of one section as they were given; an absent section is empty.

    Raises:
        MalformedExtraction: it is not a list.
    """
    items = extraction.get(name, [])
    if not isinstance(items, list | tuple):
        raise MalformedExtraction(f"{name} is {type(items).__name__}, not a list")
    return items


@lru_cache(maxsize=16_384)
def label_form(text: str) -> str:
    """A predicate or a type as words: ``worksAt``, ``works_at`` and ``Works at`` are one."""
    return skeleton(_CAMEL.sub(" ", text) if not text.islower() else text)


def plain_text(value: object) -> str:
    """A field's text; absent is empty, a number is its digits, anything else its JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError, TypeError) as error:
        raise MalformedExtraction("a field holds a value that cannot be written as JSON") from error


def first_present(item: Mapping[str, object], keys: tuple[str, ...]) -> str:
    """The text of the first of the accepted spellings of a field that is there."""
    for key in keys:
        if key in item:
            return plain_text(item[key])
    return ""


def _entity(item: object) -> Entity:
    if isinstance(item, str):
        return Entity((fold(item), ""), item, (), _emails(item))
    if not isinstance(item, dict):
        raise MalformedExtraction(f"an entity is {type(item).__name__}, neither an object nor a string")
    name = plain_text(item.get("name"))
    aliases = _texts(item["aliases"]) if "aliases" in item else ()
    emails = _emails(name, *aliases, *_texts(item.get("email")), *_texts(item.get("emails")))
    return Entity((fold(name), label_form(plain_text(item.get("type")))), name, aliases, emails)


def _fact(item: object) -> Fact:
    if isinstance(item, str):
        return Fact(("", "", "", "", fold(item)), "", "", "", "", item, _emails(item))
    if not isinstance(item, dict):
        raise MalformedExtraction(f"a fact is {type(item).__name__}, neither an object nor a string")
    get = item.get
    subject, predicate, object_ = (
        plain_text(get("subject")),
        plain_text(get("predicate")),
        plain_text(get("object")),
    )
    statement, category = plain_text(get("statement")), fold(plain_text(get("category")))
    spoken = bool(subject or predicate or object_)
    key = (fold(subject), label_form(predicate), fold(object_), category, "" if spoken else fold(statement))
    return Fact(key, subject, predicate, object_, category, statement, _emails(subject, predicate, object_, statement))


def _relationship(item: object, config: ScoringConfig) -> Relationship:
    if not isinstance(item, dict):
        raise MalformedExtraction(f"a relationship is {type(item).__name__}, not an object")
    source, target = first_present(item, _SOURCE_KEYS), first_present(item, _TARGET_KEYS)
    kind = label_form(first_present(item, _TYPE_KEYS))
    rewritten = kind in config.inverse_relations
    if rewritten:
        kind, source, target = config.inverse_relations[kind], target, source
    symmetric = kind in config.symmetric_relations
    ends = fold(source), fold(target)
    first, last = sorted(ends) if symmetric else ends
    return Relationship((first, kind, last), source, kind, target, symmetric, rewritten, _emails(source, target))


def _texts(value: object) -> tuple[str, ...]:
    """One text or a list of texts; whatever else stands there is not one."""
    if isinstance(value, str):
        return (value,)
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _emails(*texts: str) -> tuple[str, ...]:
    """The addresses in some texts, sorted, so that a record looks the same in every process."""
    found: set[str] = set()
    for text in texts:
        if "@" in text:
            found |= find_emails(text)
    return tuple(sorted(found)) if found else ()
