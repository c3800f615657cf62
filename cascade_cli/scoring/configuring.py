"""A preset and the ``[score]`` section of the configuration -> one configuration of the metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from cascade_cli.errors import UsageError
from scorers import PRESETS, ScoringConfig


def scoring_config(
    preset: str, overrides: Mapping[str, object], high_value_categories: tuple[str, ...]
) -> ScoringConfig:
    """The metric that a command uses.

    Args:
        preset: ``default``, ``strict`` or ``exact``.
        overrides: fields of :class:`scorers.ScoringConfig` as TOML gives them; known names only.
        high_value_categories: the policy's, unless ``overrides`` names others.

    Raises:
        UsageError: the preset is unknown, or a value is of the wrong type or out of range.
    """
    if preset not in PRESETS:
        near = get_close_matches(preset, PRESETS, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"Unknown preset {preset!r}.", hint=f"{meant}Presets: {', '.join(PRESETS)}.")
    base = replace(PRESETS[preset], high_value_categories=frozenset(high_value_categories))
    # Any: the fields have several types, and _like() has just given each value that of its field.
    values: dict[str, Any] = {
        name: _like(getattr(base, name), value, f"score.{name}") for name, value in overrides.items()
    }
    try:
        return replace(base, **values)
    except ValueError as error:
        raise UsageError(f"[score]: {error}.", hint="cascade init shows every setting with its range.") from error


def _like(default: object, value: object, where: str) -> object:
    """The value of TOML as the type that the default has."""
    wrong = UsageError(f"{where} must be {_NAMES[type(default)]}, not {type(value).__name__}.")
    if isinstance(default, bool) or isinstance(value, bool):
        if isinstance(default, bool) and isinstance(value, bool):
            return value
        raise wrong
    if isinstance(default, float) and isinstance(value, int | float | Decimal):
        return float(value)
    if isinstance(default, int) and isinstance(value, int):
        return value
    if isinstance(default, frozenset) and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return frozenset(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(_like(0.0, each, where) for each in value)
    if isinstance(default, Mapping) and isinstance(value, Mapping):
        return {str(key): str(each) for key, each in value.items()}
    raise wrong


class _Named(dict[type, str]):
    """What a type of default is called; a mapping of any class is a table."""

    def __missing__(self, key: type) -> str:
        return "a table of texts"


_NAMES = _Named(
    {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        frozenset: "a list of texts",
        tuple: "a list of numbers",
    }
)
