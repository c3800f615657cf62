"""The columns by which scores can be grouped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from cascade_cli.errors import UsageError
from cascade_cli.records import Event, Row
from cascade_cli.scoring.judging import answered
from scorers import KINDS
from scorers.tally import ITEM_COLUMNS

PROMPT_HASH = "system_prompt_hash"
KIND = "kind"
_ATTRIBUTE = "attributes."
_ALIASES = {"prompt_hash": PROMPT_HASH, "hash": PROMPT_HASH}
_CLUSTER_ATTRIBUTES = ("thread_id", "conversation_id", "document_id")
_NO_EVENT = Event("")


def _event(row: Row) -> Event:
    return row.trace.event or _NO_EVENT


_PAIR_COLUMNS: Mapping[str, Callable[[Row], object]] = MappingProxyType(
    {
        PROMPT_HASH: lambda row: row.trace.system_prompt_hash,
        "arena": lambda row: _event(row).arena,
        "llm_model": lambda row: row.trace.llm_model,
        "student_model": lambda row: answered(row).student_model or None,
        "prompt_shape": lambda row: answered(row).prompt_shape,
        "sample_index": lambda row: answered(row).sample_index,
        "source_kind": lambda row: _event(row).source_kind,
        "disclosure_class": lambda row: _event(row).disclosure_class,
        "day": lambda row: row.trace.created_at and row.trace.created_at.date().isoformat(),
    }
)


def resolve_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Check the columns asked for and give them their own names.

    Raises:
        UsageError: a column is unknown, or a property of items is combined with another column.
    """
    columns = tuple(dict.fromkeys(_ALIASES.get(name, name) for name in names))
    for column in columns:
        if column not in {*_PAIR_COLUMNS, *ITEM_COLUMNS, KIND} and not column.startswith(_ATTRIBUTE):
            _refuse(column)
    if len(columns) > 1 and any(column in ITEM_COLUMNS or column == KIND for column in columns):
        raise UsageError(
            "A property of items or differences cannot be combined with another column.",
            hint=f"Give one --by of {', '.join((*ITEM_COLUMNS, KIND))} alone.",
        )
    return columns


def resolve_cluster(name: str | None) -> str | None:
    """Check the column whose equal values are not independent.

    Raises:
        UsageError: it is unknown, or a property of items.
    """
    column = _ALIASES.get(name, name) if name else None
    if column is not None and column not in _PAIR_COLUMNS and not column.startswith(_ATTRIBUTE):
        _refuse(column, [*_PAIR_COLUMNS, f"{_ATTRIBUTE}KEY"])
    return column


def _refuse(column: str, choices: Sequence[str] = (*_PAIR_COLUMNS, *ITEM_COLUMNS, KIND, f"{_ATTRIBUTE}KEY")) -> None:
    near = get_close_matches(column, choices, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(f"Unknown column {column!r}.", hint=f"{meant}Columns: {', '.join(choices)}")


def pair_value(row: Row, column: str) -> str | None:
    """The value of a pair's column as text; None where it is absent."""
    if column.startswith(_ATTRIBUTE):
        value = _event(row).attributes.get(column.removeprefix(_ATTRIBUTE))
    else:
        value = _PAIR_COLUMNS[column](row)
    return None if value is None else str(value)


def cluster_of(row: Row, column: str | None) -> str | None:
    """What a pair shares with others: the value of the column asked for, else its thread, conversation or document."""
    if column is not None:
        return pair_value(row, column)
    attributes = _event(row).attributes
    shared = next((attributes[key] for key in _CLUSTER_ATTRIBUTES if attributes.get(key) is not None), None)
    return None if shared is None else str(shared)


def is_item_column(column: str) -> bool:
    """Whether the column is a property of items, not of pairs."""
    return column in ITEM_COLUMNS


KIND_COLUMNS = tuple(f"kind_{kind}" for kind in KINDS)
