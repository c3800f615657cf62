"""What stays of a page's figures when texts, names and values are left out: kinds, counts, rates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cascade_cli.config import POLICY_HIGH_VALUE_CATEGORIES, POLICY_SALT
from cascade_cli.redaction import MASK
from cascade_cli.report.cutting import Cut
from cascade_cli.report.disagreements import Disagreement, Field, ItemPair
from cascade_cli.report.figures import Data, Figures
from cascade_cli.report.repeating import CLUSTER_BY, Command

_KNOWN_FIELDS = frozenset(
    {
        "", "type", "name", "aliases", "email", "emails", "category", "statement", "subject", "predicate", "object",
        "source", "target", "from", "to", "head", "tail", "relation", "label",
    }
)  # fmt: skip
"""Names of fields; any other is the model's own word."""
_SHOWN_SETTINGS = ("student.model", "teacher.model", "student.trained_prompt_hashes")
"""Settings whose words stay as they were chosen; of the others defaults and numbers do."""
_CHOSEN_WORDS = ("vip_arenas", "high_value_categories", "salt")
"""What of a policy somebody wrote; the fingerprint still tells two policies apart."""
_PLAIN = re.compile(r"True|False|-?\d+(\.\d+)?")
_DIGITS = 12


def redacted(figures: Figures) -> Figures:
    """The figures without what was written by people or models.

    An event is called by the beginning of the SHA-256 of its id, for an id may be an address.
    """
    return replace(
        figures,
        simulation=_without_words(figures.simulation),
        monitor=_without_words(_without_ids(figures.monitor)),
        worst=tuple(_without_values(each) for each in figures.worst),
        provenance=replace(
            figures.provenance,
            source=MASK,
            settings={
                key: (value if _is_shown(key, value, where) else MASK, _origin(where))
                for key, (value, where) in figures.provenance.settings.items()
            },
            commands=tuple(map(_masked_command, figures.provenance.commands)),
            runs=(),
        ),
        warnings=(f"{len(figures.warnings):,} warnings, which may name things, are left out.",)
        if figures.warnings
        else (),
    )


def hidden_id(event_id: str) -> str:
    """What an event is called where its id must not be shown."""
    return hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def _is_shown(key: str, value: str | None, where: str) -> bool:
    if key.endswith(("path", "_file", "salt")):
        return False
    return value is None or where == "default" or key in _SHOWN_SETTINGS or _PLAIN.fullmatch(value) is not None


def _origin(where: str) -> str:
    """Where a setting came from, without the name of a file."""
    return where if where.startswith(("default", "environment", "command line")) else "a file"


def _without_words(value: Any) -> Any:  # noqa: ANN401 - JSON of any depth
    """The same JSON; what somebody wrote of its policies is masked, the words of the defaults stay."""
    if isinstance(value, Mapping):
        return {
            key: _masked_words(each) if key in _CHOSEN_WORDS else _without_words(each) for key, each in value.items()
        }
    return [_without_words(each) for each in value] if isinstance(value, list) else value


def _masked_words(value: object) -> object:
    if isinstance(value, list):
        return [each if each in POLICY_HIGH_VALUE_CATEGORIES.default else MASK for each in value]
    return value if value == POLICY_SALT.default else MASK


def _masked_command(command: Command) -> Command:
    return replace(
        command,
        environment=tuple((name, MASK) for name, _ in command.environment),
        flags=tuple((flag, MASK if flag == CLUSTER_BY else value) for flag, value in command.flags),
    )


def _without_ids(monitor: Data) -> dict[str, Any]:
    hashes = [
        {key: _hidden_alarm(value) if key.endswith("_alarm") else value for key, value in each.items()}
        for each in monitor["hashes"]
    ]
    return {**monitor, "hashes": hashes}


def _hidden_alarm(alarm: Data | None) -> Data | None:
    if alarm is None or alarm["event_id"] is None:
        return alarm
    return {**alarm, "event_id": hidden_id(alarm["event_id"])}


def _without_values(event: Disagreement) -> Disagreement:
    return replace(
        event, event_id=hidden_id(event.event_id), arena=None, text=None, pairs=tuple(map(_without_fields, event.pairs))
    )


def _without_fields(pair: ItemPair) -> ItemPair:
    return replace(pair, fields=tuple(_masked(each) for each in pair.fields if each.name in _KNOWN_FIELDS))


def _masked(field: Field) -> Field:
    return replace(
        field, gold=None if field.gold is None else Cut(MASK), predicted=None if field.predicted is None else Cut(MASK)
    )
