"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cascade_cli.errors import CascadeError, DependencyError, UsageError

if TYPE_CHECKING:
    from cascade_cli.config import Settings

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        subject: what was looked at.
        verdict: ``ok``, ``warn`` (works, but mind this) or ``fail``.
        detail: what was found.
        cure: what to do about it; beside ``ok`` what could be done, empty where there is nothing.
        dependency: True where a failure is that of a library, a database or a disk, and not of the configuration.
    """

    subject: str
    verdict: Verdict
    detail: str
    cure: str = ""
    dependency: bool = False


def failure_of(findings: list[Finding]) -> CascadeError | None:
    """Return what the findings mean for the exit status; None where nothing fails."""
    failed = [finding for finding in findings if finding.verdict == "fail"]
    if not failed:
        return None
    message = f"{len(failed)} of {len(findings)} checks failed: {', '.join(each.subject for each in failed)}."
    of_dependency = any(finding.dependency for finding in failed)
    return DependencyError(message) if of_dependency else UsageError(message)


def advice(findings: list[Finding]) -> str:
    """What to do, a line each, so that its SQL can be copied; empty where all is well."""
    lines = [f" {each.subject}: {each.cure}" for each in findings if each.cure]
    return "\n".join(["What to do", *lines]) if lines else ""


def guarded(subject: str, check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """What a check finds; an error is a finding, too."""
    try:
        yield from check(settings)
    except CascadeError as error:
        yield failed(subject, error)


def failed(subject: str, error: CascadeError) -> Finding:
    """An error as a finding."""
    return Finding(subject, "fail", error.message, error.hint or "", dependency=isinstance(error, DependencyError))
