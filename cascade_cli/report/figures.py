"""Everything that a page shows, worked out once by the functions behind the commands' own ``--json``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import polars as pl

from cascade_cli.config import (
    POLICY_HIGH_VALUE_CATEGORIES,
    POLICY_SAMPLE_RATE,
    POLICY_TEACHER_TWICE_RATE,
    SCORE_CLUSTER_BY,
    Settings,
)
from cascade_cli.console import Console, Result
from cascade_cli.errors import CascadeError
from cascade_cli.monitor import Twice, Watch, watch_scored
from cascade_cli.policy import Policy
from cascade_cli.policy_in_force import Wanted
from cascade_cli.records import BadRow, Row
from cascade_cli.report.disagreements import KEY, Disagreement, Key, find_disagreements
from cascade_cli.report.provenance import Provenance, provenance_of
from cascade_cli.report.repeating import SWEEP, commands_of
from cascade_cli.report.verdict import FLOOR, TARGET_RESIDUAL
from cascade_cli.scoring import (
    PairSource,
    Request,
    Scored,
    agreement_by,
    resolve_cluster,
    score_pairs,
    scoring_config,
    summarize,
    warnings_of,
)
from cascade_cli.simulate import (
    OBSERVER,
    Simulation,
    events_of,
    fired_masks,
    is_a_log,
    rates_in_force,
    simulate_scored,
)

Data = Mapping[str, Any]
"""The ``data`` of a command's ``--json``."""
_PROMPT_HASH, _DAY = "system_prompt_hash", "day"
_SAYS_ALL = Decimal(1)
"""The sample rate at which every label of a full record speaks."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked of ``cascade report``.

    Attributes:
        pairs: which pairs to read, twice where they are a file's.
        wanted: the policies; the first is the one in force, all of them make the frontier.
        preset: name of the metric's preset.
        worst: how many of the least agreeing events to show.
        floor: agreement that the student must reach and the alarms defend, in (0, 1); None leaves each its own default.
        target_residual: most that may stay wrong, in [0, 1].
        redact: whether to leave out texts, names and values.
    """

    pairs: PairSource
    wanted: Wanted
    preset: str = "default"
    worst: int = 10
    floor: float | None = None
    target_residual: float = TARGET_RESIDUAL
    redact: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a page, unrounded.

    Attributes:
        score: as ``cascade score --by-prompt-hash``.
        days: key and agreement of each day, as ``cascade score --by day``.
        simulation: as ``cascade simulate --fleet``; without the fleet where moments or times of service are unknown.
        monitor: as ``cascade monitor``.
        verdict: its gate, and what it ends with.
        newest: the prompt hash of the newest dated trace, whether the student was asked about it or not; of the last
            pair where none is dated.
        beginnings: every dated prompt hash with the moment of its first trace, aware UTC, in their order.
        floor: what the newest prompt's agreement is held against, in (0, 1).
        worst: the events that agree least.
        provenance: where all this comes from.
        warnings: what the commands warn of.
    """

    score: Data
    days: Sequence[Data]
    simulation: Data
    monitor: Data
    verdict: tuple[Mapping[str, object] | None, CascadeError | None]
    newest: str | None
    beginnings: Sequence[tuple[str | None, datetime]]
    floor: float
    worst: tuple[Disagreement, ...]
    provenance: Provenance
    warnings: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is no pair at all."""
        return not self.score["pairs"]


def rates_to_draw(given: Sequence[str], settings: Settings) -> list[str]:
    """The sample rates of the frontier as they are typed: the one in force, then others beside it.

    Args:
        given: on the command line; one alone is in force, and is drawn beside the usual sweep.
        settings: have the rate in force where none was given.
    """
    return [*(given or [str(settings[POLICY_SAMPLE_RATE])]), *([] if len(given) > 1 else [SWEEP])]


def gather(asked: Report, settings: Settings, console: Console) -> Figures:
    """Score the pairs once, then ask every command's own code about them.

    Raises:
        CascadeError: nothing could be read, or a flag makes no sense.
    """
    request, twice = request_of(asked, settings), twice_of(asked, settings)
    scored, run_id = score_pairs(asked.pairs, request, settings, console, command="report", through=twice.watch)
    found = figures_of(asked, scored, twice, request, settings)
    with console.progress("reading the worst again") as advance:
        worst = find_worst(asked, scored, request, settings, advance)
    return replace(found, worst=worst, provenance=replace(found.provenance, run_id=run_id))


def request_of(asked: Report, settings: Settings) -> Request:
    """What is to be worked out for each pair."""
    config = scoring_config(asked.preset, settings.scoring, settings[POLICY_HIGH_VALUE_CATEGORIES])
    return Request(config, (_PROMPT_HASH, _DAY), resolve_cluster(settings[SCORE_CLUSTER_BY]), OBSERVER)


def twice_of(asked: Report, settings: Settings) -> Twice:
    """What is to see all rows as they pass."""
    return Twice(settings[POLICY_TEACHER_TWICE_RATE], asked.wanted.base.salt)


def figures_of(asked: Report, scored: Scored, twice: Twice, request: Request, settings: Settings) -> Figures:
    """All figures but the worst events, for which rows are read again: :func:`find_worst`.

    Args:
        asked: what was asked.
        scored: with the request.
        twice: saw all rows.
        request: of :func:`request_of`.
        settings: as resolved.

    Raises:
        UsageError: the answers are of several students, or a name is unknown.
    """
    policy, simulation = asked.wanted.base, simulation_of(asked, scored)
    simulated = simulate_scored(simulation, scored, request, settings)
    heard = policy if simulation.logged else replace(policy, sample_rate=_SAYS_ALL)
    watched = watch_scored(Watch(asked.pairs, heard, asked.floor), scored, twice, request, settings)
    return Figures(
        score=summarize(scored, replace(request, by=(_PROMPT_HASH,))),
        days=agreement_by(scored, replace(request, by=(_DAY,))),
        simulation=_data(simulated),
        monitor=_data(watched),
        verdict=(watched.gate, watched.failure),
        newest=_newest(scored),
        beginnings=_beginnings(scored),
        floor=FLOOR if asked.floor is None else asked.floor,
        worst=(),
        provenance=provenance_of(
            asked.pairs,
            scored,
            settings,
            commands_of(asked, settings, logged=simulation.logged is not None, timed=simulation.fleet),
        ),
        warnings=tuple(dict.fromkeys((*warnings_of(scored), *simulated.warnings))),
    )


def simulation_of(asked: Report, scored: Scored) -> Simulation:
    """What is asked of ``cascade simulate`` about these pairs: other things of a worker's log than of a record."""
    policy = asked.wanted.base
    log = _is_a_log(scored, policy)
    return Simulation(
        asked.pairs,
        asked.wanted,
        asked.preset,
        target_residual=asked.target_residual,
        logged=policy if log else None,
        fleet=not log and _is_timed(scored),
    )


def _data(result: Result) -> Data:
    return cast("Data", result.data)


def _is_a_log(scored: Scored, policy: Policy) -> bool:
    events = events_of(scored)
    return is_a_log(fired_masks(events, policy), rates_in_force(events, policy))


def _is_timed(scored: Scored) -> bool:
    """Whether every pair says when it came and how long the teacher took: what a fleet's replay needs."""
    times = scored.figures.select("created_at", "teacher_ms")
    return len(times) > 0 and not sum(column.null_count() for column in times)


def _newest(scored: Scored) -> str | None:
    if scored.figures.is_empty():
        return None
    made, names = scored.figures["created_at"], scored.figures["system_prompt_hash"]
    place, passed_over = made.arg_max(), scored.newest_not_asked
    if passed_over is not None and (place is None or passed_over[0] > made[place]):
        return passed_over[1]
    newest: str | None = names[-1 if place is None else place]
    return newest


def _beginnings(scored: Scored) -> list[tuple[str | None, datetime]]:
    dated = scored.figures.select("system_prompt_hash", "created_at").drop_nulls("created_at")
    first = dated.group_by("system_prompt_hash").agg(pl.col("created_at").min())
    return first.sort("created_at", "system_prompt_hash").rows()


def find_worst(
    asked: Report,
    scored: Scored,
    request: Request,
    settings: Settings,
    advance: Callable[[int], None] = lambda _rows: None,
) -> tuple[Disagreement, ...]:
    """The least agreeing of the answers that have items and differ: of the others there is nothing to lay side by side.

    Args:
        asked: how many.
        scored: with the request.
        request: of :func:`request_of`.
        settings: where the workspace is.
        advance: told of every row that is read again.
    """
    beside = (
        pl.col("scorable")
        & (pl.col("agreement") < 1)
        & ~pl.col("missing_output")
        & ~pl.col("invalid_json")
        & ~pl.col("empty")
    )
    order = ["agreement", "event_id"]
    lowest = scored.figures.select(*KEY, "agreement", kept=beside).filter("kept").bottom_k(asked.worst, by=order)
    wanted: list[Key] = lowest.sort(order).select(KEY).rows()
    return find_disagreements(_again(asked.pairs, settings, wanted, advance), wanted, request.config)


def _again(
    pairs: PairSource, settings: Settings, wanted: Sequence[Key], advance: Callable[[int], None]
) -> Iterator[Row | BadRow]:
    """The rows among which the wanted ones are: of a workspace those of their events, of a file all."""
    if not wanted:
        return
    ids = dict.fromkeys(key[0] for key in wanted)
    of_workspace = (row for event_id in ids for row in pairs.rows_of_workspace(settings, event_id))
    for row in of_workspace if pairs.location is None else pairs.rows_of_file():
        advance(1)
        yield row
