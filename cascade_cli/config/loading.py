"""From flags, environment and files to settled values, each with its origin."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from cascade_cli.config.kinds import NAMES, PATH, Kind
from cascade_cli.config.settings import OPEN_SECTION, SETTINGS, Setting, scoring_fields
from cascade_cli.errors import UsageError
from cascade_cli.redaction import MASK

V = TypeVar("V")

_MAX_FILE_BYTES = 1_000_000
_BY_KEY = {setting.key: setting for setting in SETTINGS}
_SECRET_FILES = {f"{setting.key}_file": setting for setting in SETTINGS if setting.secret}
_SECTIONS = {key.split(".", 1)[0] for key in _BY_KEY}


COMMAND_LINE = "command line"
"""The origin of what a flag says."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One settled value.

    Attributes:
        key: section and name.
        value: as its kind reads it; a secret is here in the clear.
        origin: ``command line``, ``environment NAME``, a file, or ``default``.
        secret: True when ``value`` may not be shown.
    """

    key: str
    value: object
    origin: str
    secret: bool = False

    @property
    def shown(self) -> object:
        """The value as it may be printed or stored."""
        return MASK if self.secret and self.value is not None else self.value


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, settled. ``settings[WORKSPACE_PATH]`` has the type that its declaration says."""

    resolved: Mapping[str, Resolved]

    @staticmethod
    def defaults() -> Settings:
        """What holds where nobody says anything: no flag, no environment, no file."""
        return Settings({resolved.key: resolved for resolved in _defaults()})

    def __getitem__(self, setting: Setting[V]) -> V:
        return cast("V", self.resolved[setting.key].value)

    def with_values(self, values: Mapping[Setting[Any], object], origin: str) -> Settings:
        """The same with some values replaced."""
        replaced = {key.key: Resolved(key.key, value, origin, key.secret) for key, value in values.items()}
        return Settings({**self.resolved, **replaced})

    def origin(self, setting: Setting[V]) -> str:
        """Return where the value came from."""
        return self.resolved[setting.key].origin

    @property
    def scoring(self) -> dict[str, object]:
        """What ``[score]`` says about fields of the scorers' configuration, as TOML gave it."""
        prefix = f"{OPEN_SECTION}."
        return {key.removeprefix(prefix): found.value for key, found in self.resolved.items() if key not in _BY_KEY}

    @property
    def without_secrets(self) -> dict[str, object]:
        """Every key with its value, secrets as ``***``: what a run records."""
        return {key: found.shown for key, found in self.resolved.items()}


def load_settings(
    flags: Mapping[Setting[V], object] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Settle every setting: flag, then environment, ``cascade.toml``, ``[tool.cascade]``, default.

    Args:
        flags: values from the command line; None for one that was not given.
        environment: the process's own unless given.
        folder: where the search for configuration files starts, going up; the working directory unless given.

    Raises:
        UsageError: a value is of the wrong kind, a key is unknown, or a file cannot be read.
    """
    start = folder or Path.cwd()
    found = [
        *_defaults(),
        *_from_pyproject(start),
        *_from_cascade_toml(start),
        *_from_environment(os.environ if environment is None else environment),
        *_from_flags(flags or {}),
    ]
    return Settings({resolved.key: resolved for resolved in found})


def _defaults() -> Iterator[Resolved]:
    for setting in SETTINGS:
        yield Resolved(setting.key, setting.default, "default", setting.secret)


def _from_flags(flags: Mapping[Setting[V], object]) -> Iterator[Resolved]:
    for setting, raw in flags.items():
        if raw is not None:
            value = _read(setting, raw, f"{setting.key} on the command line")
            yield Resolved(setting.key, value, COMMAND_LINE, setting.secret)


def _from_environment(environment: Mapping[str, str]) -> Iterator[Resolved]:
    for setting in SETTINGS:
        if setting.env is None:
            continue
        text = environment.get(setting.env, "")
        # An empty variable is how many a compose file says "not set"; for a list it is the empty list.
        if text or (setting.kind is NAMES and setting.env in environment):
            value = _read(setting, text, f"environment variable {setting.env}")
            yield Resolved(setting.key, value, f"environment {setting.env}", setting.secret)


def _from_cascade_toml(start: Path) -> Iterator[Resolved]:
    for folder in (start, *start.parents):
        file = folder / "cascade.toml"
        if file.exists():
            return _from_tables(_parsed(file), file, str(file))
    return iter(())


def _from_pyproject(start: Path) -> Iterator[Resolved]:
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        tool = _parsed(file).get("tool") if file.is_file() else None
        ours = tool.get("cascade") if isinstance(tool, Mapping) else None
        if isinstance(ours, Mapping):
            return _from_tables(ours, file, f"{file} [tool.cascade]")
    return iter(())


def _parsed(file: Path) -> dict[str, object]:
    try:
        raw = file.read_bytes() if file.stat().st_size <= _MAX_FILE_BYTES else None
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}.") from error
    if raw is None:
        raise UsageError(f"{file} is over 1 MB: that is no configuration.", hint="Move it, or work elsewhere.")
    try:
        # Editors on Windows put a byte order mark first, which TOML does not know.
        return tomllib.loads(raw.decode("utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not text in UTF-8 (byte {error.start + 1}).") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from error
    except RecursionError as error:
        raise UsageError(f"{file} is nested too deeply to be a configuration.") from error


def _from_tables(tables: Mapping[str, object], file: Path, origin: str) -> Iterator[Resolved]:
    for section, content in tables.items():
        if section not in _SECTIONS:
            raise _unknown(f"section [{section}]", section, _SECTIONS, file)
        if not isinstance(content, Mapping):
            raise UsageError(f"{file}: {section} must be a section, as in [{section}].")
        for name, raw in content.items():
            yield _from_key(f"{section}.{name}", raw, file, origin)


def _from_key(key: str, raw: object, file: Path, origin: str) -> Resolved:
    if key in _SECRET_FILES:
        return _from_secret_file(_SECRET_FILES[key], key, raw, file)
    setting = _BY_KEY.get(key)
    if setting is None:
        return _from_open_section(key, raw, file, origin)
    if setting.secret:
        hint = f"Set {setting.env} in the environment, or {key}_file to the path of a file that holds it."
        raise UsageError(f"{file}: {key} is a secret and may not stand in a configuration file.", hint=hint)
    value = _checked(setting.kind, raw, f"{key} in {file}")
    # A path in a file is meant from where the file stands, not from where the command was typed.
    return Resolved(key, file.parent / value if isinstance(value, Path) else value, origin)


def _from_secret_file(setting: Setting[object], key: str, raw: object, file: Path) -> Resolved:
    path = file.parent / _checked(PATH, raw, f"{key} in {file}")
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {key} names {path}, which cannot be read as text.") from error
    return Resolved(setting.key, secret, f"{path} by {key} in {file}", secret=True)


def _from_open_section(key: str, raw: object, file: Path, origin: str) -> Resolved:
    section, name = key.split(".", 1)
    known = {k.split(".", 1)[1] for k in (*_BY_KEY, *_SECRET_FILES) if k.startswith(f"{section}.")}
    if section == OPEN_SECTION:
        known |= scoring_fields().keys()
    if section != OPEN_SECTION or name not in known:
        raise _unknown(f"key {name} in [{section}]", name, known, file)
    return Resolved(key, _with_floats(raw), origin)


def _with_floats(raw: object) -> object:
    # Decimals are for rates that must be exact; scorers count in floats.
    if isinstance(raw, Decimal):
        return float(raw)
    if isinstance(raw, list):
        return [_with_floats(item) for item in raw]
    return {key: _with_floats(item) for key, item in raw.items()} if isinstance(raw, dict) else raw


def _unknown(what: str, name: str, known: Iterable[str], file: Path) -> UsageError:
    alike = get_close_matches(name, sorted(known), n=1)
    hint = f"Did you mean {alike[0]}?" if alike else f"Known here: {', '.join(sorted(known))}."
    return UsageError(f"{file}: unknown {what}.", hint=hint)


def _read(setting: Setting[V], raw: object, where: str) -> V:
    # Text of the command line and the environment; in TOML a text is a text.
    return _checked(setting.kind, setting.kind.from_text(raw) if isinstance(raw, str) else raw, where)


def _checked(kind: Kind[V], raw: object, where: str) -> V:
    try:
        return kind.read(raw)
    except ValueError:
        raise UsageError(f"{where} must be {kind.name}.") from None
