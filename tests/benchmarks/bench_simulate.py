"""A million events and a thousand policies: seconds, memory, the slope, and a plain loop over the same.

python tests/benchmarks/bench_simulate.py [--events 1000000] [--policies 1000]
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import polars as pl
from benchmarks.machine import describe_machine

from cascade_cli.policy import GATES, Policy, decide
from cascade_cli.simulate.bootstrap import bootstrap_figures
from cascade_cli.simulate.cells import tally_policies
from cascade_cli.simulate.events import COSTS, Events, events_from
from cascade_cli.simulate.figures import figures_of
from cascade_cli.simulate.prices import Prices
from cascade_cli.simulate.simulate_run import simulate
from cascade_cli.simulate.sweeping import sweep_policies

CATEGORIES = ("decision", "commitment", "risk", "status", "request")
SIZES = (10_000, 100_000, 1_000_000)
REPLICATES = 2_000
AIM_S, AIM_MB = 10, 2_000


def make_events(count: int) -> Events:
    """Seeded events with the shares that are known of the team's own pair, and a weak verifier's scores."""
    rng = np.random.default_rng(5)
    agrees = rng.random(count) < 0.88
    lists = [[], ["status"], ["request"], ["risk", "status"], ["decision"], ["commitment"], ["commitment", "status"]]
    chosen = rng.choice(len(lists), count, p=[0.3, 0.25, 0.2, 0.13, 0.05, 0.05, 0.02])
    frame = pl.DataFrame(
        {
            "event_id": [f"evt-{number}" for number in range(count)],
            "system_prompt_hash": np.where(rng.random(count) < 0.5, "bbdaba", "f1e0ff"),
            "cluster": pl.Series([None] * count, dtype=pl.String),
            "created_at": pl.Series([None] * count, dtype=pl.Datetime("us", "UTC")),
            "arena": [f"arena-{number}" for number in rng.integers(0, 40, count)],
            "invalid_json": rng.random(count) < 0.002,
            "empty": rng.random(count) < 0.01,
            "ungrounded": rng.random(count) < 0.01,
            "categories": pl.Series([lists[place] for place in chosen.tolist()], dtype=pl.List(pl.String)),
            "agrees": agrees,
            "missing_output": np.zeros(count, dtype=np.bool_),
            "verifier": np.clip(rng.normal(0.4, 0.15, count) - 0.05 * agrees, 0, 1),
            "decided": np.zeros(count, dtype=np.bool_),
            **{name: rng.integers(100, 4_000, count).astype(np.float64) for name in COSTS},
        }
    )
    return events_from(frame)


def make_policies(count: int) -> list[Policy]:
    """Policies that differ in rate, threshold, categories, arenas and gates, all of them."""
    choices = itertools.product(
        [f"0.{number:02}" for number in range(10)],
        [None, 0.4, 0.5, 0.6, 0.7],
        [frozenset(CATEGORIES[:size]) for size in (1, 2, 3, 5)],
        [frozenset(), frozenset({"arena-1", "arena-2"}), frozenset({"arena-3"})],
        [frozenset(GATES), frozenset(GATES) - {"student_empty"}],
    )
    every = [
        Policy(rate, categories, arenas, threshold, gates=gates)
        for rate, threshold, categories, arenas, gates in choices
    ]
    step = len(every) / count
    return [every[int(place * step)] for place in range(count)]


def measure(events: int, policies: int) -> tuple[float, float, float]:
    """CPU seconds without making the events, peak megabytes, and the sum of all escalations as a check."""
    found, wanted = make_events(events), make_policies(policies)
    began_s = time.process_time()
    figures = [
        figures_of(policy, tally, Prices()) for policy, tally in zip(wanted, tally_policies(found, wanted), strict=True)
    ]
    cpu_s = time.process_time() - began_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return cpu_s, peak_mb, sum(each["escalation"]["rate"] for each in figures)


def plain_loop_s(events: int, policies: int) -> float:
    """CPU seconds for each event and policy when ``decide`` is called for all of them."""
    found, wanted = make_events(events), make_policies(policies)
    answers = [{"entities": ["x"], "facts": [{"category": name} for name in names]} for names in found.categories]
    mails = [{"id": event_id, "arena": arena} for event_id, arena in zip(found.ids, found.arenas, strict=True)]
    scores = found.verifier.tolist()
    began_s = time.process_time()
    for policy in wanted:
        for mail, answer, score in zip(mails, answers, scores, strict=True):
            decide(mail, answer, policy, {"verifier": score})
    return (time.process_time() - began_s) / (events * policies)


def apart(*arguments: object) -> list[float]:
    """Run one measurement in a fresh process."""
    command = [sys.executable, __file__, "--measure", *map(str, arguments)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: list[float] = json.loads(answer.stdout)
    return found


def chosen_policy_s(events: int) -> float:
    """CPU seconds for one policy with its design effects: what the figures shown in full cost."""
    found = in_threes(make_events(events))
    began_s = time.process_time()
    simulate(found, [Policy()], Prices())
    return time.process_time() - began_s


def clustered_sweep_s(events: int, policies: int) -> float:
    """CPU seconds of each policy of a sweep whose intervals allow for clusters."""
    found = in_threes(make_events(events))
    began_s = time.process_time()
    sweep_policies(found, make_policies(policies), Prices())
    return (time.process_time() - began_s) / policies


def in_threes(events: Events) -> Events:
    """The same events, three to a thread."""
    return replace(events, clusters=pl.Series([f"t{number // 3}" for number in range(len(events))]))


def bootstrap_s(events: int, replicates: int) -> tuple[float, float]:
    """CPU seconds of the joint bootstrap at one policy, for independent events and for clusters of three."""
    found = make_events(events)
    seconds = []
    for each in (found, in_threes(found)):
        began_s = time.process_time()
        bootstrap_figures(each, Policy(), replicates)
        seconds.append(time.process_time() - began_s)
    return seconds[0], seconds[1]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--policies", type=int, default=1_000)
    parser.add_argument("--measure", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    print(f"Machine: {describe_machine()}.")
    seconds: list[float] = []
    for size in [size for size in SIZES if size < options.events] + [options.events]:
        cpu_s, peak_mb, _ = apart(size, options.policies)
        seconds.append(cpu_s)
        print(f"{size:>9,} events × {options.policies:,} policies: {cpu_s:.2f} s of CPU, {peak_mb:,.0f} MB")
    print(
        f"wanted: under {AIM_S} s and {AIM_MB:,} MB; the largest takes {seconds[-1] / seconds[0]:.1f} times the least"
    )
    each_s = plain_loop_s(2_000, 10)
    loop_s = each_s * options.events * options.policies
    print(
        f"a plain loop over decide: {each_s * 1e6:.1f} µs a decision, so {loop_s:,.0f} s ({loop_s / seconds[-1]:,.0f}×)"
    )
    print(f"one policy with clusters and design effects: {chosen_policy_s(options.events):.2f} s of CPU")
    print(f"a sweep of 50 with clusters: {clustered_sweep_s(options.events, 50):.2f} s of CPU a policy")
    alone_s, clustered_s = bootstrap_s(options.events, REPLICATES)
    print(f"its joint bootstrap, {REPLICATES:,} resamples: {alone_s:.2f} s, with clusters of three {clustered_s:.2f} s")


if __name__ == "__main__":
    main()
