"""Prove that every default dependency installs from wheels alone at its pinned floor.

For each target (platform and Python) pip resolves all floors at once, and what they bring along, with
``--only-binary=:all:``; nothing is built and, without ``--megabytes``, nothing is downloaded.

Usage: python .ci/check_wheels.py [--all] [--megabytes]

pip reads the markers of what the floors bring along on the machine it runs on, not on the target: a dependency that
only another platform has would be missed here.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

MANYLINUX = ("2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")
PLATFORMS = {
    "Linux x86-64": [*(f"manylinux_{glibc}_x86_64" for glibc in MANYLINUX), "manylinux2014_x86_64"],
    "Linux arm64": [*(f"manylinux_{glibc}_aarch64" for glibc in MANYLINUX), "manylinux2014_aarch64"],
    "macOS arm64": ["macosx_14_0_arm64"],
    "macOS x86-64": ["macosx_14_0_x86_64"],
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
DEFAULT_TARGETS = [("Linux x86-64", "3.11"), ("macOS arm64", "3.14")]
MEGABYTES_ALLOWED = 200


def floors(pyproject: Path, python: str) -> list[str]:
    """Return the default dependencies that a Python needs, pinned to their lower bounds, as ``name==floor``."""
    declared = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    needed = [requirement.split(";")[0] for requirement in declared if applies(requirement, python)]
    return [re.sub(r">=\s*([^,\s]+)(,.*)?", r"==\1", requirement) for requirement in needed]


def applies(requirement: str, python: str) -> bool:
    """Whether the marker of a requirement, if it has one, holds; the one sort we use is an upper bound of Python."""
    bound = re.search(r";\s*python_version\s*<\s*'(\d+)\.(\d+)'", requirement)
    return bound is None or tuple(map(int, python.split("."))) < (int(bound[1]), int(bound[2]))


def resolve(platform: str, python: str, pins: list[str], folder: Path, *, download: bool) -> str | None:
    """Return pip's complaint, or None where every floor has a wheel for the target."""
    how = ["download", "--dest"] if download else ["install", "--dry-run", "--ignore-installed", "--target"]
    tags = [argument for tag in PLATFORMS[platform] for argument in ("--platform", tag)]
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *how, str(folder), *tags]
    command += ["--python-version", python, "--implementation", "cp", "--only-binary=:all:", *pins]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    # The line before lists every version there ever was.
    return errors[-1] if errors else done.stderr


def check(platform: str, python: str, pins: list[str], *, download: bool) -> bool:
    """Print one line about a target and return whether it is as promised."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        complaint = resolve(platform, python, pins, Path(folder), download=download)
        megabytes = sum(wheel.stat().st_size for wheel in Path(folder).glob("*.whl")) / 1e6
    weight = f"{megabytes:6.1f} MB  " if download and not complaint else ""
    took = f"({time.monotonic() - began_s:.0f} s)"
    sys.stdout.write(
        f"{platform:<13} {python:<5} {weight}{'wheels only' if complaint is None else complaint}  {took}\n"
    )
    sys.stdout.flush()
    return complaint is None and megabytes <= MEGABYTES_ALLOWED


def main() -> None:
    """Check the targets that were asked for; exit 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every platform and Python, instead of two")
    parser.add_argument("--megabytes", action="store_true", help="download, and say how much")
    asked = parser.parse_args()
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    targets = [(platform, python) for platform in PLATFORMS for python in PYTHONS] if asked.all else DEFAULT_TARGETS
    held = [
        check(platform, python, floors(pyproject, python), download=asked.megabytes) for platform, python in targets
    ]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
