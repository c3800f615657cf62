"""``cascade monitor`` from end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cascade_cli.config import POLICY_HIGH_VALUE_CATEGORIES, SCORE_CLUSTER_BY, Settings
from cascade_cli.console import Console, Result
from cascade_cli.errors import CascadeError, GateFailed, NothingEvaluated, UsageError
from cascade_cli.monitor.labels import HashLabels, labels_by_hash
from cascade_cli.monitor.tables import monitor_blocks
from cascade_cli.monitor.watching import Figures, choose_floor, plan, watch
from cascade_cli.policy import Policy
from cascade_cli.scoring import PairSource, Request, resolve_cluster, score_pairs, scoring_config, warnings_of
from cascade_cli.simulate import OBSERVER, events_of, fired_masks, policy_figures
from cascade_cli.stats.eprocess import ALPHA


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
        min_n: fewer labels in all are nothing to judge.
        allow_empty: let fewer pass.
    """

    pairs: PairSource
    policy: Policy
    floor: float | None = None
    baseline: str | None = None
    alpha: float = ALPHA
    preset: str = "default"
    min_n: int = 1
    allow_empty: bool = False


def run_monitor(asked: Watch, settings: Settings, console: Console) -> Result:
    """Watch agreement by prompt hash.

    Raises:
        CascadeError: nothing could be read, or a flag makes no sense.
    """
    config = scoring_config(asked.preset, settings.scoring, settings[POLICY_HIGH_VALUE_CATEGORIES])
    request = Request(config, cluster_by=resolve_cluster(settings[SCORE_CLUSTER_BY]), observer=OBSERVER)
    scored, run_id = score_pairs(asked.pairs, request, settings, console, command="monitor")
    events = events_of(scored)
    found = labels_by_hash(events, fired_masks(events, asked.policy))
    _check_baseline(asked.baseline, found)
    floor = choose_floor(found, asked.floor, asked.baseline, asked.alpha)
    hashes = watch(found, floor)
    data: Figures = {
        "scorer": config.fingerprint,
        "policy": policy_figures(asked.policy),
        "events": len(events),
        "labels": sum(each["labels"] for each in hashes),
        "alpha": asked.alpha,
        "floor": None if floor is None else {"value": floor.value, "source": floor.source},
        "hashes": hashes,
        "plan": plan(floor, hashes[-1]["labels_per_day"]) if floor and hashes else [],
    }
    warnings = [*warnings_of(scored)]
    if floor is None:
        warnings.append(
            "No prompt hash has 30 labels of which one agrees: no floor. Give one with --floor, or sample more."
        )
    gate, failure = _verdict(asked, data)
    return Result(data, monitor_blocks(data), warnings=tuple(warnings), run_id=run_id, gate=gate, failure=failure)


def _check_baseline(baseline: str | None, found: Sequence[HashLabels]) -> None:
    known = [each.prompt_hash for each in found if each.prompt_hash]
    if baseline is not None and baseline not in known:
        raise UsageError(f"No event has the prompt hash {baseline!r}.", hint=f"There are: {', '.join(known[:10])}.")


def _verdict(asked: Watch, data: Figures) -> tuple[Figures | None, CascadeError | None]:
    if data["labels"] < asked.min_n and not asked.allow_empty:
        return None, NothingEvaluated(
            f"{data['labels']:,} labels of sampled standing events; at least {asked.min_n:,} are wanted.",
            hint="A higher --sample-rate labels more of recorded pairs; --allow-empty makes it exit 0.",
        )
    alarmed = [each["system_prompt_hash"] for each in data["hashes"] if _alarmed(each)]
    gate: Figures = {"name": "agreement", "passed": not alarmed, "alarmed": alarmed}
    if not alarmed:
        return gate, None
    return gate, GateFailed(f"Agreement has fallen: {', '.join(str(each) for each in alarmed)}.")


def _alarmed(figures: Figures) -> bool:
    alarms = (figures["floor_alarm"], figures["change_alarm"])
    return any(alarm is not None and alarm["alarmed_at_label"] is not None for alarm in alarms)
