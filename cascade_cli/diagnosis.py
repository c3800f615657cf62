"""What ``cascade doctor`` looks at: each check tells what it found and, where something is wrong, the cure."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Literal

from cascade_cli.config import POSTGRES_EVENTS, POSTGRES_SCHEMA, POSTGRES_TRACES, POSTGRES_URL, WORKSPACE_PATH
from cascade_cli.errors import CascadeError, DependencyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cascade_cli.config import Settings
    from cascade_cli.postgres.inspection import TableState

Verdict = Literal["ok", "warn", "fail"]
_DISTRIBUTION = "cascade-cli"
_NAME = re.compile(r"[\w.-]+")
# Modules that are not called as their distribution is.
_MODULES = {"scikit-learn": "sklearn", "backports-zstd": "backports.zstd"}
# A workspace of a million traces with long mails is about this large.
_SCARCE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        subject: what was looked at.
        verdict: ``ok``, ``warn`` (works, but mind this) or ``fail``.
        detail: what was found.
        cure: what to do about it; empty where nothing is wrong.
        dependency: True where a failure is that of a library, a database or a disk, and not of the configuration.
    """

    subject: str
    verdict: Verdict
    detail: str
    cure: str = ""
    dependency: bool = False


def diagnose(settings: Settings) -> list[Finding]:
    """Look at everything that the commands depend on; a check that fails does not keep the others from running."""
    return [*_libraries(), *_guarded("workspace", _workspace, settings), *_guarded("PostgreSQL", _postgres, settings)]


def failure_of(findings: list[Finding]) -> CascadeError | None:
    """Return what the findings mean for the exit status; None where nothing fails."""
    failed = [finding for finding in findings if finding.verdict == "fail"]
    if not failed:
        return None
    message = f"{len(failed)} of {len(findings)} checks failed: {', '.join(each.subject for each in failed)}."
    of_dependency = any(finding.dependency for finding in failed)
    return DependencyError(message) if of_dependency else UsageError(message)


def _guarded(subject: str, check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    try:
        yield from check(settings)
    except CascadeError as error:
        dependency = isinstance(error, DependencyError)
        yield Finding(subject, "fail", error.message, error.hint or "", dependency=dependency)


def _libraries() -> Iterator[Finding]:
    try:
        requirements = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "libraries", "warn", "cascade runs without being installed", "pip install it to have them checked."
        )
        return
    for requirement in requirements:
        plain, _, marker = requirement.partition(";")
        # A marker that did not hold here left its library out; one that held made pip bring it.
        if "extra ==" not in marker and (not marker or _is_installed(plain)):
            yield _library(plain.strip())


def _is_installed(requirement: str) -> bool:
    found = _NAME.match(requirement)
    return found is not None and any(True for _ in metadata.Distribution.discover(name=found[0]))


def _library(requirement: str) -> Finding:
    found = _NAME.match(requirement)
    name = found[0] if found else requirement
    try:
        version = metadata.version(name)
        import_module(_MODULES.get(name, name))
    except (metadata.PackageNotFoundError, ImportError) as error:
        cure = f"pip install '{requirement}'"
        return Finding(name, "fail", f"cannot be imported: {type(error).__name__}", cure, dependency=True)
    return Finding(name, "ok", version)


def _workspace(settings: Settings) -> Iterator[Finding]:
    from cascade_cli.workspace import Workspace

    path = settings[WORKSPACE_PATH]
    yield _free_space(path)
    if not Workspace.exists(path):
        yield Finding("workspace", "warn", f"{path} does not exist yet", "cascade pull makes it.")
        return
    with Workspace.open(path) as workspace:
        counts = workspace.counts()
    held = f"{counts.traces:,} traces, {counts.student_answers:,} student answers, {counts.runs:,} runs"
    yield Finding("workspace", "ok", f"{path}: {held}")


def _free_space(path: Path) -> Finding:
    nearest = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    detail = f"{free / 1024**3:,.1f} GB free at {nearest}"
    if free < _SCARCE_BYTES:
        return Finding("disk", "warn", detail, "Make room, or put the workspace elsewhere with --workspace.")
    return Finding("disk", "ok", detail)


def _postgres(settings: Settings) -> Iterator[Finding]:
    url = settings[POSTGRES_URL]
    if url is None:
        return
    from cascade_cli.postgres import ColumnMapping
    from cascade_cli.postgres.inspection import inspect_server

    mapping = ColumnMapping.of(settings[POSTGRES_SCHEMA], settings[POSTGRES_TRACES], settings[POSTGRES_EVENTS])
    server = inspect_server(url, mapping)
    yield Finding("PostgreSQL", "ok", f"version {server.version}, as {server.user}")
    yield from map(_required_table, server.required)
    yield from map(_optional_table, server.optional)


def _required_table(table: TableState) -> Finding:
    if not table.rows:
        return Finding(f"table {table.name}", "warn", "has no rows", "Nothing can be pulled from it yet.")
    return Finding(f"table {table.name}", "ok", f"{table.counted} rows, readable")


def _optional_table(table: TableState) -> Finding:
    if table.rows is not None:
        return Finding(f"table {table.name}", "ok", f"{table.counted} rows, readable")
    if table.present:
        cure = f"Ask for GRANT SELECT ON {table.name} to pull it too."
        return Finding(f"table {table.name}", "warn", "may not be read", cure)
    return Finding(f"table {table.name}", "ok", "not there; only a live worker writes it")
