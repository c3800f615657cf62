"""Other libraries that compare structured outputs, behind one interface.

Each is used the way its own documentation recommends for objects with lists of objects. They are the extra ``bench``;
one that is not installed is left out, with the reason in :func:`missing_peers`.
"""

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Extraction = Mapping[str, object]
Score = Callable[[Extraction, Extraction], float]


@dataclass(frozen=True, slots=True)
class Peer:
    """Another metric.

    Attributes:
        name: of the peer, with the variant where there are several.
        distribution: the package it comes from, as the registry calls it.
        usage: how it is called, in words.
        score: (gold, predicted) -> similarity in [0, 1].
    """

    name: str
    distribution: str
    usage: str
    score: Score

    @property
    def version(self) -> str:
        """The installed version."""
        return importlib.metadata.version(self.distribution)


def stickler_default() -> Peer:
    """A model with lists of models, matched by the Hungarian algorithm, every field as it comes (Levenshtein, 0.5)."""
    from stickler import ComparableField

    model = _stickler_model(lambda _: ComparableField())
    return Peer(
        "stickler", "stickler-eval", "`StructuredModel` with lists of models, fields by default", _stickler(model)
    )


def stickler_rapidfuzz() -> Peer:
    """The same with its rapidfuzz comparator and the thresholds of its guide: codes 1.0, names 0.8, free text 0.6."""
    from stickler import ComparableField, ExactComparator, FuzzyComparator

    def field(name: str) -> object:
        if name in {"type", "category", "email"}:
            return ComparableField(comparator=ExactComparator(), threshold=1.0)
        return ComparableField(comparator=FuzzyComparator(), threshold=0.6 if name == "statement" else 0.8)

    usage = "the same, `FuzzyComparator` (rapidfuzz) and `ExactComparator`, thresholds of its guide"
    return Peer("stickler-rapidfuzz", "stickler-eval", usage, _stickler(_stickler_model(field)))


def _stickler_model(field: Callable[[str], object]) -> type:
    """The shape of an extraction as a stickler model; ``field`` gives the comparison of a field by its name."""
    from pydantic import Field
    from stickler import StructuredModel

    class Entity(StructuredModel):
        name: str | None = field("name")
        type: str | None = field("type")
        email: str | None = field("email")
        aliases: list[str] | None = field("aliases")

    class Fact(StructuredModel):
        category: str | None = field("category")
        statement: str | None = field("statement")
        subject: str | None = field("subject")
        predicate: str | None = field("predicate")
        object: str | None = field("object")

    class Relationship(StructuredModel):
        source: str | None = field("source")
        type: str | None = field("type")
        target: str | None = field("target")

    class Extracted(StructuredModel):
        entities: list[Entity] = Field(default_factory=list)
        facts: list[Fact] = Field(default_factory=list)
        relationships: list[Relationship] = Field(default_factory=list)

    return Extracted


def _stickler(model: type) -> Score:
    return lambda gold, predicted: model(**gold).compare_with(model(**predicted))["overall_score"]


def deepdiff() -> Peer:
    """The deep distance of two trees whose lists have no order, as its documentation measures similarity."""
    from deepdiff import DeepDiff

    def score(gold: Extraction, predicted: Extraction) -> float:
        found = DeepDiff(gold, predicted, ignore_order=True, get_deep_distance=True)
        return 1.0 - found.get("deep_distance", 0.0)

    return Peer("deepdiff", "deepdiff", "`1 - DeepDiff(ignore_order=True, get_deep_distance=True)`", score)


def anls_star() -> Peer:
    """ANLS* of the two trees (Peer et al., 2024)."""
    from anls_star import anls_score

    return Peer("anls-star", "anls-star", "`anls_score` of the two trees", anls_score)


def json_diff() -> Peer:
    """JSONDiff with its default string scorer, Levenshtein; lists are compared by position."""
    from autoevals import JSONDiff

    diff = JSONDiff()
    usage = "`JSONDiff()`, strings by Levenshtein"
    return Peer("JSONDiff", "autoevals", usage, lambda gold, predicted: diff(output=predicted, expected=gold).score)


def exact_rules() -> list[Peer]:
    """Two exact rules that the metric carries along, as peers: a published evaluator's and the proxy it replaces."""
    from scorers.exact import legacy_entity_f1, official_exact

    triples = "F1 of exact triples, the rule of the Text2KGBench evaluator"
    return [
        Peer("exact triples", "cascade-cli", triples, lambda gold, predicted: official_exact(gold, predicted).f1),
        Peer("exact names", "cascade-cli", "F1 of exact entity names", legacy_entity_f1),
    ]


_ALL = (stickler_default, stickler_rapidfuzz, deepdiff, anls_star, json_diff)


def installed_peers() -> list[Peer]:
    """Every peer that can be imported here."""
    return [peer for peer, _ in map(_load, _ALL) if peer]


def missing_peers() -> dict[str, str]:
    """Name of each peer that cannot be imported here -> why."""
    return {load.__name__: reason for load in _ALL for peer, reason in [_load(load)] if not peer}


def _load(load: Callable[[], Peer]) -> tuple[Peer | None, str]:
    try:
        return load(), ""
    except ImportError as error:
        return None, f"{error}; install the extra bench"
