"""What is said of a database that is away, and of one that refuses."""

from __future__ import annotations

import pytest
from psycopg import errors

from cascade_cli.errors import CascadeError, DependencyError, UsageError
from cascade_cli.live.database import DatabaseWatch


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watch(said: list[str]) -> DatabaseWatch:
    return DatabaseWatch(said.append, lambda: None)


def refused(message: str) -> CascadeError:
    error = UsageError(message, hint="Run: cascade migrate")
    error.__cause__ = errors.UndefinedTable()
    return error


def test_a_database_that_is_away_is_said_once_and_that_it_is_back_once(watch: DatabaseWatch, said: list[str]) -> None:
    pauses_s = [watch.lost(DependencyError("It is away.")) for _ in range(10)]
    assert watch.is_away
    assert pauses_s == sorted(pauses_s)
    assert pauses_s[-1] == 10.0
    watch.answered()
    watch.answered()
    assert not watch.is_away
    assert said == ["It is away. Nothing is claimed until it is back.", "The database is back."]


def test_a_database_that_refuses_is_not_away_and_each_refusal_is_said_once_however_often_it_takes_turns(
    watch: DatabaseWatch, said: list[str]
) -> None:
    for _ in range(5):
        assert watch.lost(refused("No such table.")) > 0
        assert not watch.is_away
        watch.answered()
    watch.lost(refused("No such column."))
    assert said == ["No such table. Run: cascade migrate", "No such column. Run: cascade migrate"]
