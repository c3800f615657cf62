"""Beside live traffic: looks for what is new again and again, whatever goes away meanwhile."""

from __future__ import annotations

from cascade_cli.clients import Caller, CallFailed
from cascade_cli.config import POSTGRES_URL, Settings
from cascade_cli.console import Console
from cascade_cli.errors import CascadeError, DependencyError
from cascade_cli.event_loop import in_background
from cascade_cli.pull_sources import pull_database
from cascade_cli.replay import Asking
from cascade_cli.shadow_run.asked import Shadow
from cascade_cli.shadow_run.scored import agreement_note

PULL_REFUSED = "pull_refused"
_LONGEST_PAUSE_S = 60.0


class Following:
    """What happens between two rounds of questions.

    Attributes:
        pulled: traces that were new since the beginning.
    """

    def __init__(self, asked: Shadow, settings: Settings, asking: Asking, console: Console) -> None:
        self.pulled = 0
        self._asked = asked
        self._settings = settings
        self._asking = asking
        self._console = console
        self._pause_s = asked.poll_s
        self._away = False
        self._scored = 0

    async def between(self) -> None:
        """Tell how things are, wait, and pull what is new; questions under way go on meanwhile."""
        if self._asked.score and self._asking.tally.answered > self._scored:
            self._scored = self._asking.tally.answered
            await in_background(self._tell_agreement)
        if await self._asking.stop.within(self._pause_s) or self._settings[POSTGRES_URL] is None:
            return
        try:
            report = await self._asking.stop.before(
                in_background(lambda: pull_database(self._settings, self._asked.since))
            )
        except DependencyError as error:
            self._lost(error)
        except CascadeError as error:
            # Another name of a table or column: nothing but a person can mend that.
            self._asking.stop(PULL_REFUSED, error)
        else:
            self._found(report.new_traces if report else 0)

    def _lost(self, error: DependencyError) -> None:
        if not self._away:
            self._console.note(f"{error.message} Trying again until it is back; answers are kept meanwhile.")
        self._away = True
        self._pause_s = min(self._pause_s * 2, max(_LONGEST_PAUSE_S, self._asked.poll_s))

    def _found(self, new_traces: int) -> None:
        if self._away:
            self._console.note("The database is back.")
        self._away = False
        self._pause_s = self._asked.poll_s
        self.pulled += new_traces

    def _tell_agreement(self) -> None:
        try:
            told = agreement_note(self._asked, self._settings)
        except CascadeError as error:
            told = f"Not scored this time: {error.message}"
        self._console.note(told)


class EndpointWatch:
    """Looks after an endpoint that is waited for; says once that it has gone, and that it is back."""

    def __init__(self, caller: Caller, console: Console) -> None:
        self._caller = caller
        self._console = console
        self._away = False

    async def check(self) -> None:
        """Look whether anybody is there.

        Raises:
            EndpointDown: nobody is.
        """
        await self._caller.check()

    def lost(self, failure: CallFailed) -> None:
        """A call found nobody, or was refused for minutes."""
        if not self._away:
            self._console.note(f"{self._caller.endpoint.shown} is away: {failure.detail}. Waiting until it is back.")
        self._away = True

    def answered(self) -> None:
        """A call was answered."""
        if self._away:
            self._console.note("The endpoint is back.")
        self._away = False
