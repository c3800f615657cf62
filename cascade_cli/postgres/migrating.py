"""Making our tables where they are missing, beside live traffic; nothing that exists is altered."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final, TypeVar

from psycopg import errors, sql

from cascade_cli.errors import DependencyError
from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose, connect, explained, redacted
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.scripts import Index, Script, migration_scripts, queue_indexes

if TYPE_CHECKING:
    from cascade_cli.postgres.connection import Connection

T = TypeVar("T")

_STEPS: Final = read_named_sql(files("cascade_cli.postgres") / "migrating.sql")
REGISTER: Final = "cascade_migrations"
"""The table of what was applied."""
_TRIES: Final = 5
_PAUSE_S: Final = (0.2, 1.0)
# An index on a large queue takes minutes.
_LONGEST_TURN_S: Final = 600.0
_TABLE: Final = "r"
_PARTITIONED: Final = "p"


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done: a script, or one index on a table that others use meanwhile.

    Attributes:
        name: of the script or the index.
        statements: in their order.
        transactional: whether they are one transaction; an index that is made concurrently cannot be in one.
    """

    name: str
    statements: tuple[sql.SQL | sql.Composed, ...]
    transactional: bool

    def text(self, schema: str) -> str:
        """The same for people, to be run by psql."""
        lines = [statement.as_string(None).strip() for statement in self.statements]
        if self.transactional:
            path = sql.Identifier(schema).as_string(None)
            lines = ["BEGIN;", "SET LOCAL lock_timeout = '2s';", f"SET LOCAL search_path = {path};", *lines, "COMMIT;"]
        return "\n".join([f"-- {self.name}", *lines])


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An index that is missing, and that cannot be made beside traffic.

    Attributes:
        name: of the index.
        advice: one sentence for an administrator.
    """

    name: str
    advice: str


def apply_migrations(
    dsn: str, *, with_team_tables: bool = False, schema: str = "public", mapping: ColumnMapping | None = None
) -> list[str]:
    """Bring a database to the newest schema; twice does nothing more, and two at once take turns.

    Each script is one transaction that waits two seconds at most for a lock, so that nothing queues up behind it, and
    is tried again. Tables that were there before get their indexes concurrently.

    Args:
        dsn: of a user who may create tables.
        with_team_tables: create the team's own tables too (embedded server, tests).
        schema: where the tables are to stand; it must exist. Not looked at where there is a mapping.
        mapping: what the team's queue is called; by default as in the contract.

    Returns:
        The names of the scripts, and of the indexes on tables that were there before, that were applied now.

    Raises:
        DependencyError: no connection, no privilege, or locked by others for too long.
    """
    mapping = mapping or ColumnMapping(schema)
    applied = []
    with explained(dsn), _turn(dsn), connect(dsn) as connection:
        migrator = _Migrator(dsn, connection, mapping)
        # Planned one after the other: an index depends on what the scripts before it have made.
        for plan in _plans(mapping, with_team_tables=with_team_tables):
            for step in migrator.patiently("the look at what is there", plan, migrator):
                migrator.do(step)
                applied.append(step.name)
    return applied


def planned_sql(dsn: str, *, with_team_tables: bool = False, mapping: ColumnMapping | None = None) -> str:
    """What `apply_migrations` would do now, as a script for psql; nothing is changed.

    Raises:
        DependencyError: no connection, or locked by others for too long.
    """
    mapping = mapping or ColumnMapping()
    steps = missing_steps(dsn, with_team_tables=with_team_tables, mapping=mapping)
    return "\n\n".join(step.text(mapping.schema) for step in steps)


def missing_steps(dsn: str, *, with_team_tables: bool = False, mapping: ColumnMapping | None = None) -> list[Step]:
    """What `apply_migrations` would do now, step by step; nothing is changed.

    Raises:
        DependencyError: no connection, or locked by others for too long.
    """
    mapping = mapping or ColumnMapping()
    with explained(dsn), connect(dsn) as connection:
        migrator = _Migrator(dsn, connection, mapping)
        return [
            step
            for plan in _plans(mapping, with_team_tables=with_team_tables)
            for step in migrator.patiently("the look at what is there", plan, migrator)
        ]


def indexes_left_out(dsn: str, mapping: ColumnMapping | None = None) -> tuple[LeftOut, ...]:
    """Indexes that `apply_migrations` does not make, for what they are missing on is partitioned, or no table.

    Raises:
        DependencyError: the server cannot be reached or refuses.
    """
    mapping = mapping or ColumnMapping()
    scripts = migration_scripts(with_team_tables=False)
    indexes = (*(index for script in scripts for index in script.indexes), *queue_indexes(mapping))
    with explained(dsn), connect(dsn) as connection:
        return _Migrator(dsn, connection, mapping).left_out(indexes)


Plan = Callable[["_Migrator"], list[Step]]


def _plans(mapping: ColumnMapping, *, with_team_tables: bool) -> Iterator[Plan]:
    for script in migration_scripts(with_team_tables=with_team_tables):
        yield lambda migrator, script=script: migrator.steps_of(script)  # type: ignore[misc]
    yield lambda migrator: migrator.missing_indexes(queue_indexes(mapping))


class _Migrator:
    """A look at one database, and steps done in it."""

    def __init__(self, dsn: str, connection: Connection, mapping: ColumnMapping) -> None:
        self._dsn = dsn
        self._connection = connection
        self._mapping = mapping
        self._path = sql.Identifier(mapping.schema).as_string(None)

    def steps_of(self, script: Script) -> list[Step]:
        """The script, unless it was applied before, and its indexes."""
        steps = []
        indexes = list(script.indexes)
        if not self._is_applied(script):
            new = [index for index in indexes if not self._exists(index.table)]
            steps = [self._script(script, new)]
            indexes = [index for index in indexes if index not in new]
        return steps + self.missing_indexes(tuple(indexes))

    def missing_indexes(self, indexes: tuple[Index, ...]) -> list[Step]:
        """Those that are missing, or were left half-made, on tables that exist; on others none can be made so."""
        states = [(index, self._index_state(index)) for index in indexes if self._kind(index.table) == _TABLE]
        return [self._index(index, left_over=state is False) for index, state in states if not state]

    def left_out(self, indexes: tuple[Index, ...]) -> tuple[LeftOut, ...]:
        """Those that are missing on what is no plain table, each with what can be done."""
        kinds = [(index, self._kind(index.table)) for index in indexes]
        return tuple(
            LeftOut(index.name, self._advice(index, kind))
            for index, kind in kinds
            if kind not in (None, _TABLE) and not self._index_state(index)
        )

    def do(self, step: Step) -> None:
        """Do one step.

        Raises:
            DependencyError: no lock could be had.
        """
        if step.transactional:
            self.patiently(f"migration {step.name}", self._run, step)
        else:
            self._run(step)

    def patiently(self, what: str, action: Callable[[T], list[Step]], given: T) -> list[Step]:
        """Run something in a transaction that gives up soon when it gets no lock, and again after a while."""
        for _ in range(_TRIES):
            try:
                with self._connection.transaction():
                    self._connection.execute(_STEPS["settings"], {"search_path": self._path})
                    return action(given)
            except errors.LockNotAvailable:
                time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - spreads retries, guards nothing
        raise DependencyError(
            f"{redacted(self._dsn)}: {what} got no lock in {_TRIES} tries.",
            hint="Run it again when fewer transactions are open; what was applied stays.",
        )

    def _run(self, step: Step) -> list[Step]:
        for statement in step.statements:
            self._connection.execute(statement)
        return [step]

    def _script(self, script: Script, new: list[Index]) -> Step:
        names = {"register": self._mapping.table(REGISTER), "name": sql.Literal(script.name)}
        around = [compose(_STEPS[name], names) for name in ("create_register", "register")]
        indexes = [index.statement(self._mapping.schema, concurrently=False) for index in new]
        return Step(script.name, (*around, sql.SQL(script.body), *indexes), transactional=True)

    def _index(self, index: Index, *, left_over: bool) -> Step:
        removal = [index.removal(self._mapping.schema)] if left_over else []
        made = index.statement(self._mapping.schema, concurrently=True)
        return Step(index.name, (*removal, made), transactional=False)

    def _is_applied(self, script: Script) -> bool:
        if not self._exists(REGISTER):
            return False
        names = {"register": self._mapping.table(REGISTER)}
        return (script.name,) in self._connection.execute(compose(_STEPS["registered"], names)).fetchall()

    def _advice(self, index: Index, kind: str | None) -> str:
        made = index.statement(self._mapping.schema, concurrently=False).as_string(None)
        if kind == _PARTITIONED:
            return f"{index.table} is partitioned. When it can be locked for as long as that takes, run: {made}"
        return f"{index.table} is no table. On the table behind it, make: {made}"

    def _exists(self, table: str) -> bool:
        return self._kind(table) is not None

    def _kind(self, table: str) -> str | None:
        """As in pg_class; None where there is none."""
        found = self._answer("relation_kind", table)
        return None if found is None else str(found)

    def _index_state(self, index: Index) -> bool | None:
        """Whether it is valid; None where there is none."""
        found = self._answer("index_is_valid", index.name)
        return None if found is None else bool(found)

    def _answer(self, query: str, relation: str) -> object:
        quoted = self._mapping.table(relation).as_string(None)
        row = self._connection.execute(_STEPS[query], {"relation": quoted}).fetchone()
        return None if row is None else row[0]


@contextmanager
def _turn(dsn: str) -> Iterator[None]:
    """Keep other migrators out, by a transaction of its own that lasts as long as the work does."""
    with ExitStack() as opened:
        connection = opened.enter_context(connect(dsn))
        opened.enter_context(connection.transaction())
        connection.execute(_STEPS["stay_idle"])
        give_up_at = time.monotonic() + _LONGEST_TURN_S
        while connection.execute(_STEPS["one_migrator"]).fetchone() != (True,):
            if time.monotonic() > give_up_at:
                raise DependencyError(
                    f"{redacted(dsn)}: another migration has been running for {_LONGEST_TURN_S:.0f} s.",
                    hint="Run it again when that one has ended.",
                )
            time.sleep(_PAUSE_S[0])
        yield
