"""What the worker does, as ``cascade status`` tells it; asked for no more often than every two seconds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Lock, Thread
from time import monotonic

from cascade_cli.config import Settings
from cascade_cli.console import Result
from cascade_cli.dashboard.problems import NotAnswered
from cascade_cli.live.status_run import run_status
from cascade_cli.policy_in_force import policy_in_force

_FRESH_S = 2.0
_PATIENCE_S = 2.0
"""So long after it was asked, a page waits for the database."""


@dataclass(slots=True)
class _Question:
    """One look at the worker.

    Attributes:
        asked_at: by the clock.
        answer: when it comes.
        answered_at: by the clock; None before.
    """

    asked_at: float
    answer: Future[Result] = field(default_factory=Future)
    answered_at: float | None = None


class LiveState:
    """The last answer, and when it was given."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], float] = monotonic,
        ask: Callable[[Settings], Result] = lambda settings: run_status(
            settings, policy_in_force(settings).fingerprint
        ),
    ) -> None:
        """Ask nothing yet.

        Args:
            settings: say where the database is.
            now: a clock that never goes back.
            ask: looks at the worker.
        """
        self._settings, self._now, self._ask = settings, now, ask
        self._lock = Lock()
        self._question: _Question | None = None

    def result(self) -> Result:
        """As ``cascade status``; a database that is away is part of the answer.

        Raises:
            NotAnswered: the database is silent.
            UsageError: the settings name tables or columns that cannot be.
        """
        question = self._latest()
        try:
            return question.answer.result(max(0.0, question.asked_at + _PATIENCE_S - self._now()))
        except TimeoutError as silence:
            raise NotAnswered("The database has been asked and has not answered yet.") from silence

    def _latest(self) -> _Question:
        """The question under way, or the last one while its answer is fresh, or a new one."""
        with self._lock:
            last = self._question
            if last is None or (last.answered_at is not None and self._now() - last.answered_at > _FRESH_S):
                self._question = last = _Question(self._now())
                # In a thread that nobody waits for: a server that says nothing would hold up every page, and the end.
                Thread(target=self._settle, args=(last,), daemon=True).start()
            return last

    def _settle(self, question: _Question) -> None:
        try:
            deliver = partial(question.answer.set_result, self._ask(self._settings))
        except Exception as error:  # noqa: BLE001 - raised again where the answer is waited for
            deliver = partial(question.answer.set_exception, error)
        question.answered_at = self._now()
        deliver()
