"""The shipped examples: where they are, and which of them are the past and which are still to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cascade_cli.errors import CascadeError
from cascade_cli.records import BadRow, Row
from cascade_cli.sources import read_rows

PAIRS: Final = "pairs.jsonl.gz"
TO_COME: Final = 500
"""Events that the demo lets arrive; the others have a teacher's answer on record from the start."""
_PROMPT: Final = "f1e0ff"
_PACKAGE: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Examples:
    """The shipped pairs.

    Attributes:
        past: those that a teacher has answered already, the recorded student answers left out.
        to_come: the last ones under the prompt before the newest, for which the stand-ins know the answers.
    """

    past: tuple[Row, ...]
    to_come: tuple[Row, ...]


def fixture(name: str) -> Path:
    """A file of the shipped examples: in the wheel beside this package, in a checkout in its own folder."""
    for folder in (_PACKAGE / "_fixtures", _PACKAGE.parent / "fixtures"):
        if (folder / name).is_file():
            return folder / name
    raise CascadeError(f"The shipped example {name} is missing.", hint="Install cascade-cli again.")


def read_examples() -> Examples:
    """All of them, in the order of time.

    Raises:
        CascadeError: the file is missing or damaged.
    """
    rows = list(_sound(read_rows(fixture(PAIRS))))
    to_come = [row for row in rows if row.trace.system_prompt_hash == _PROMPT][-TO_COME:]
    arriving = {row.trace.event_id for row in to_come}
    return Examples(tuple(Row(row.trace) for row in rows if row.trace.event_id not in arriving), tuple(to_come))


def _sound(rows: Iterable[Row | BadRow]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, BadRow):
            raise CascadeError(f"{row.where}: {row.cause}", hint="Install cascade-cli again.")
        yield row
