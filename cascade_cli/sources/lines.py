"""The lines of a stream, none of them longer than a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.sources.streams import DamagedStreamError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator


def numbered_lines(stream: io.BufferedReader, name: str, max_line_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line with its number, from 1; None for a line longer than ``max_line_bytes``.

    No more than ``max_line_bytes`` of a line are ever held.

    Raises:
        UsageError: the packed stream is cut off or damaged; the lines before that have been yielded.
        DependencyError: the disk refuses.
    """
    number = 0
    while line := _read_line(stream, name, max_line_bytes + 1, number):
        number += 1
        is_short = len(line) <= max_line_bytes or line.endswith(b"\n")
        rest = line
        while not is_short and rest and not rest.endswith(b"\n"):
            rest = _read_line(stream, name, max_line_bytes + 1, number)
        yield number, line if is_short else None


def _read_line(stream: io.BufferedReader, name: str, size: int, lines_read: int) -> bytes:
    try:
        return stream.readline(size)
    except DamagedStreamError as error:
        message = f"{name} cannot be unpacked after line {lines_read}: {error}."
        raise UsageError(message, hint="Fetch the file again: what follows that line is lost.") from error
    except OSError as error:
        raise DependencyError(f"{name}: reading fails after line {lines_read}: {error}.") from error
