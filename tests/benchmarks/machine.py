"""The machine in words, for reports: what a reader needs to judge a figure, and nothing that names the place."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe_machine() -> str:
    """Processor, cores this process may use, system and Python."""
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {platform.system()},"
        f" Python {platform.python_version()}, rapidfuzz {version('rapidfuzz')}, polars {version('polars')}"
    )


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
