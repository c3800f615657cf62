"""The alarm as a breaker: where agreement under the prompt in force has fallen, no worker's student writes any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cascade_cli.config import POSTGRES_SCHEMA
from cascade_cli.database_in_force import database_url
from cascade_cli.errors import DependencyError
from cascade_cli.live.killing import who_switches
from cascade_cli.postgres.control import Control
from cascade_cli.postgres.pool import Pool
from cascade_cli.prompt_in_force import prompt_in_force

if TYPE_CHECKING:
    from cascade_cli.config import Settings
    from cascade_cli.console import Result


def take_flip(result: Result, settings: Settings) -> Result:
    """Take the flip from every worker where an alarm has gone off under the prompt in force; a person gives it back.

    Args:
        result: of the monitor, with its ``gate``.
        settings: with the database, and the prompt's file or a workspace with traces.

    Returns:
        The same, with ``unflipped`` in its data: the prompt hash, or null where the flip stays. Where the database does
        not let it be done, that is the failure.

    Raises:
        UsageError: nobody says which prompt is in force.
    """
    if result.gate is None or result.gate["passed"]:
        return result
    alarmed, prompt = result.gate["alarmed"], prompt_in_force(settings)
    assert isinstance(alarmed, list)  # noqa: S101 - of hashes, None where a trace had none
    fallen = next((each for each in alarmed if prompt.is_that_of(each)), None)
    if fallen is None:
        told = f"The flip stays: no alarm concerns the prompt in force, {prompt.hash[:12]}."
        return replace(result, warnings=(*result.warnings, told))
    why = f"agreement under prompt {fallen[:12]} has fallen, by cascade monitor"
    try:
        with Pool(database_url(settings)) as pool:
            Control(pool, settings[POSTGRES_SCHEMA]).unflip(who=who_switches(), reason=why)
    except DependencyError as error:
        return replace(result, failure=error)
    assert isinstance(result.data, dict)  # noqa: S101 - the monitor returns nothing else
    told = f"The flip is taken away from every worker: {why}. cascade kill off --allow-flip gives it back."
    return replace(result, data=result.data | {"unflipped": fallen}, warnings=(*result.warnings, told))
