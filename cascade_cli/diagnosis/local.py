"""What is on this machine: libraries, the workspace, the disk."""

from __future__ import annotations

import re
import shutil
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from cascade_cli.config import WORKSPACE_PATH
from cascade_cli.diagnosis.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cascade_cli.config import Settings

_DISTRIBUTION = "cascade-cli"
_NAME = re.compile(r"[\w.-]+")
# Modules that are not called as their distribution is.
_MODULES = {"scikit-learn": "sklearn", "backports-zstd": "backports.zstd"}
# A workspace of a million traces with long mails is about this large.
_SCARCE_BYTES = 2 * 1024**3


def libraries() -> Iterator[Finding]:
    """Whatever the installed distribution asks for."""
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


def workspace(settings: Settings) -> Iterator[Finding]:
    """Whether it can be opened, and whether there is room for more."""
    from cascade_cli.workspace import Workspace

    path = settings[WORKSPACE_PATH]
    yield _free_space(path)
    if not Workspace.exists(path):
        yield Finding("workspace", "warn", f"{path} does not exist yet", "cascade pull makes it.")
        return
    with Workspace.open(path) as opened:
        counts = opened.counts()
    held = f"{counts.traces:,} traces, {counts.student_answers:,} student answers, {counts.runs:,} runs"
    yield Finding("workspace", "ok", f"{path}: {held}")


def _free_space(path: Path) -> Finding:
    nearest = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    detail = f"{free / 1024**3:,.1f} GB free at {nearest}"
    if free < _SCARCE_BYTES:
        return Finding("disk", "warn", detail, "Make room, or put the workspace elsewhere with --workspace.")
    return Finding("disk", "ok", detail)
