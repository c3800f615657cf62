"""Whether an event is to blame for what PostgreSQL refuses, judged by what else it takes. Pure; no I/O.

An event that is refused alone may be guilty, or a table may take nobody's rows. What tells them apart is another event
that was written: it proves that its tables accept rows. Without such a proof nobody is charged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

TRUSTED_S: Final = 600.0
"""How long a write proves something for events that come alone later."""
_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Suspect:
    """An event that was refused although nothing else was written with it.

    Attributes:
        key: of its queue row.
        tables: the sections to which it would have written.
        code: the SQLSTATE, or what stands for it.
        of_statement: the error speaks of the statement, so only what is written at the same time proves it wrong.
    """

    key: str
    tables: frozenset[str]
    code: str
    of_statement: bool = False


@dataclass(slots=True)
class Evidence:
    """What is known of whether the database takes events.

    Attributes:
        clock: monotonic seconds.
    """

    clock: Callable[[], float]
    _written_at: dict[frozenset[str], float] = field(default_factory=dict)
    _in_a_row: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)
    _guilty: dict[tuple[str, str], None] = field(default_factory=dict)

    def guilty(self, written: Iterable[frozenset[str]], suspects: Sequence[Suspect]) -> frozenset[str]:
        """Which events of a batch are to blame; the others are innocent as far as is known.

        An event is guilty where one of its batch wrote to all its tables, or where it was found guilty so before. It is
        also where such a write is at most ``TRUSTED_S`` old and no other event was refused with the same code since: a
        second one makes it likelier that the tables have changed.

        Args:
            written: the sections of each event of the batch that was written; it says nothing of other sections.
            suspects: the others, each refused alone.

        Returns:
            The keys of the guilty.
        """
        now = self.clock()
        proofs = frozenset(written)
        self._written_at.update(dict.fromkeys(proofs, now))
        self._forget_proved(proofs)
        for each in suspects:
            if _is_covered(each.tables, proofs):
                self._remember(each)
            else:
                self._in_a_row.setdefault(each.code, {})[each.key] = each.tables
        return frozenset(each.key for each in suspects if self._is_guilty(each, now))

    def _is_guilty(self, suspect: Suspect, now: float) -> bool:
        if (suspect.key, suspect.code) in self._guilty:
            return True
        recent = [tables for tables, at in self._written_at.items() if now - at <= TRUSTED_S]
        is_alone = len(self._in_a_row[suspect.code]) == 1
        return is_alone and not suspect.of_statement and _is_covered(suspect.tables, recent)

    def _forget_proved(self, proofs: Collection[frozenset[str]]) -> None:
        for row in self._in_a_row.values():
            for key in [key for key, tables in row.items() if _is_covered(tables, proofs)]:
                del row[key]

    def _remember(self, suspect: Suspect) -> None:
        self._guilty[suspect.key, suspect.code] = None
        if len(self._guilty) > _MOST_REMEMBERED:
            del self._guilty[next(iter(self._guilty))]


def _is_covered(tables: frozenset[str], proofs: Collection[frozenset[str]]) -> bool:
    return any(tables <= proof for proof in proofs)
