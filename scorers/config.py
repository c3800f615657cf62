"""Every weight, threshold and list of the metric, in one frozen record with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from types import MappingProxyType

from scorers.strings.names import ENTITY_THRESHOLD
from scorers.strings.text import fold, skeleton

RULES_VERSION = 4
"""Raised whenever the same inputs may score differently, or more is counted of them; part of every fingerprint."""

SECTIONS = ("entities", "facts", "relationships")
KINDS = (
    "missing", "spurious", "duplicate", "wrong_type", "wrong_email", "hallucinated_email", "number_mismatch",
    "date_mismatch", "negation_mismatch", "wrong_direction", "wrong_predicate", "wrong_object", "wrong_subject",
    "wrong_category", "name_variant", "invalid_json",
)  # fmt: skip
"""Every kind of difference."""

_SYMMETRIC = frozenset(
    {
        "knows", "colleague of", "works with", "collaborates with", "partner of", "partners with", "married to",
        "spouse", "spouse of", "sibling", "sibling of", "friend of", "related to", "same as", "competitor of",
        "competes with", "adjacent to", "met with", "meets with",
    }
)  # fmt: skip

# Written (inverse, kept): "A inverse B" is read as "B kept A".
_INVERSE = {
        "employs": "works at", "employer of": "works at", "managed by": "manages", "reports to": "manages",
        "supervised by": "supervises", "owned by": "owns", "parent of": "child of", "has part": "part of",
        "contains": "part of", "has member": "member of", "supplied by": "supplier of", "has customer": "customer of",
        "attended by": "attends", "has attendee": "attends", "created by": "creator of", "acquired by": "acquired",
        "subsidiary of": "has subsidiary", "founded by": "founder of",
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoringConfig:
    """How two extractions are compared. All similarities, thresholds and weights are in [0, 1].

    Attributes:
        entity_threshold: least name similarity of one entity under two spellings.
        end_threshold: least similarity of a fact's subject or object, or of a relationship's end.
        predicate_threshold: least similarity of two predicates or relationship types.
        statement_threshold: least similarity of two statements, where subject, predicate and object are missing.
        wrong_type_factor: what is left of the similarity of an entity whose type differs.
        fuzzy: False accepts only what is equal after normalisation.
        weights: of entities, facts and relationships in the agreement of an event.
        agreement_threshold: least agreement at which an event agrees.
        high_value_categories: fact categories whose every unmatched fact is critical.
        critical: kinds of difference that forbid agreement, as ``kind`` or ``section.kind``.
        symmetric_relations: relationship types whose direction does not count, in label form.
        inverse_relations: relationship types that are rewritten, ends swapped, to another; both in label form.
        max_fuzzy_pairs: above this many candidate pairs in a section of one event only equal items are matched,
            so that a hostile answer costs no more than an honest one; a pair of long texts, or of entities of many
            names, counts as several.
        official_exact: also apply the rule of :mod:`scorers.exact`.
    """

    entity_threshold: float = ENTITY_THRESHOLD
    end_threshold: float = ENTITY_THRESHOLD
    predicate_threshold: float = 0.75
    statement_threshold: float = 0.8
    wrong_type_factor: float = 0.5
    fuzzy: bool = True
    weights: tuple[float, float, float] = (0.4, 0.4, 0.2)
    agreement_threshold: float = 0.8
    high_value_categories: frozenset[str] = frozenset({"decision", "commitment"})
    critical: frozenset[str] = frozenset(
        {
            "hallucinated_email",
            "wrong_email",
            "facts.number_mismatch",
            "facts.date_mismatch",
            "facts.negation_mismatch",
        }
    )
    symmetric_relations: frozenset[str] = _SYMMETRIC
    inverse_relations: Mapping[str, str] = field(default_factory=lambda: dict(_INVERSE))
    max_fuzzy_pairs: int = 40_000
    official_exact: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be a configuration, naming the field; bring lists of words into their normal form."""
        put = partial(object.__setattr__, self)
        put("high_value_categories", frozenset(map(fold, self.high_value_categories)))
        put("symmetric_relations", frozenset(map(skeleton, self.symmetric_relations)))
        put("inverse_relations", {skeleton(one): skeleton(kept) for one, kept in self.inverse_relations.items()})
        shares = {name: getattr(self, name) for name in _SHARES}
        shares |= {f"weights[{index}]": weight for index, weight in enumerate(self.weights)}
        for name, value in shares.items():
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], not {value!r}")
        if len(self.weights) != len(SECTIONS) or not sum(self.weights):
            raise ValueError("weights must be three numbers that are not all 0: entities, facts, relationships")
        unknown = self.critical - {*KINDS, *(f"{section}.{kind}" for section in SECTIONS for kind in KINDS)}
        if unknown:
            raise ValueError(f"critical names no kind of difference: {', '.join(sorted(unknown))}")
        if self.max_fuzzy_pairs < 0:
            raise ValueError(f"max_fuzzy_pairs must not be negative, not {self.max_fuzzy_pairs!r}")

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name this configuration and the version of the rules."""
        settings = {item.name: _plain(getattr(self, item.name)) for item in fields(self)}
        text = json.dumps({"rules": RULES_VERSION, **settings}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


_SHARES = (
    "entity_threshold", "end_threshold", "predicate_threshold", "statement_threshold", "wrong_type_factor",
    "agreement_threshold",
)  # fmt: skip


def _plain(value: object) -> object:
    """The value as JSON can hold it, sets in a fixed order."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value


DEFAULT = ScoringConfig()
_STRICT = replace(DEFAULT, fuzzy=False, inverse_relations={}, symmetric_relations=frozenset())
PRESETS: Mapping[str, ScoringConfig] = MappingProxyType(
    {"default": DEFAULT, "strict": _STRICT, "exact": replace(_STRICT, official_exact=True)}
)
"""``default``: the structured, fuzzy diff. ``strict``: only equal items match. ``exact``: strict, and the rule of
the Text2KGBench evaluator beside it."""
