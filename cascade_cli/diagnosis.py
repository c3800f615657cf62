"""What ``cascade doctor`` looks at: each check tells what it found and, where something is wrong, the cure."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Literal

from cascade_cli.config import WORKSPACE_PATH, Settings
from cascade_cli.errors import CascadeError, DependencyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Verdict = Literal["ok", "warn", "fail"]
_DISTRIBUTION = "cascade-cli"
_NAME = re.compile(r"[\w.-]+")
# Modules that are not called as their distribution is.
_MODULES = {"scikit-learn": "sklearn"}
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
    return [*_libraries(), *_guarded("workspace", _workspace, settings)]


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
    for requirement in metadata.requires(_DISTRIBUTION) or []:
        if "extra ==" not in requirement:
            yield _library(requirement)


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
