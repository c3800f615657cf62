"""Settings as they are typed one by one: ``teacher_input_usd=0.9``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from cascade_cli.config.settings import SETTINGS, Setting
from cascade_cli.errors import UsageError


def read_assignments(texts: Iterable[str], sections: Sequence[str]) -> dict[Setting[object], object]:
    """The settings that are named, with the texts they are given; the last of equal names counts.

    Args:
        texts: each ``NAME=VALUE``; a name of the first section may stand without it.
        sections: those that may be set this way.

    Raises:
        UsageError: there is no such setting, or no value.
    """
    known = {setting.key: setting for setting in SETTINGS if setting.key.split(".")[0] in sections}
    found: dict[Setting[object], object] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        setting = known.get(name) or known.get(f"{sections[0]}.{name}")
        if setting is None:
            short = [key.removeprefix(f"{sections[0]}.") for key in known]
            near = get_close_matches(name, short, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(short)}."
            raise UsageError(f"Unknown setting {name!r}.", hint=hint)
        if not equals or not value:
            raise UsageError(f"{name} needs a value, as in {name}=0.9, not {text!r}.")
        found[setting] = value
    return found
