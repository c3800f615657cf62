"""Help that can be read at 80 columns, with an example for every command."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from cascade_cli.app import COMMANDS

Run = Callable[..., "subprocess.CompletedProcess[str]"]
_ASKED: dict[str, str] = {}
WRITTEN = [name for name in COMMANDS if name != "config"] + ["config show"]


@pytest.fixture
def help_of(cascade: Run) -> Callable[[str], str]:
    """Return a command's help; each is asked for once, for starting a process takes longer than reading it."""

    def ask(name: str) -> str:
        if name not in _ASKED:
            _ASKED[name] = cascade(*name.split(), "--help").stdout
        return _ASKED[name]

    return ask


def test_help_lists_every_command_with_one_whole_sentence(help_of: Callable[[str], str]) -> None:
    listed = help_of("")
    for name, summary in COMMANDS.items():
        assert f"  {name} " in listed
        assert summary in listed


@pytest.mark.parametrize("name", WRITTEN)
def test_every_command_has_an_example_whose_lines_stay_apart(help_of: Callable[[str], str], name: str) -> None:
    lines = help_of(name).splitlines()
    example = lines.index("  Example:")
    assert lines[example + 1].startswith("    ")
    assert f"cascade {name}" in lines[example + 1]


@pytest.mark.parametrize("name", ["", *WRITTEN, "config"])
def test_help_fits_eighty_columns_and_carries_no_escape_codes(help_of: Callable[[str], str], name: str) -> None:
    shown = help_of(name)
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    assert "\b" not in shown
    assert "range>" not in shown, "an option is named by the type of its value"


@pytest.mark.parametrize("name", WRITTEN)
def test_every_command_takes_the_shared_options(help_of: Callable[[str], str], name: str) -> None:
    shown = help_of(name)
    for option in ("--json", "--format", "--output", "--workspace", "--quiet", "--verbose"):
        assert option in shown


def test_cascade_alone_shows_its_help(cascade: Run, help_of: Callable[[str], str]) -> None:
    alone = cascade()
    assert (alone.returncode, alone.stdout) == (0, help_of(""))
