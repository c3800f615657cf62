"""The two streams: standard output carries the result alone, standard error all that is said about it."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cascade_cli.console.output import Format, Output
from cascade_cli.console.progress import Advance, progress_bar, progress_lines, silent
from cascade_cli.console.rendering import (
    csv_lines,
    envelope,
    json_document,
    json_lines,
    markdown,
    plain,
    rich_table,
    terminal_columns,
)
from cascade_cli.console.result import Result, Table, Verbatim
from cascade_cli.console.text import sanitize_lines
from cascade_cli.errors import DependencyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_FOR_PEOPLE = (Format.TABLE, Format.HTML)
"""Where the page went to a file, standard output has the table."""


@dataclass(frozen=True, slots=True)
class Console:
    """Shows the result of a command and reports on its way.

    Attributes:
        output: what the user asked for.
        stdout: takes the result.
        stderr: takes progress, notes, warnings and hints.
    """

    output: Output = field(default_factory=Output)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)

    def show(self, command: str, result: Result) -> None:
        """Write the result in the format asked for, then warnings and hints on standard error.

        Raises:
            DependencyError: the result cannot be written (a full disk, no permission).
            UsageError: the format needs a table and the result has none.
        """
        page, path = result.page, self.output.path
        if page is not None and page.path is None:
            self._write_out([page.text])
        elif path is not None and (page is None or page.path != path):
            write_file(path, _lines(self.output.format, command, result))
            self.note(f"wrote {path}")
        elif self._draws(self.output.format):
            self._draw(result)
        else:
            self._write_out(_lines(self.output.format, command, result))
        for warning in result.warnings:
            self.warn(warning)
        for hint in result.hints:
            self.note(hint)

    def note(self, text: str) -> None:
        """Say something that only a person reads; nothing with ``--quiet``."""
        if not self.output.quiet:
            self._say(text)

    def detail(self, text: str) -> None:
        """Say something that only ``-v`` asks for."""
        if self.output.verbosity:
            self._say(text)

    def warn(self, text: str) -> None:
        """Say what the user must know even with ``--quiet``."""
        self._say(f"warning: {text}")

    @contextmanager
    def progress(
        self, label: str, total: int | None = None, status: Callable[[], str] | None = None
    ) -> Iterator[Advance]:
        """Show progress of the body: a bar on a terminal, else one line in 30 s; nothing with ``--quiet``.

        Args:
            label: what is going on, as in ``scoring``.
            total: how many items there are; None when nobody knows.
            status: what else is to be told of the state, in a few words; may be called from another thread.

        Yields:
            A function to call with the number of items just finished.
        """
        if self.output.quiet:
            shown = silent()
        elif self.stderr.isatty():
            shown = progress_bar(label, total, self.stderr, status)
        else:
            shown = progress_lines(label, total, self._say, status=status)
        with shown as advance:
            yield advance

    def _draws(self, chosen: Format) -> bool:
        return chosen in _FOR_PEOPLE and self.stdout.isatty()

    def _draw(self, result: Result) -> None:
        from rich.console import Console as RichConsole
        from rich.text import Text

        plain_terminal = bool(os.environ.get("NO_COLOR"))
        room = terminal_columns()
        terminal = RichConsole(file=self.stdout, width=room, color_system=None if plain_terminal else "auto")
        for number, block in enumerate(result.blocks):
            if number:
                terminal.print()
            drawn = rich_table(block, room) if isinstance(block, Table) else Text(sanitize_lines(block))
            terminal.print(drawn, soft_wrap=isinstance(block, Verbatim))

    def _write_out(self, lines: Iterable[str]) -> None:
        try:
            # CSV is raw, and somebody may look at it on a terminal.
            steerable = self.stdout.isatty()
            for line in lines:
                self.stdout.write(sanitize_lines(line) if steerable else line)
            self.stdout.flush()
        except BrokenPipeError:
            # The reader has seen enough; the verdict still becomes the exit status.
            discard(sys.stdout)
        except OSError as error:
            discard(sys.stdout)
            raise DependencyError(f"Cannot write to standard output: {error.strerror}.") from error

    def _say(self, text: str) -> None:
        say(self.stderr, sanitize_lines(text) + "\n")


def say(stream: TextIO, text: str) -> bool:
    """Write what no work may end for; whether it could be written.

    A full disk may have room again; a reader that is gone never comes back.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        discard(stream)
        return False
    except OSError:
        return False
    return True


def write_file(path: Path, lines: Iterable[str]) -> None:
    """Write a whole file or leave the old one as it was.

    Raises:
        DependencyError: the folder is missing or closed, or the disk is full.
    """
    try:
        if path.exists() and not path.is_file():
            _fill(path, lines)  # a pipe or a device cannot be replaced
        else:
            _replace(path, lines)
    except OSError as error:
        hint = "Choose another place with -o, or make room."
        raise DependencyError(f"Cannot write {path}: {error.strerror}.", hint=hint) from error


def write_new_file(path: Path, text: str) -> None:
    """Write a file that must not exist yet, into a folder that need not.

    Raises:
        UsageError: it exists.
        DependencyError: the folder is closed or cannot be made, or the disk is full.
    """
    if path.exists():
        raise UsageError(f"{path} exists already and was left as it is.", hint="Move it away first.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DependencyError(f"Cannot make {path.parent}: {error.strerror}.") from error
    write_file(path, [text])


def discard(stream: TextIO) -> None:
    """Point a standard stream at nothing, so that the interpreter's last flush cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _replace(path: Path, lines: Iterable[str]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        _fill(temporary, lines)
        temporary.chmod(path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _fill(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.writelines(lines)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _lines(chosen: Format, command: str, result: Result) -> Iterable[str]:
    match chosen:
        case Format.JSON:
            return [json_document(envelope(command, result))]
        case Format.JSONL:
            return json_lines(result)
        case Format.CSV:
            return csv_lines(result)
        case Format.MD:
            return markdown(result)
        case Format.TABLE | Format.HTML:
            return plain(result)
