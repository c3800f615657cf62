"""How every switch stands, and what that comes to: what ``cascade kill`` and ``cascade status`` show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from cascade_cli import __version__
from cascade_cli.config import LIVE_ENABLED, LIVE_KILL_FILE, POSTGRES_SCHEMA, STUDENT_ENDPOINT
from cascade_cli.console import Column, Table, moment
from cascade_cli.database_in_force import no_database
from cascade_cli.errors import CascadeError, UsageError
from cascade_cli.live.killing import is_there
from cascade_cli.live.modes import Environment, InForce, in_force

if TYPE_CHECKING:
    from cascade_cli.config import Settings
    from cascade_cli.postgres.control import Switch, Switched
    from cascade_cli.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class SwitchLine:
    """One switch, for people.

    Attributes:
        switch: which.
        stands: ``off`` where it holds the student, or its writing, off; else ``on``.
        told: what was found.
    """

    switch: str
    stands: str
    told: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Each switch as it is seen from here.

    Attributes:
        environment: of this process; a worker that was started with another has its own.
        kill_file: None where none is configured.
        kill_file_there: it exists, or it cannot be seen whether it does.
        row: None where it cannot be read, which counts as killed.
        problem: why not.
        in_force: what a worker would do that were started here with ``--flip``.
        latest: the last switches, newest first.
    """

    environment: Environment
    kill_file: str | None
    kill_file_there: bool
    row: Switch | None
    problem: CascadeError | None
    in_force: InForce
    latest: tuple[Switched, ...] = ()

    @property
    def verdict(self) -> str:
        """All of it in one sentence."""
        return f"{_VERDICTS[self.in_force.name]}{f': {why}' if (why := self.in_force.reason) else ''}."

    @property
    def switches(self) -> list[SwitchLine]:
        """Each switch by itself."""
        return _switches(self)

    @property
    def data(self) -> dict[str, object]:
        """The same for ``--json``."""
        row = self.row
        return {
            "mode": self.in_force.name,
            "reason": self.in_force.reason,
            "environment": {
                "enabled": self.environment.enabled,
                "has_student": self.environment.has_student,
                "policy_fingerprint": self.environment.policy_fingerprint,
                "version": self.environment.version,
            },
            "kill_file": {"path": self.kill_file, "there": self.kill_file_there},
            "control_row": None if row is None else {name: getattr(row, name) for name in _ROW},
            "problem": self.problem and self.problem.message,
            "switches": [{name: getattr(each, name) for name in _SWITCHED} for each in self.latest],
        }


def read_standing(settings: Settings, pool: Pool | None, policy_fingerprint: str, limit: int) -> Standing:
    """Look at every switch; a database that is away or has no tables is part of the answer.

    Args:
        settings: of this process.
        pool: of the database; None where none is configured.
        policy_fingerprint: of the policy of these settings.
        limit: how many of the last switches to show.
    """
    from cascade_cli.postgres.control import UNREADABLE

    environment = Environment(
        enabled=settings[LIVE_ENABLED],
        has_student=settings[STUDENT_ENDPOINT] is not None,
        flip=True,
        policy_fingerprint=policy_fingerprint,
        version=__version__,
    )
    path = settings[LIVE_KILL_FILE]
    there = path is not None and is_there(path)
    row, problem, latest = _read_row(settings, pool, limit)
    found = in_force(environment, row or UNREADABLE, kill_file=there)
    return Standing(environment, None if path is None else str(path.absolute()), there, row, problem, found, latest)


def switch_tables(standing: Standing) -> tuple[Table | str, ...]:
    """The verdict, each switch, and the last changes."""
    return (
        standing.verdict,
        Table(_SWITCH_COLUMNS, [asdict(line) for line in standing.switches]),
        *([Table(_LATEST_COLUMNS, standing.data["switches"], "Last switches")] if standing.latest else []),  # type: ignore[arg-type]
    )


def row_told(row: Switch) -> str:
    """The control row in a few words."""
    by = f" by {row.changed_by}, {moment(row.changed_at)}" if row.changed_by else ""
    why = f": {row.reason}" if row.reason else ""
    return f"{'killed' if row.killed else 'not killed'}; last changed{by}{why}"


def _read_row(
    settings: Settings, pool: Pool | None, limit: int
) -> tuple[Switch | None, CascadeError | None, tuple[Switched, ...]]:
    from cascade_cli.postgres.control import UNREADABLE, Control

    if pool is None:
        return None, no_database(), ()
    control = Control(pool, settings[POSTGRES_SCHEMA])
    row = control.read()
    try:
        latest = control.switches(limit)
    except CascadeError as error:
        # Who may read the row need not be told who changed it.
        return (None, error, ()) if row is UNREADABLE else (row, None, ())
    if row is UNREADABLE:
        missing = UsageError("The control row is not there, or may not be read.", hint="Run: cascade migrate")
        return None, missing, latest
    return row, None, latest


def _switches(standing: Standing) -> list[SwitchLine]:
    environment, row = standing.environment, standing.row
    lines = [
        _line("CASCADE_ENABLED", not environment.enabled, "true" if environment.enabled else "not true"),
        _line("STUDENT_ENDPOINT", not environment.has_student, "set" if environment.has_student else "not set"),
        _line("kill file", standing.kill_file_there, _file_told(standing)),
    ]
    if row is None:
        return [*lines, _line("control row", True, f"cannot be read: {standing.problem and standing.problem.message}")]
    taken = "allowed" if row.flip_allowed else "taken away: cascade kill off --allow-flip gives it back"
    lines += [_line("control row", row.killed, row_told(row)), _line("flip", not row.flip_allowed, taken)]
    if row.policy_fingerprint is not None:
        ours = environment.policy_fingerprint
        told = f"only {row.policy_fingerprint}; here it is {ours}"
        lines.append(_line("approved policy", row.policy_fingerprint != ours, told))
    if row.oldest_worker_version is not None:
        refused = row.refusal(row.policy_fingerprint or "", environment.version)
        told = f"{row.oldest_worker_version} or newer; here it is {environment.version}"
        lines.append(_line("worker version", not row.killed and refused is not None, told))
    if row.rollout_stage is not None:
        lines.append(_line("rollout stage", False, row.rollout_stage))
    return lines


def _file_told(standing: Standing) -> str:
    if standing.kill_file is None:
        return "none is configured"
    return f"{standing.kill_file} is{'' if standing.kill_file_there else ' not'} there"


def _line(switch: str, off: bool, told: str) -> SwitchLine:
    return SwitchLine(switch, "off" if off else "on", told)


_ROW: Final = (
    "killed",
    "flip_allowed",
    "policy_fingerprint",
    "oldest_worker_version",
    "rollout_stage",
    "changed_at",
    "changed_by",
    "reason",
)
_SWITCHED: Final = ("at", "who", "action", "reason")
_VERDICTS: Final = {
    "off": "The student is off",
    "teacher": "The teacher does everything, and the ledger says so",
    "shadow": "The student may be asked, but may not write",
    "flip": "The student may write, in a worker that runs with --flip",
}
_SWITCH_COLUMNS: Final = (Column("switch", "switch"), Column("stands", "student"), Column("told", "found"))
_LATEST_COLUMNS: Final = (
    Column("at", "at", show=moment),
    Column("who", "who"),
    Column("action", "did"),
    Column("reason", "why"),
)
