"""What the database refuses to take although nobody can be blamed: how much of it there is, and what is said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cascade_cli.errors import DependencyError
from cascade_cli.postgres.blaming import cure_of

SYSTEMATIC_FROM: Final = 5
"""So many events at a time that are refused with the same code, and nothing claimed is likely to fare better."""
_LONGEST_ERROR: Final = 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one end could not be written down.

    Attributes:
        code: the SQLSTATE, or what stands for it.
        error: what the server said.
    """

    code: str
    error: str


class Refusals:
    """The ends that are refused now; they stay in hand and are tried again.

    Args:
        note: told once that something is refused, once that nothing is claimed for it, and once that all is well again.

    Attributes:
        count: how many there are.
        is_systematic: whether it is no use to claim more.
        error: what a run ends with that cannot get rid of them; None while there are none.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self.count = 0
        self.is_systematic = False
        self.error: DependencyError | None = None

    def are_now(self, refusals: Sequence[Refusal]) -> None:
        """Take note of all that are refused now."""
        was_refused, was_systematic = bool(self.count), self.is_systematic
        self.count = len(refusals)
        codes = Counter(each.code for each in refusals)
        self.is_systematic = any(count >= SYSTEMATIC_FROM for count in codes.values())
        if not refusals:
            self._end(was_refused=was_refused)
            return
        said = f"{refusals[-1].code}: {refusals[-1].error[:_LONGEST_ERROR]}"
        cure = cure_of(refusals[-1].code)
        self.error = DependencyError(f"What is in hand cannot be written ({said}).", hint=cure)
        if not was_refused:
            told = f"The database refuses what is to be written ({said}). Nobody is charged for it. {cure or ''}"
            self._note(told.rstrip())
        if self.is_systematic and not was_systematic:
            self._note("Nothing is claimed until the database takes events again.")

    def _end(self, *, was_refused: bool) -> None:
        self.error = None
        if was_refused:
            self._note("The database takes events again.")
