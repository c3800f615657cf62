"""Who is to blame for what PostgreSQL refuses: the table of codes, and what other writes prove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import errors

from cascade_cli.errors import CascadeError, DependencyError, UsageError
from cascade_cli.live.refusals import SYSTEMATIC_FROM, Refusal, Refusals
from cascade_cli.postgres.blaming import Blame, blame_of, code_of, cure_of
from cascade_cli.postgres.writing.evidence import TRUSTED_S, Evidence, Suspect

ALL = frozenset({"entities", "facts", "relationships"})
ENTITIES = frozenset({"entities"})


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (psycopg.OperationalError("the connection is lost"), Blame.PASSING),
        (psycopg.InterfaceError("the connection is closed"), Blame.PASSING),
        (errors.DeadlockDetected(), Blame.PASSING),
        (errors.SerializationFailure(), Blame.PASSING),
        (errors.DiskFull(), Blame.PASSING),
        (errors.TooManyConnections(), Blame.PASSING),
        (errors.AdminShutdown(), Blame.PASSING),
        (errors.ReadOnlySqlTransaction(), Blame.PASSING),
        (errors.LockNotAvailable(), Blame.PASSING),
        (errors.UndefinedTable(), Blame.STATEMENT),
        (errors.InsufficientPrivilege(), Blame.STATEMENT),
        (errors.DatatypeMismatch(), Blame.STATEMENT),
        (errors.InvalidColumnReference(), Blame.STATEMENT),
        (errors.ObjectNotInPrerequisiteState(), Blame.STATEMENT),
        (errors.NotNullViolation(), Blame.BATCH),
        (errors.StringDataRightTruncation(), Blame.BATCH),
        (errors.ProgramLimitExceeded(), Blame.BATCH),
        (errors.RaiseException(), Blame.BATCH),
        (psycopg.DataError("no code"), Blame.BATCH),
        (CascadeError("of 2 rows only 1 changed"), Blame.BATCH),
        (DependencyError("away"), Blame.PASSING),
        (KeyError("ours"), Blame.BATCH),
    ],
)
def test_each_error_has_one_to_blame(error: Exception, blame: Blame) -> None:
    assert blame_of(error) is blame


def test_an_error_that_explains_the_servers_has_its_blame_and_its_code() -> None:
    explained = UsageError("there is no such table")
    explained.__cause__ = errors.UndefinedTable()
    assert (blame_of(explained), code_of(explained)) == (Blame.STATEMENT, "42P01")
    away = UsageError("away")
    away.__cause__ = psycopg.OperationalError("away")
    assert (blame_of(away), code_of(KeyError())) == (Blame.PASSING, "KeyError")


def test_a_cure_is_that_of_the_code_before_that_of_its_class() -> None:
    assert cure_of("42501") != cure_of("42P01") == cure_of("42703")
    assert cure_of("XX000") is None


@dataclass
class Clock:
    """Stands still unless it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def evidence() -> Evidence:
    return Evidence(Clock())


def suspects(count: int, code: str = "23514") -> list[Suspect]:
    return [Suspect(f"q{number}", ENTITIES, code) for number in range(count)]


def test_whoever_is_refused_beside_others_that_were_written_is_guilty(evidence: Evidence) -> None:
    assert evidence.guilty([ALL], suspects(9)) == {f"q{number}" for number in range(9)}


def test_without_any_write_nobody_is_guilty(evidence: Evidence) -> None:
    for _ in range(3):
        assert evidence.guilty([], suspects(1)) == frozenset()


def test_a_write_proves_nothing_of_tables_to_which_it_did_not_write(evidence: Evidence) -> None:
    assert evidence.guilty([frozenset(), frozenset({"facts"})], suspects(1)) == frozenset()
    assert evidence.guilty([ENTITIES], suspects(1)) == {"q0"}


def test_one_that_comes_alone_after_others_were_written_is_guilty_and_two_are_not(evidence: Evidence) -> None:
    evidence.guilty([ALL], [])
    assert evidence.guilty([], suspects(1)) == {"q0"}
    assert evidence.guilty([], suspects(1)) == {"q0"}
    assert evidence.guilty([], suspects(2)) == frozenset()
    assert evidence.guilty([], suspects(1)) == frozenset()
    assert evidence.guilty([ALL], suspects(2)) == {"q0", "q1"}


def test_a_write_that_is_long_ago_proves_nothing() -> None:
    clock = Clock()
    evidence = Evidence(clock)
    evidence.guilty([ALL], [])
    clock.now = TRUSTED_S + 1
    assert evidence.guilty([], suspects(1)) == frozenset()


def test_what_speaks_of_the_statement_is_proved_only_by_what_is_written_at_the_same_time(evidence: Evidence) -> None:
    denied = Suspect("q0", ENTITIES, "42501", of_statement=True)
    evidence.guilty([ALL], [])
    assert evidence.guilty([], [denied]) == frozenset()
    assert evidence.guilty([ALL], [denied]) == {"q0"}


def test_who_was_found_guilty_beside_others_is_so_when_it_comes_again_alone(evidence: Evidence) -> None:
    evidence.guilty([ALL], suspects(7))
    assert len(evidence.guilty([], suspects(7))) == 7
    assert evidence.guilty([], suspects(7, "23502")) == frozenset()


@pytest.fixture
def refusals(said: list[str]) -> Refusals:
    return Refusals(said.append)


@pytest.fixture
def said() -> list[str]:
    return []


def test_what_is_refused_is_said_once_with_its_code_and_its_cure_and_once_that_it_is_over(
    refusals: Refusals, said: list[str]
) -> None:
    one = Refusal("42501", "permission denied" + "!" * 1_000)
    for _ in range(3):
        refusals.are_now([one])
    assert (refusals.count, refusals.is_systematic, refusals.error is not None) == (1, False, True)
    for _ in range(3):
        refusals.are_now([])
    assert (refusals.count, refusals.error) == (0, None)
    first, last = said
    assert "42501: permission denied" in first
    assert "cascade migrate --grants" in first
    assert len(first) < 500
    assert last == "The database takes events again."


@pytest.mark.parametrize(
    ("code", "is_systematic"), [(lambda _: "23514", True), (lambda number: f"2351{number}", False)]
)
def test_only_many_refusals_with_one_code_are_systematic(
    refusals: Refusals, said: list[str], code: Callable[[int], str], is_systematic: bool
) -> None:
    refusals.are_now([Refusal(code(number), "no") for number in range(SYSTEMATIC_FROM)])
    assert refusals.is_systematic == is_systematic
    assert ("Nothing is claimed until the database takes events again." in said) == is_systematic
