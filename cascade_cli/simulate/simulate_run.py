"""``cascade simulate`` from end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cascade_cli.config import POLICY_HIGH_VALUE_CATEGORIES, SCORE_CLUSTER_BY, WORKSPACE_PATH, Settings
from cascade_cli.console import Console, Result, write_file
from cascade_cli.errors import CascadeError, NothingEvaluated, TooManyItemErrors, UsageError
from cascade_cli.policy import RANDOM_SAMPLE, Policy
from cascade_cli.policy_in_force import Wanted
from cascade_cli.scoring import PairSource, Request, Scored, resolve_cluster, score_pairs, scoring_config, warnings_of
from cascade_cli.simulate.bootstrap import bootstrap_figures
from cascade_cli.simulate.cells import BIT, fired_masks, rates_in_force, reasons_of
from cascade_cli.simulate.curves import curves_of
from cascade_cli.simulate.events import NO_LABEL, OBSERVER, Events, events_of
from cascade_cli.simulate.figures import Figures
from cascade_cli.simulate.fleet_cost import fleet_figures
from cascade_cli.simulate.logs import replay_log
from cascade_cli.simulate.names import check_names
from cascade_cli.simulate.planning import detection_plan
from cascade_cli.simulate.prices import Prices, read_prices
from cascade_cli.simulate.rollout import plan_rollout
from cascade_cli.simulate.sampled import is_a_log, verifier_figures
from cascade_cli.simulate.sweeping import sweep_policies
from cascade_cli.simulate.tables import simulation_blocks
from cascade_cli.simulate.targets import cheapest_within
from cascade_cli.simulate.variations import variation_figures
from cascade_cli.stats.eprocess import ALPHA
from cascade_cli.stats.estimates import INSUFFICIENT
from cascade_cli.workspace import SimulatedRate, Workspace


@dataclass(frozen=True, slots=True)
class Simulation:
    """What was asked of ``cascade simulate``.

    Attributes:
        pairs: which pairs to replay.
        wanted: the policies.
        preset: name of the metric's preset.
        target_residual: the residual disagreement in [0, 1] to stay within; None sets no target.
        logged: the policy whose log the pairs are; None where they are a full record.
        rollout: whether to plan stages towards the target.
        bootstrap: replicates of the joint bootstrap; 0 draws none.
        fleet: whether to replay the escalated events through the teacher's fleet.
        vary: things to change one at a time, of ``variations.WAYS``.
        decisions: where to write one decision a line; None writes none.
        min_n: fewer events are nothing to judge.
        allow_empty: let fewer pass.
        max_error_rate: share in [0, 1] of unreadable rows that is borne.
    """

    pairs: PairSource
    wanted: Wanted
    preset: str = "default"
    target_residual: float | None = None
    logged: Policy | None = None
    rollout: bool = False
    bootstrap: int = 0
    fleet: bool = False
    vary: tuple[str, ...] = ()
    decisions: Path | None = None
    min_n: int = 1
    allow_empty: bool = False
    max_error_rate: float = 0.05


def run_simulate(simulation: Simulation, settings: Settings, console: Console) -> Result:
    """Replay the policies over the recorded pairs.

    Raises:
        CascadeError: nothing could be read, or a flag makes no sense.
    """
    _keep_apart(simulation, console.output.path)
    _make_sense(simulation)
    config = scoring_config(simulation.preset, settings.scoring, settings[POLICY_HIGH_VALUE_CATEGORIES])
    request = Request(config, cluster_by=resolve_cluster(settings[SCORE_CLUSTER_BY]), observer=OBSERVER)
    scored, run_id = score_pairs(simulation.pairs, request, settings, console, command="simulate")
    return simulate_scored(simulation, scored, request, settings, run_id=run_id)


def simulate_scored(
    simulation: Simulation,
    scored: Scored,
    request: Request,
    settings: Settings,
    events: Events | None = None,
    run_id: str | None = None,
) -> Result:
    """The same from pairs that are scored already.

    Args:
        simulation: what was asked.
        scored: its request had :data:`~cascade_cli.simulate.events.OBSERVER`.
        request: with which they were scored.
        settings: as resolved.
        events: those of the pairs, for whoever keeps them; None makes them.
        run_id: of the run whose workspace keeps what escalates; None keeps nothing.
    """
    events = events_of(scored) if events is None else events
    policies = simulation.wanted.policies
    warnings = (*warnings_of(scored), *_told(events), *blind_grounding(events), *_unscored(events, simulation.wanted))
    warnings += check_names(simulation.wanted, events)
    is_log: tuple[str, ...] = ()
    if simulation.logged is not None:
        figures = replay_log(events, simulation.logged, policies)
    else:
        figures = simulate(events, policies, read_prices(settings))
        is_log = _looks_like_a_log(events, policies[0])
    data = {"scorer": request.config.fingerprint, **figures}
    data |= {"not_asked": scored.not_asked, "bad_rows": scored.bad_rows, "repeated": scored.repeated + events.repeated}
    data |= _on_request(simulation, events, data["sweep"], settings)
    if run_id is not None and simulation.logged is None and not is_log:
        _keep_rates(events, data, run_id, settings)
    if simulation.fleet:
        data["cost"]["fleet"] = fleet_figures(events, policies[0], settings)
    if simulation.decisions is not None:
        write_file(simulation.decisions, decision_lines(events, policies[0]))
    failure = _breakdown(simulation, scored, len(events))
    wrote = () if simulation.decisions is None else (f"wrote {simulation.decisions}",)
    return Result(
        data, simulation_blocks(data), warnings=warnings + is_log, hints=wrote, run_id=run_id, failure=failure
    )


def simulate(events: Events, policies: Sequence[Policy], prices: Prices) -> Figures:
    """The figures of the first policy, and of all of them as a sweep."""
    sweep = sweep_policies(events, policies, prices)
    return {
        "events": len(events),
        "labelled": int((events.labels != NO_LABEL).sum()),
        "prompt_hashes": events.prompt_hashes.n_unique(),
        **sweep[0],
        "curves": curves_of(events, fired_masks(events, policies[0])),
        "verifier": verifier_figures(events, policies[0]),
        "plan": _plan(events, policies[0], sweep[0]),
        "sweep": sweep,
    }


def _on_request(simulation: Simulation, events: Events, sweep: Sequence[Figures], settings: Settings) -> Figures:
    """What takes longer, or needs a target."""
    policy, found = simulation.wanted.policies[0], Figures()
    if simulation.target_residual is not None:
        found["target"] = cheapest_within(simulation.target_residual, sweep)
        if simulation.rollout:
            found["rollout"] = plan_rollout(events, policy, read_prices(settings), simulation.target_residual)
    if simulation.vary:
        found["variations"] = variation_figures(events, policy, simulation.vary, read_prices(settings))
    if simulation.bootstrap and len(events):
        found["bootstrap"] = bootstrap_figures(events, policy, simulation.bootstrap)
    return found


def _keep_rates(events: Events, data: Figures, run_id: str, settings: Settings) -> None:
    """Keep how many events each policy sends to the teacher: from there a live worker takes its ceiling."""
    if (per_min := events.per_min) is None:
        return
    shares = {each["policy"]["fingerprint"]: each["escalation"]["rate"] for each in data["sweep"]}
    shares |= {stage["fingerprint"]: stage["escalation"] for stage in data.get("rollout", ())}
    now = datetime.now(UTC)
    with Workspace.open(settings[WORKSPACE_PATH], "write") as workspace:
        workspace.add_simulated_rates(
            SimulatedRate(run_id, fingerprint, share, len(events), per_min, now)
            for fingerprint, share in shares.items()
        )


def decision_lines(events: Events, policy: Policy) -> Iterator[str]:
    """One JSON object a line for each event, in the order of the input."""
    for event_id, mask in zip(events.ids, fired_masks(events, policy).tolist(), strict=True):
        fired = reasons_of(mask)
        line = {
            "event_id": event_id,
            "escalate": bool(fired),
            "reason": fired[0] if fired else None,
            "fired": fired,
            "sampled": RANDOM_SAMPLE in fired,
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _keep_apart(simulation: Simulation, output: Path | None) -> None:
    """Refuse to write the decisions over the file that they are about, or where the figures go."""
    source, decisions = simulation.pairs.location, simulation.decisions
    if decisions == Path("-"):
        raise UsageError("--decisions takes a file; standard output carries the figures.")
    if decisions is not None and output is not None and decisions.resolve() == output.resolve():
        raise UsageError("--decisions and -o name the same file.", hint="Give them two files.")
    if source is None or decisions is None or not (decisions.exists() and Path(source).exists()):
        return
    if decisions.samefile(source):
        raise UsageError(f"{decisions} is an input and would be overwritten.", hint="Give --decisions another file.")


def _make_sense(simulation: Simulation) -> None:
    """Refuse flags that contradict each other, before anything is read."""
    if simulation.rollout and simulation.target_residual is None:
        raise UsageError("--rollout plans towards a target.", hint="Give one with --target-residual 0.02.")
    if simulation.logged is None:
        return
    wanted = {"--rollout": simulation.rollout, "--vary": simulation.vary}
    wanted |= {"--fleet": simulation.fleet, "--bootstrap": simulation.bootstrap}
    for flag, given in wanted.items():
        if given:
            raise UsageError(
                f"{flag} needs a full record; a log holds only what its policy saw.",
                hint="With --logged-rate, rates and thresholds can be swept, and --target-residual be met.",
            )


def _looks_like_a_log(events: Events, policy: Policy) -> tuple[str, ...]:
    if not is_a_log(fired_masks(events, policy), rates_in_force(events, policy)):
        return ()
    told = "Every standing event is one that the sampler takes: this looks like a worker's log, not a full record."
    return (f"{told} --logged-rate weighs it as such.",)


def _plan(events: Events, policy: Policy, figures: Figures) -> Figures | None:
    """How soon a fall would be noticed under the policy; None where too few labels say what there is to fall from."""
    standing = figures["standing_agreement"]
    if standing["n"] < INSUFFICIENT or not standing["low"]:
        return None
    settled = fired_masks(events, replace(policy, burn_in_events=0))
    sampled = settled == BIT[RANDOM_SAMPLE]
    speaking = events.clusters.filter(sampled).n_unique() if events.clustered else int(sampled.sum())
    volume = events.per_day
    labels_per_day = None if volume is None else volume * speaking / len(events)
    return {
        "floor": standing["low"],
        "labels_per_day": labels_per_day,
        "drops": detection_plan(standing["low"], ALPHA, labels_per_day),
    }


def _unscored(events: Events, wanted: Wanted) -> tuple[str, ...]:
    missing = int(np.isnan(events.verifier).sum())
    if not missing or all(threshold is None for threshold in wanted.thresholds):
        return ()
    return (f"{missing:,} of {len(events):,} events have no verifier score; its gate does not fire for them.",)


def blind_grounding(events: Events) -> tuple[str, ...]:
    """What to tell where answers were judged by a text that is not there: every address in them counts as made up."""
    blind = int((events.ungrounded & (events.costs["prompt_chars"] == 0)).sum())
    if not blind:
        return ()
    where = f"{blind:,} of {len(events):,} events come without their text (`event.content` or `user_prompt`)"
    return (f"{where}: each address in an answer to them counts as made up, and escalates (grounding_violation).",)


def _told(events: Events) -> tuple[str, ...]:
    if not events.repeated:
        return ()
    return (
        f"{events.repeated:,} pairs repeat an event that comes again; it is decided once, by its last first answer.",
    )


def _breakdown(simulation: Simulation, scored: Scored, events: int) -> CascadeError | None:
    if events < simulation.min_n and not simulation.allow_empty:
        hint = "Is this the right file or workspace? --allow-empty makes it exit 0."
        if scored.not_asked:
            hint = f"{scored.not_asked:,} traces have no student answer: a pair needs `student_response`."
        return NothingEvaluated(f"{events:,} events to decide about; at least {simulation.min_n:,} wanted.", hint=hint)
    return too_many_unreadable(scored, simulation.max_error_rate)


def too_many_unreadable(scored: Scored, max_error_rate: float) -> CascadeError | None:
    """The failure of a run of which more rows than this share could not be read."""
    rows = len(scored.figures) + scored.bad_rows
    if not rows or scored.bad_rows / rows <= max_error_rate:
        return None
    return TooManyItemErrors(
        f"{scored.bad_rows:,} of {rows:,} rows are unreadable, more than {max_error_rate:.1%}.",
        hint="Mend the input, or raise --max-error-rate if you know why they are there.",
    )
