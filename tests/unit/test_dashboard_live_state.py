"""What the worker does is asked for in the background: a database that says nothing holds nobody up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

import pytest

from cascade_cli.config import Settings
from cascade_cli.console import Result
from cascade_cli.dashboard.live_state import LiveState
from cascade_cli.dashboard.problems import NotAnswered
from cascade_cli.errors import UsageError

PATIENCE_S = 30.0


class Database:
    """Answers when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        self.let, self.asked = Event(), 0

    def __call__(self, _settings: Settings) -> Result:
        self.asked += 1
        self.let.wait(PATIENCE_S)
        return Result({"asked": self.asked})


@pytest.fixture
def database() -> Iterator[Database]:
    """One that is silent at first."""
    found = Database()
    yield found
    found.let.set()


def _state(database: Database, at: list[float]) -> LiveState:
    return LiveState(Settings.defaults(), now=lambda: at[0], ask=database)


def _answer(state: LiveState) -> Result:
    """The answer, when it has come; by the test's own clock nobody waits for it."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return state.result()
        except NotAnswered:
            assert time.monotonic() < give_up_at
            time.sleep(0.01)


def test_who_asks_a_silent_database_is_told_so_and_the_question_goes_on(database: Database) -> None:
    at = [0.0]
    state = _state(database, at)
    for at[0] in (0.0, 5.0, 60.0):
        with pytest.raises(NotAnswered, match="not answered yet"):
            state.result()
    assert database.asked == 1


def test_an_answer_is_given_again_while_it_is_fresh_however_long_it_took(database: Database) -> None:
    at = [0.0]
    state = _state(database, at)
    with pytest.raises(NotAnswered):
        state.result()
    at[0] = 20.0
    database.let.set()
    question = state._question
    assert question is not None
    question.answer.result(PATIENCE_S)
    assert state.result().data == {"asked": 1}


def test_an_answer_that_is_no_longer_fresh_is_asked_for_again(database: Database) -> None:
    at = [0.0]
    database.let.set()
    state = _state(database, at)
    assert state.result().data == {"asked": 1}
    while state._question.answered_at is None:  # type: ignore[union-attr]
        pass
    at[0] = 2.1
    assert state.result().data == {"asked": 2}


def test_settings_that_make_no_sense_are_refused_as_by_the_command() -> None:
    def refuse(_settings: Settings) -> Result:
        raise UsageError("There is no such column.")

    with pytest.raises(UsageError, match="no such column"):
        LiveState(Settings.defaults(), ask=refuse).result()
