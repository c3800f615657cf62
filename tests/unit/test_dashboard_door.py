"""The way into the workspace for pages: one at a time, and writers get in between."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event, Thread

import pytest

from cascade_cli.dashboard.door import PAUSE_S, Door
from cascade_cli.errors import UsageError
from cascade_cli.workspace import Workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with nothing in it."""
    with Workspace.open(tmp_path / "ws", "write"):
        pass
    return tmp_path / "ws"


def test_behind_each_visit_there_is_a_pause_and_none_where_it_is_long_over(folder: Path) -> None:
    at, rests = [100.0], list[float]()
    door = Door(folder, now=lambda: at[0], rest=rests.append)
    with door.opened():
        pass
    with door.opened():
        pass
    at[0] += PAUSE_S
    with door.opened():
        pass
    assert rests == [0.0, pytest.approx(PAUSE_S), 0.0]


def test_two_pages_never_have_it_open_at_the_same_time(folder: Path) -> None:
    # Pages that overlap would keep a writer out as long as they come.
    door, inside, came = Door(folder), Event(), Event()

    def visit() -> None:
        inside.set()
        with door.opened():
            came.set()

    with door.opened():
        Thread(target=visit, daemon=True).start()
        assert inside.wait(30)
        assert not came.wait(0.5)
    assert came.wait(30)


@pytest.mark.parametrize(("waited_s", "left_s"), [(0.0, 3.0), (2.0, 1.0), (60.0, 0.0)])
def test_who_has_waited_for_other_pages_waits_no_longer_for_a_writer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, waited_s: float, left_s: float
) -> None:
    # Or each of those in the row would wait anew, one behind the other.
    at, patience = [100.0], list[float]()

    def opened(_path: Path, *, wait_s: float) -> AbstractContextManager[None]:
        patience.append(wait_s)
        return nullcontext()

    def rest(_seconds: float) -> None:
        at[0] += waited_s

    monkeypatch.setattr(Workspace, "open", opened)
    with Door(folder, now=lambda: at[0], rest=rest).opened():
        pass
    assert patience == [left_s]


def test_a_visit_that_fails_leaves_the_door_free(tmp_path: Path) -> None:
    door = Door(tmp_path / "nowhere", rest=lambda _seconds: None)
    for _ in range(2):
        with pytest.raises(UsageError, match="There is no workspace"), door.opened():
            pass
