"""What the metric compares: the items of one extraction, read once into normalised records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import NamedTuple, TypeVar

from scorers.alignment import Size
from scorers.config import ScoringConfig
from scorers.strings.emails import find_emails
from scorers.strings.text import CACHED_CHARS, fold, skeleton


class MalformedExtraction(ValueError):  # noqa: N818 - names the thing that is malformed
    """A section is not a list, or an item is neither an object nor an accepted string."""


class Entity(NamedTuple):
    """One entity. Two entities are strictly equal when their ``key`` is."""

    key: tuple[str, str]
    """Folded name and type; the type is empty where it is absent."""
    name: str
    aliases: tuple[str, ...]
    emails: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Under which it is compared: its name, and not more than twenty aliases."""
        return (self.name, *self.aliases[:_MOST_ALIASES])

    @property
    def size(self) -> Size:
        """Of its names."""
        return Size(sum(skeleton(name).count(" ") + 1 for name in self.names), sum(map(len, self.names)))


class Fact(NamedTuple):
    """One fact; a component that is absent is the empty string. ``key`` holds everything that strictness compares."""

    key: tuple[str, str, str, str, str]
    """Folded subject, predicate (label form), folded object, category, and the statement where those are absent."""
    statement: str
    emails: tuple[str, ...]

    @property
    def size(self) -> Size:
        """Of components and statement."""
        return Size(1, len(self.statement) + sum(map(len, self.triple)))

    @property
    def is_triple(self) -> bool:
        """Whether it has any of subject, predicate and object."""
        return bool(self.key[0] or self.key[1] or self.key[2])

    @property
    def triple(self) -> tuple[str, ...]:
        """Folded subject, predicate in label form, folded object."""
        return self.key[:3]

    @property
    def category(self) -> str:
        """The folded category."""
        return self.key[3]


class Relationship(NamedTuple):
    """One relationship, an inverse type rewritten to its counterpart with the ends swapped."""

    key: tuple[str, str, str]
    """Folded source, type (label form), folded target; the ends of a symmetric type in a fixed order."""
    triple: tuple[str, ...]
    """The same with the ends in the order in which they were given."""
    symmetric: bool
    rewritten: bool
    emails: tuple[str, ...]

    @property
    def size(self) -> Size:
        """Of ends and type."""
        return Size(1, sum(map(len, self.key)))


class Items(NamedTuple):
    """The three sections of one extraction, in the order in which they were given."""

    entities: list[Entity]
    facts: list[Fact]
    relationships: list[Relationship]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many items each section has."""
        return len(self.entities), len(self.facts), len(self.relationships)


Item = TypeVar("Item")
_MOST_ALIASES = 20
_SEARCHED_ITEMS = 40
"""Above this many a search among the items of the other side costs more than it saves."""
_PLAIN_ENTITY = frozenset({"name", "type", "email"})
_PLAIN_RELATIONSHIP_FIELDS = ("source", "type", "target")
_PLAIN_RELATIONSHIP = frozenset(_PLAIN_RELATIONSHIP_FIELDS)
_FACT_FIELDS = ("subject", "predicate", "object", "statement", "category")
SOURCE_KEYS = ("source", "from", "head", "subject")
TYPE_KEYS = ("type", "predicate", "relation", "label")
TARGET_KEYS = ("target", "to", "tail", "object")
_CAMEL = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")


def read_items(
    extraction: Mapping[str, object],
    config: ScoringConfig,
    like: tuple[Mapping[str, object], Items] | None = None,
) -> Items:
    """Read the sections of an extraction; an absent section is empty, unknown fields are left alone.

    Args:
        extraction: in the shape of the contract.
        config: which relationship types are inverse or symmetric.
        like: another extraction and what was read of it: an item that stands there as well is not read again, for a
            prediction mostly repeats what gold says, to the letter.

    Raises:
        MalformedExtraction: the extraction breaks the schema of the contract.
    """
    known = like or ({}, Items([], [], []))
    return Items(
        _read(extraction, "entities", _entity, known[0], known[1].entities),
        _read(extraction, "facts", _fact, known[0], known[1].facts),
        _read(extraction, "relationships", partial(_relationship, config=config), known[0], known[1].relationships),
    )


def _read(
    extraction: Mapping[str, object],
    name: str,
    read: Callable[[object], Item],
    other: Mapping[str, object],
    known: list[Item],
) -> list[Item]:
    items = section(extraction, name)
    if not 0 < len(known) <= _SEARCHED_ITEMS:
        return [read(item) for item in items]
    try:
        return _reuse(items, read, section(other, name), known)
    except RecursionError:  # unknown fields may be nested deeper than a comparison can follow
        return [read(item) for item in items]


def _reuse(
    items: Sequence[object], read: Callable[[object], Item], others: Sequence[object], known: list[Item]
) -> list[Item]:
    """Read the items that do not stand among the others; what is common to both mostly stands in the same order."""
    found: list[Item] = []
    place, end = 0, len(others)
    for item in items:
        if place == end or others[place] != item:
            if item not in others:
                found.append(read(item))
                continue
            place = others.index(item)
        found.append(known[place])
        place += 1
    return found


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
        if item.get(key) is not None:
            return _field(item, key)
    return ""


def _field(item: Mapping[str, object], name: str) -> str:
    """A field's text. Nearly every one is a text."""
    value = item.get(name, "")
    return value if value.__class__ is str else plain_text(value)


def _fields(item: Mapping[str, object], names: tuple[str, ...]) -> list[str]:
    """The texts of several fields."""
    get = item.get
    return [value if (value := get(name, "")).__class__ is str else plain_text(value) for name in names]


def _entity(item: object) -> Entity:
    if isinstance(item, str):
        return Entity((fold(item), ""), item, (), _emails(item))
    if not isinstance(item, dict):
        raise MalformedExtraction(f"an entity is {type(item).__name__}, neither an object nor a string")
    name, kind, email = _field(item, "name"), _field(item, "type"), item.get("email", "")
    if item.keys() <= _PLAIN_ENTITY and isinstance(email, str) and len(name) + len(email) <= CACHED_CHARS:
        return _plain_entity(name, kind, email)
    aliases = _texts(item.get("aliases"))
    emails = _emails(name, *aliases, *_texts(email), *_texts(item.get("emails")))
    return Entity((fold(name), label_form(kind)), name, aliases, emails)


@lru_cache(maxsize=16_384)
def _plain_entity(name: str, kind: str, email: str) -> Entity:
    """An entity without aliases: the same few hundred recur in a team's own mail."""
    return Entity((fold(name), label_form(kind)), name, (), _emails(name, email))


def _fact(item: object) -> Fact:
    if isinstance(item, str):
        return Fact(("", "", "", "", fold(item)), item, _emails(item))
    if not isinstance(item, dict):
        raise MalformedExtraction(f"a fact is {type(item).__name__}, neither an object nor a string")
    subject, predicate, object_, statement, category = _fields(item, _FACT_FIELDS)
    first, label, last = fold(subject), label_form(predicate), fold(object_)
    key = (first, label, last, fold(category), "" if first or label or last else fold(statement))
    return Fact(key, statement, _emails(subject, predicate, object_, statement))


def _relationship(item: object, config: ScoringConfig) -> Relationship:
    if not isinstance(item, dict):
        raise MalformedExtraction(f"a relationship is {type(item).__name__}, not an object")
    if item.keys() >= _PLAIN_RELATIONSHIP:
        source, kind, target = _fields(item, _PLAIN_RELATIONSHIP_FIELDS)
    else:
        source, kind, target = (first_present(item, keys) for keys in (SOURCE_KEYS, TYPE_KEYS, TARGET_KEYS))
    kind = label_form(kind)
    rewritten = kind in config.inverse_relations
    if rewritten:
        kind, source, target = config.inverse_relations[kind], target, source
    symmetric = kind in config.symmetric_relations
    triple = (fold(source), kind, fold(target))
    key = triple[::-1] if symmetric and triple[0] > triple[2] else triple
    return Relationship(key, triple, symmetric, rewritten, _emails(source, target))


def _texts(value: object) -> tuple[str, ...]:
    """One text or a list of texts; whatever else stands there is not one."""
    if isinstance(value, str):
        return (value,)
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _emails(*texts: str) -> tuple[str, ...]:
    """The addresses in some texts, sorted, so that a record looks the same in every process."""
    if "@" not in "".join(texts):
        return ()
    return tuple(sorted({email for text in texts for email in find_emails(text)}))
