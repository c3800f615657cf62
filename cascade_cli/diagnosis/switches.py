"""The switches: which of them hold the student off, and what throws them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cascade_cli.config import POSTGRES_URL
from cascade_cli.diagnosis.findings import Finding
from cascade_cli.live.standing import SwitchLine, read_standing
from cascade_cli.policy_in_force import policy_in_force

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascade_cli.config import Settings

_CURES: Final = {
    "kill file": "When it may go on: cascade kill off",
    "control row": "When it may go on: cascade kill off. A row that is not there: cascade migrate",
    "flip": "When students may write again: cascade kill off --allow-flip",
    "approved policy": "Run with the approved one, or: cascade kill approve --policy FINGERPRINT",
    "worker version": "Install a newer cascade, or: cascade kill approve --oldest-version X.Y",
}


def switches(settings: Settings) -> Iterator[Finding]:
    """Each switch; nothing where neither a database nor a kill file is configured."""
    from cascade_cli.postgres.pool import Pool

    policy, dsn = policy_in_force(settings).fingerprint, settings[POSTGRES_URL]
    if dsn is None:
        standing = read_standing(settings, None, policy, 0)
        lines = [line for line in standing.switches if line.switch == "kill file" and standing.kill_file is not None]
    else:
        with Pool(dsn) as pool:
            lines = read_standing(settings, pool, policy, 0).switches
    yield from map(_finding, lines)


def _finding(line: SwitchLine) -> Finding:
    # Whether there is to be a cascade, and a student, is for the configuration to say: neither is anything wrong.
    holds_off = line.stands == "off" and line.switch in _CURES
    subject = f"switch {line.switch}"
    return Finding(subject, "warn" if holds_off else "ok", line.told, _CURES[line.switch] if holds_off else "")
