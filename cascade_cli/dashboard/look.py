"""What a page or a twin is given: the address that was asked for, and what is known."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import QueryParams

from cascade_cli.config import WORKSPACE_PATH, Settings
from cascade_cli.dashboard.door import Door
from cascade_cli.dashboard.live_state import LiveState
from cascade_cli.dashboard.problems import NothingThere, NotYet
from cascade_cli.dashboard.snapshots import Snapshot, Snapshots, State
from cascade_cli.report import Figures

_FIRST_WAIT_S = 0.5
"""So long a page waits for the first pairs before it says that they are being read."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything comes from; made once.

    Attributes:
        snapshots: of the pairs.
        live: of the worker.
        door: into the workspace.
        settings: as resolved.
    """

    snapshots: Snapshots
    live: LiveState
    door: Door
    settings: Settings


@dataclass(frozen=True, slots=True)
class Look:
    """One request.

    Attributes:
        query: of its address.
        sources: where everything comes from.
        state: of the pairs when it came.
        event_id: of the path; None where that names none.
    """

    query: QueryParams
    sources: Sources
    state: State
    event_id: str | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot.

        Raises:
            CascadeError: there is none: it is being read, or could not be.
        """
        if self.state.snapshot is not None:
            return self.state.snapshot
        state = self.sources.snapshots.state(_FIRST_WAIT_S)
        if state.snapshot is not None:
            return state.snapshot
        if state.problem is not None and state.rows is None:
            raise state.problem
        raise NotYet(f"The pairs are being read: {state.rows or 0:,} rows so far.")

    @property
    def figures(self) -> Figures:
        """The figures of the report's pages.

        Raises:
            CascadeError: there are none.
        """
        reading = self.snapshot.reading
        if reading.problem is not None:
            raise reading.problem
        if reading.figures is None or reading.figures.empty:
            raise NothingThere(f"There is no recorded pair in {self.source}.", hint="The overview says what to run.")
        return reading.figures

    @property
    def source(self) -> str:
        """The file or the workspace, as given."""
        return self.sources.snapshots.asked.pairs.location or str(self.sources.settings[WORKSPACE_PATH])

    @property
    def has_nothing(self) -> bool:
        """Whether there is no pair at all, nor a workspace that could have one."""
        if self.state.snapshot is not None:
            return self.state.snapshot.reading.scored.figures.is_empty()
        in_workspace = self.sources.snapshots.asked.pairs.location is None
        return in_workspace and not self.sources.door.leads_somewhere
