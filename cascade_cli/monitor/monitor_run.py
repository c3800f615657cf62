"""``cascade monitor`` from end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from cascade_cli.config import (
    POLICY_HIGH_VALUE_CATEGORIES,
    POLICY_TEACHER_TWICE_RATE,
    SCORE_CLUSTER_BY,
    STUDENT_TRAINED_PROMPT_HASHES,
    Settings,
)
from cascade_cli.console import Console, Result, prompt_hash
from cascade_cli.database_in_force import database_url
from cascade_cli.errors import CascadeError, GateFailed, NothingEvaluated, UsageError
from cascade_cli.monitor.ceiling import Twice, ceiling_figures
from cascade_cli.monitor.labels import HashLabels, labels_by_hash, unheard_labels
from cascade_cli.monitor.rollout import Rollout, rollout_figures
from cascade_cli.monitor.tables import monitor_blocks
from cascade_cli.monitor.watching import (
    BASELINE_LABELS,
    Figures,
    Floor,
    agreement_of_all,
    choose_floor,
    notices_of,
    watch,
)
from cascade_cli.policy import Policy
from cascade_cli.scoring import PairSource, Request, Scored, resolve_cluster, score_pairs, scoring_config, warnings_of
from cascade_cli.simulate import (
    OBSERVER,
    blind_grounding,
    detection_plan,
    events_of,
    policy_figures,
    too_many_unreadable,
)
from cascade_cli.stats.eprocess import ALPHA, level_of


@dataclass(frozen=True, slots=True)
class Watch:
    """What was asked of ``cascade monitor``.

    Attributes:
        pairs: which pairs to watch.
        policy: which of them stand, and which are sampled.
        floor: the service level in (0, 1); None takes it from a baseline.
        baseline: the prompt hash of a good time; None takes the first with enough labels.
        alpha: the chance in (0, 1) of any false alarm against the floor.
        preset: name of the metric's preset.
        baseline_labels: how many labels of the baseline make the floor, at least 1.
        min_n: fewer labels in all are nothing to judge.
        allow_empty: let fewer pass, and a time without a floor.
        max_error_rate: share in [0, 1] of unreadable rows that is borne.
        rollout: of which the next stage is to be judged; None judges none.
        unflip: whether an alarm under the prompt in force takes the flip from every worker.
    """

    pairs: PairSource
    policy: Policy
    floor: float | None = None
    baseline: str | None = None
    alpha: float = ALPHA
    preset: str = "default"
    baseline_labels: int = BASELINE_LABELS
    min_n: int = 1
    allow_empty: bool = False
    max_error_rate: float = 0.05
    rollout: Rollout | None = None
    unflip: bool = False


def run_monitor(asked: Watch, settings: Settings, console: Console) -> Result:
    """Watch agreement by prompt hash.

    Raises:
        CascadeError: nothing could be read, or a flag makes no sense.
    """
    if asked.floor is not None and asked.baseline is not None:
        raise UsageError(
            "--floor and --baseline contradict each other.", hint="A floor is given, or taken from a hash."
        )
    if asked.unflip:
        # Before anything is scored for nothing.
        database_url(settings)
    config = scoring_config(asked.preset, settings.scoring, settings[POLICY_HIGH_VALUE_CATEGORIES])
    twice = Twice(settings[POLICY_TEACHER_TWICE_RATE], asked.policy.salt)
    request = Request(config, cluster_by=resolve_cluster(settings[SCORE_CLUSTER_BY]), observer=OBSERVER)
    scored, run_id = score_pairs(asked.pairs, request, settings, console, command="monitor", through=twice.watch)
    result = replace(watch_scored(asked, scored, twice, request, settings), run_id=run_id)
    if not asked.unflip:
        return result
    # With the database's driver, which nothing else here needs.
    from cascade_cli.monitor.unflipping import take_flip

    return take_flip(result, settings)


def watch_scored(asked: Watch, scored: Scored, twice: Twice, request: Request, settings: Settings) -> Result:
    """The same from pairs that are scored already.

    Args:
        asked: what to watch.
        scored: its request had the observer of ``simulate``.
        twice: saw all rows.
        request: with which they were scored.
        settings: as resolved.
    """
    config = request.config
    events = events_of(scored, by_hash=True)
    awaited = scored.awaited
    found = labels_by_hash(events, asked.policy, awaited)
    _check_baseline(asked.baseline, found)
    trained: tuple[str, ...] = settings[STUDENT_TRAINED_PROMPT_HASHES]
    floor = choose_floor(found, asked.floor, asked.baseline, asked.alpha, asked.baseline_labels)
    hashes = watch(found, floor)
    agreement = agreement_of_all(found)
    data: Figures = {
        "scorer": config.fingerprint,
        "policy": policy_figures(asked.policy),
        "events": len(events),
        "labels": sum(each["labels"] for each in hashes),
        "awaited": None if awaited is None else asdict(awaited),
        "agreement": agreement,
        "teacher": ceiling_figures(twice.agreements(config), agreement, asked.baseline_labels),
        "alpha": asked.alpha,
        "floor": None if floor is None else _floor_figures(floor, found),
        "hashes": hashes,
        "notices": notices_of(found, trained, awaited, unheard_labels(events, asked.policy, scored.sampled)),
        "plan": _plan(floor, hashes),
        "rollout": None if asked.rollout is None else rollout_figures(events, asked.rollout, _alarmed_hashes(hashes)),
        "bad_rows": scored.bad_rows,
        "unflipped": None,
    }
    warnings = (*warnings_of(scored), *blind_grounding(events))
    gate, failure = _verdict(asked, data)
    failure = too_many_unreadable(scored, asked.max_error_rate) or failure
    return Result(data, monitor_blocks(data), warnings=warnings, gate=gate, failure=failure)


def _floor_figures(floor: Floor, found: Sequence[HashLabels]) -> Figures:
    baseline = None if floor.baseline is None else found[floor.baseline].prompt_hash
    return {
        "value": floor.value,
        "given": floor.baseline is None,
        "system_prompt_hash": baseline,
        "labels": floor.labels,
    }


def _plan(floor: Floor | None, hashes: Sequence[Figures]) -> list[Figures]:
    """How soon the next hash's alarm would go off; it has what is left of the level for it."""
    if floor is None or not hashes:
        return []
    watched = sum(each["floor_alarm"] is not None for each in hashes)
    return detection_plan(floor.value, level_of(watched + 1, floor.alpha), hashes[-1]["labels_per_day"])


def _check_baseline(baseline: str | None, found: Sequence[HashLabels]) -> None:
    known = [each.prompt_hash for each in found if each.prompt_hash]
    if baseline is not None and baseline not in known:
        there = f"There are: {', '.join(known[:10])}." if known else "No event has a prompt hash: give a --floor."
        raise UsageError(f"No event has the prompt hash {baseline!r}.", hint=there)


def _verdict(asked: Watch, data: Figures) -> tuple[Figures | None, CascadeError | None]:
    alarmed = _alarmed_hashes(data["hashes"])
    teacher = data["teacher"] is not None and _has_gone_off(data["teacher"]["change_alarm"])
    judged = data["floor"] is not None and data["labels"] >= asked.min_n
    gate: Figures = {"name": "agreement", "passed": not (alarmed or teacher), "alarmed": alarmed, "teacher": teacher}
    if not gate["passed"]:
        under = [prompt_hash(each) if each else "without a hash" for each in alarmed]
        fallen = [*under, *(["the teacher's with itself"] if teacher else [])]
        return gate, GateFailed(f"Agreement has fallen: {', '.join(fallen)}.")
    if judged:
        return gate, None
    return None, None if asked.allow_empty else _nothing_judged(asked, data)


def _nothing_judged(asked: Watch, data: Figures) -> CascadeError:
    if data["labels"] >= asked.min_n:
        return _no_floor(asked)
    stands = any(each["standing"] for each in data["hashes"])
    return NothingEvaluated(
        f"{data['labels']:,} labels of sampled standing events; at least {asked.min_n:,} are wanted.",
        hint="A higher --sample-rate labels more of recorded pairs; --allow-empty makes it exit 0."
        if stands or not data["events"]
        else "Gates send every event to the teacher, so none stands: cascade simulate says which.",
    )


def _no_floor(asked: Watch) -> CascadeError:
    which = "no prompt hash has" if asked.baseline is None else f"{asked.baseline} has not"
    return NothingEvaluated(
        f"Nothing was judged: {which} {asked.baseline_labels:,} labels yet, or none of them agrees; there is no floor.",
        hint="Give one with --floor, ask for fewer with --baseline-labels, or sample more.",
    )


def _alarmed_hashes(hashes: Sequence[Figures]) -> list[str | None]:
    return [each["system_prompt_hash"] for each in hashes if _alarmed(each)]


def _alarmed(figures: Figures) -> bool:
    return _has_gone_off(figures["floor_alarm"]) or _has_gone_off(figures["change_alarm"])


def _has_gone_off(alarm: Figures | None) -> bool:
    return alarm is not None and alarm["alarmed_at_label"] is not None
