"""All changes of one superseding, as the parts and parameters of one statement. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from cascade_cli.postgres.graph.writing import Key, Pending
from cascade_cli.postgres.superseding.locking import array_text, ids_by_section
from cascade_cli.postgres.superseding.planning import Amendment
from cascade_cli.postgres.superseding.records import RowName


@dataclass(frozen=True, slots=True)
class Changes:
    """What is done to the graph.

    Attributes:
        delete: rows that go.
        amend: rows that stay otherwise than they are.
        make: rows that are not there yet, by section and key.
    """

    delete: Sequence[RowName]
    amend: Mapping[RowName, Amendment]
    make: Mapping[str, Mapping[Key, Pending]]

    @property
    def parts(self) -> list[tuple[str, str]]:
        """What is done to which section, in the order in which it is done."""
        done: Mapping[str, Mapping[str, object]] = {
            "deleted": ids_by_section(self.delete),
            "amended": ids_by_section(self.amend),
            "made": self.make,
        }
        return [(what, section) for what, sections in done.items() for section, rows in sections.items() if rows]

    @property
    def parameters(self) -> dict[str, str]:
        """The same as texts, by the names that the parts have for them."""
        given = {f"{section}_deleted": array_text(ids) for section, ids in ids_by_section(self.delete).items()}
        for section, ids in ids_by_section(self.amend).items():
            amendments = {row_id: asdict(self.amend[RowName(section, row_id)]) for row_id in ids}
            given[f"{section}_amended"] = array_text(ids)
            given[f"{section}_amendments"] = json.dumps(amendments, ensure_ascii=False)
        for section, rows in self.make.items():
            # In the order of their keys, as all writers make them.
            given[f"{section}_made"] = json.dumps([rows[key].values for key in sorted(rows)], ensure_ascii=False)
        return given
