"""The commented ``cascade.toml`` that ``cascade init`` writes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from cascade_cli.config.kinds import COLUMNS
from cascade_cli.config.settings import OPEN_SECTION, SETTINGS, Setting, scoring_fields

Names = Mapping[str, Mapping[str, str]]
_LINE_LENGTH = 100
_OPENING = """\
# Settings of cascade. Every line that starts with "# " and a name shows a default: take the "# " away to change it.
# "" stands for nothing, as for a column that a table does not have. A flag on the command line wins over the
# environment, the environment over this file, this file over the [tool.cascade] table of pyproject.toml. Paths are
# meant from the folder of this file.
"""


def template(names: Names | None = None) -> str:
    """Return a file that changes nothing until a line is uncommented, and explains every setting.

    Args:
        names: of the settings that map columns, what is in force where nothing is written, by the settings' key.
    """
    sections = groupby(SETTINGS, _section_of)
    return _OPENING + "".join(_section(name, list(group), names or {}) for name, group in sections)


def _section_of(setting: Setting[object]) -> str:
    return setting.key.split(".", 1)[0]


def _section(name: str, settings: list[Setting[object]], names: Names) -> str:
    # A table of its own must follow the plain keys, or TOML would count those to it.
    ordered = sorted(settings, key=lambda setting: setting.kind is COLUMNS)
    lines = [line for setting in ordered for line in _entry(setting, names)]
    if name == OPEN_SECTION:
        lines += _scoring_entries()
    return "\n".join(["", f"[{name}]", *lines, ""])


def _entry(setting: Setting[object], names: Names) -> Iterator[str]:
    name = setting.key.split(".", 1)[1]
    yield from _comment(setting.help + (f" Environment: {setting.env}." if setting.env else ""))
    if setting.kind is COLUMNS:
        yield f"# [{setting.key}]"
        yield from (f"# {ours} = {toml_value(theirs)}" for ours, theirs in names.get(setting.key, {}).items())
    elif setting.secret:
        yield f'# {name}_file = "path/of/a/file/that/holds/it"'
    else:
        yield from _assignment(name, setting.default)


def _scoring_entries() -> list[str]:
    plain = {name: value for name, value in scoring_fields().items() if not isinstance(value, Mapping)}
    entries = [line for name, value in plain.items() for line in _assignment(name, value)]
    return [*_comment("How events are scored, as the README of scorers explains:"), *entries]


def _assignment(name: str, value: object) -> list[str]:
    if isinstance(value, frozenset) and len(toml_value(value)) > _LINE_LENGTH:
        return [f"# {name} = [", *(f"#   {toml_value(item)}," for item in sorted(value)), "# ]"]
    return [f"# {name} = {toml_value(value)}"]


def _comment(sentence: str) -> list[str]:
    return [f"## {line}" for line in textwrap.wrap(sentence, _LINE_LENGTH)]


def toml_value(value: object) -> str:
    """Return ``value`` as TOML writes it; an empty text for None, which TOML lacks."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, set | frozenset):
        return toml_value(sorted(value))
    return json.dumps(str(value) if isinstance(value, str | Path) else "", ensure_ascii=False)
