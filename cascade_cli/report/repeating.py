"""The commands that print a page's figures again: told the same as the report was."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cascade_cli.config import (
    COMMAND_LINE,
    POLICY_BURN_IN_EVENTS,
    POLICY_HIGH_VALUE_CATEGORIES,
    POLICY_SALT,
    POLICY_VERIFIER_THRESHOLD,
    POLICY_VIP_ARENAS,
    SCORE_CLUSTER_BY,
    Setting,
    Settings,
)
from cascade_cli.policy import GATES
from cascade_cli.policy_in_force import read_shares

if TYPE_CHECKING:
    from cascade_cli.report.figures import Report

SWEEP = "0:0.5:0.05"
"""The sample rates that are drawn beside the one in force where nobody names others."""
CLUSTER_BY = "--cluster-by"
_PRICES = ("cost.", "fleet.")
Flags = tuple[tuple[str, str | None], ...]
"""Flags with their values, None for one that has none."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: as in ``cascade NAME``.
        environment: variables and values: what of the policy came from the report's own command line. ``score`` has no
            flags for it, though categories matter there, and of a worker's log ``simulate`` asks the settings.
        flags: all others.
        told: what it prints.
    """

    name: str
    environment: tuple[tuple[str, str], ...]
    flags: Flags
    told: str

    def line(self, source: str) -> str:
        """As it is pasted into a shell; the source is quoted already."""
        before = (f"{name}={shlex.quote(value)}" for name, value in self.environment)
        after = (flag if value is None else f"{flag} {shlex.quote(value)}" for flag, value in self.flags)
        return " ".join((*before, "cascade", self.name, source, *after, "--json"))


def commands_of(asked: Report, settings: Settings, *, logged: bool, timed: bool) -> tuple[Command, ...]:
    """The commands whose figures a page shows.

    Args:
        asked: of the report.
        settings: as resolved, flags included.
        logged: whether the pairs are a worker's log.
        timed: whether a fleet's replay is on the page.
    """
    environment, shared = tuple(_environment(settings)), tuple(_shared(asked, settings))
    policy = (*_policy(asked, settings), *shared)
    rate = str(asked.wanted.base.sample_rate)
    simulated = (*_sweep(asked, logged=logged), ("--target-residual", str(asked.target_residual)))
    simulated += (("--fleet", None), *_prices(settings)) if timed else tuple(_prices(settings))
    watched = [("--sample-rate", rate if logged else "1"), *_given("--floor", asked.floor)]
    thresholds = _thresholds(asked, settings)
    return (
        Command("score", environment, (("--by-prompt-hash", None), *shared), "agreement, F1 and kinds of difference"),
        Command("score", environment, (("--by", "day"), *shared), "the days"),
        Command("simulate", environment, (*simulated, *thresholds, *policy), "escalation, what stays wrong, cost"),
        Command("monitor", environment, (*watched, *thresholds[:1], *policy), "the alarms"),
    )


def _given(flag: str, value: object) -> Flags:
    return () if value is None else ((flag, str(value)),)


def _environment(settings: Settings) -> Iterator[tuple[str, str]]:
    chosen: tuple[Setting[Any], ...] = (POLICY_HIGH_VALUE_CATEGORIES, POLICY_VIP_ARENAS, POLICY_SALT)
    for setting in chosen:
        if settings.origin(setting) == COMMAND_LINE and setting.env is not None:
            value = settings[setting]
            yield setting.env, ",".join(value) if isinstance(value, tuple) else str(value)


def _shared(asked: Report, settings: Settings) -> Iterable[tuple[str, str | None]]:
    yield from _given("--since", asked.pairs.since)
    if asked.preset != "default":
        yield "--preset", asked.preset
    if settings.origin(SCORE_CLUSTER_BY) == COMMAND_LINE:
        yield from _given(CLUSTER_BY, settings[SCORE_CLUSTER_BY])


def _policy(asked: Report, settings: Settings) -> Iterator[tuple[str, str | None]]:
    yield from _given("--student-model", asked.pairs.student_model)
    for reason in GATES:
        if reason not in asked.wanted.base.gates:
            yield "--without-gate", reason
    if settings.origin(POLICY_BURN_IN_EVENTS) == COMMAND_LINE:
        yield "--burn-in-events", str(settings[POLICY_BURN_IN_EVENTS])


def _thresholds(asked: Report, settings: Settings) -> Flags:
    if asked.wanted.thresholds == (settings[POLICY_VERIFIER_THRESHOLD],):
        return ()
    return tuple(("--verifier-threshold", "off" if each is None else str(each)) for each in asked.wanted.thresholds)


def _sweep(asked: Report, *, logged: bool) -> Flags:
    first, *others = asked.wanted.rates
    usual: list[Decimal] = [rate for rate in read_shares([SWEEP], "sample rate") if rate != first]
    drawn = [SWEEP] if others == usual else [str(rate) for rate in others]
    in_force: Flags = (("--logged-rate", str(first)),) if logged else ()
    return (*in_force, *(("--sample-rate", rate) for rate in (str(first), *drawn)))


def _prices(settings: Settings) -> Iterator[tuple[str, str | None]]:
    for key, found in settings.resolved.items():
        if key.startswith(_PRICES) and found.origin == COMMAND_LINE:
            yield "--cost", f"{key}={found.value}"
