"""Processes and the CPU seconds that they took; by ``/proc``, so on Linux alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS_A_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Done:
    """What a process said, and the CPU seconds of it and its children."""

    out: str
    cpu_s: float


def finished(process: subprocess.Popen[str]) -> Done:
    """Wait for a process.

    Raises:
        RuntimeError: it failed.
    """
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {out[-2_000:]}")
    return Done(out, used.ru_utime + used.ru_stime)


def start(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a process that says what it says on its output, errors too."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, its children, and those that have ended."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent, own, ended = _ticks(entry)
            if entry.name == str(pid):
                total += own + ended
            elif parent == pid:
                total += own
    return total / _TICKS_A_S


def _ticks(process: Path) -> tuple[int, int, int]:
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0, 0
    return int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
